package codec_test

import (
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/internal/jsontest"
	"github.com/osgochina/dmicro/internal/race"
)

// same is the codec held against encoding/json.
var same = jsontest.Impl{Marshal: codec.JSONCodec{}.Marshal, Unmarshal: codec.JSONCodec{}.Unmarshal, SameErrors: true}

// sameAppended is the same with the other way to encode.
var sameAppended = jsontest.Impl{
	Marshal:   func(v any) ([]byte, error) { return codec.JSONCodec{}.AppendMarshal([]byte("head")[:0], v) },
	Unmarshal: codec.JSONCodec{}.Unmarshal, SameErrors: true,
}

// It measures memory and so does not run beside other tests.
func TestJSONIsEncodingJSON(t *testing.T) {
	for _, c := range jsontest.Cases() {
		if race.Enabled && strings.HasPrefix(c.Name, "hostile/") {
			continue // the detector makes them slow and has a say in the memory
		}
		for _, d := range c.Diff(same) {
			t.Errorf("%s: %s", c.Name, d)
		}
	}
}

func TestJSONAppendedIsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, v := range jsontest.Values() {
		if d := sameAppended.DiffMarshal(v.New); d != "" {
			t.Errorf("%s: %s", v.Name, d)
		}
	}
}

func TestJSONIsEncodingJSONForRandomTypes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1000) {
		for _, d := range jsontest.DiffRandom(sameAppended, seed) {
			t.Errorf("seed %d: %s: %s", seed, d.Kind, d.Text)
		}
	}
}

// FuzzJSONIsEncodingJSON checks that every input has the same outcome in every
// target, and what comes out the same encoding.
func FuzzJSONIsEncodingJSON(f *testing.F) {
	targets := jsontest.Targets()
	for i, in := range jsontest.Inputs() {
		if len(in) < 500 { // a mutation of a long one shows no more
			f.Add([]byte(in), uint(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, n uint) {
		impl := sameAppended
		target := targets[n%uint(len(targets))]
		for _, to := range []jsontest.Target{target, targets[0]} {
			if d := impl.DiffUnmarshal(data, to.New); d != "" {
				t.Fatalf("%s: %s", to.Name, d)
			}
		}
		for _, d := range jsontest.DiffRandom(impl, uint64(n)) {
			t.Fatalf("%s: %s", d.Kind, d.Text)
		}
	})
}
