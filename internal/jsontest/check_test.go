package jsontest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/internal/jsontest"
)

func TestEncodingJSONAgreesWithItself(t *testing.T) {
	t.Parallel()
	same := jsontest.Std
	same.SameErrors = true
	for _, c := range jsontest.Cases() {
		if strings.HasPrefix(c.Name, "hostile/") {
			continue // they measure memory, and take their time
		}
		for _, d := range c.Diff(same) {
			t.Errorf("%s: %s", c.Name, d)
		}
	}
}

func TestEncodingJSONAgreesWithItselfOnRandomTypes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		for _, d := range jsontest.DiffRandom(jsontest.Std, seed) {
			t.Errorf("seed %d: %s: %s", seed, d.Kind, d.Text)
		}
	}
}

// Each implementation here is encoding/json but for one thing, which a comparison must find.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		impl jsontest.Impl
		kind string // what DiffRandom calls it
		says string // part of the text of one difference
	}{
		"other bytes": {jsontest.Impl{Unmarshal: json.Unmarshal, Marshal: func(v any) ([]byte, error) {
			b, err := json.Marshal(v)
			return append(b, ' '), err
		}}, "marshal", "bytes: "},
		"an error that is none": {jsontest.Impl{Unmarshal: json.Unmarshal, Marshal: func(any) ([]byte, error) {
			return nil, errors.New("does not like it")
		}}, "marshal", "error: does not like it"},
		"an error that is lost": {jsontest.Impl{Marshal: json.Marshal, Unmarshal: func(b []byte, v any) error {
			_ = json.Unmarshal(b, v)
			return nil
		}}, "broken", "error: <nil>"},
		"a panic": {jsontest.Impl{Marshal: json.Marshal, Unmarshal: func([]byte, any) error {
			panic("oh")
		}}, "unmarshal", "error: panic: oh"},
		"nothing decoded": {jsontest.Impl{Marshal: json.Marshal, Unmarshal: func(b []byte, _ any) error {
			return json.Unmarshal(b, new(any))
		}}, "unmarshal", "value: "},
		"an input that is changed": {jsontest.Impl{Marshal: json.Marshal, Unmarshal: func(b []byte, v any) error {
			err := json.Unmarshal(b, v)
			clear(b)
			return err
		}}, "unmarshal", "input became"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				for _, d := range jsontest.DiffRandom(c.impl, seed) {
					if d.Kind == c.kind && strings.Contains(d.Text, c.says) {
						return
					}
				}
			}
			t.Errorf("no difference of kind %q says %q", c.kind, c.says)
		})
	}
}

func TestWastedMemoryIsFound(t *testing.T) { // not parallel: it counts what the process allocates
	wasteful := jsontest.Std
	wasteful.Unmarshal = func(b []byte, v any) error {
		waste = make([]byte, 64<<20)
		return json.Unmarshal(b, v)
	}
	for _, c := range jsontest.Cases() {
		if strings.HasPrefix(c.Name, "hostile/spaces/") {
			if ds := c.Diff(wasteful); len(ds) != 1 || !strings.HasPrefix(ds[0], "memory: ") {
				t.Errorf("%s: %q", c.Name, ds)
			}
			return
		}
	}
	t.Error("there is no such case")
}

// waste keeps the compiler from leaving the allocation out.
var waste []byte
