package jsoncodec

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/jsontest"
)

// TestRandom holds the candidate of JSONCODEC_CANDIDATE against encoding/json with random types, values and inputs, for
// JSONCODEC_TIME.
func TestRandom(t *testing.T) {
	name := os.Getenv("JSONCODEC_CANDIDATE")
	d, _ := time.ParseDuration(os.Getenv("JSONCODEC_TIME"))
	if name == "" {
		t.Skip("set JSONCODEC_CANDIDATE and JSONCODEC_TIME")
	}
	for _, c := range candidates {
		if c.name != name {
			continue
		}
		n, diffs := 0, map[string]int{}
		for seed, end := uint64(time.Now().UnixNano()), time.Now().Add(d); time.Now().Before(end); seed++ {
			n++
			if os.Getenv("JSONCODEC_TRACE") != "" {
				fmt.Println("seed", seed)
			}
			for _, diff := range jsontest.DiffRandom(c.Impl, seed) {
				diffs[diff.Kind]++
				if diffs[diff.Kind] <= 5 {
					t.Logf("seed %d: %s: %s", seed, diff.Kind, diff.Text)
				}
			}
		}
		out, _ := json.Marshal(diffs)
		t.Logf("%s: %d rounds, %s", name, n, out)
	}
}
