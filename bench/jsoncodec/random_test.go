package jsoncodec

import (
	"flag"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/jsontest"
)

var (
	candidateFlag = flag.String("candidate", "codec", "the candidate of TestRandom")
	forFlag       = flag.Duration("for", time.Second, "how long TestRandom runs")
)

// TestRandom holds one candidate against encoding/json with random types, values and inputs. Of one that is out it only says
// how often it differs, unless that ends the process.
func TestRandom(t *testing.T) {
	c := candidateOf(t, *candidateFlag)
	rounds, kinds := 0, map[string]int{}
	for seed, end := uint64(time.Now().UnixNano()), time.Now().Add(*forFlag); time.Now().Before(end); seed++ {
		rounds++
		for _, d := range jsontest.DiffRandom(c.Impl, seed) {
			if kinds[d.Kind]++; kinds[d.Kind] <= 5 {
				t.Logf("seed %d: %s: %s", seed, d.Kind, d.Text)
			}
		}
	}
	t.Logf("%s: %d rounds, differences %v", c.name, rounds, kinds)
	if c.same && len(kinds) > 0 {
		t.Error("it must not differ")
	}
}
