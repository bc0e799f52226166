package codec_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

type order struct {
	ID    int64             `json:"id"`
	Title string            `json:"title"`
	Price float64           `json:"price"`
	Tags  []string          `json:"tags"`
	Extra map[string]string `json:"extra,omitempty"`
	Raw   json.RawMessage   `json:"raw,omitempty"`
	Next  *order            `json:"next,omitempty"`
}

func sampleOrder() *order {
	return &order{
		ID: 9007199254740993, Title: "é 世界 <&>\u2028\n", Price: 1.5, Tags: []string{"a", "b"},
		Extra: map[string]string{"z": "1", "a": "2"}, Raw: json.RawMessage(`{"k":[1]}`), Next: &order{ID: -1},
	}
}

// nested encodes itself with the codec, from inside the codec.
type nested struct{ v any }

func (n nested) MarshalJSON() ([]byte, error) { return codec.JSONCodec{}.AppendMarshal(nil, n.v) }

func TestJSONHasTheBytesOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"nil": nil, "nil pointer": (*order)(nil), "string": "<a href=\"&\">\x00\xff\u2028", "number": 1e21,
		"empty slice": []int{}, "nil slice": []int(nil), "struct": sampleOrder(), "empty struct": struct{}{},
		"map": map[string]any{"b": 1, "a": []byte("bytes")}, "nested": nested{nested{sampleOrder()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := (codec.JSONCodec{}).Marshal(v); err != nil || string(got) != string(want) {
				t.Errorf("Marshal = %s, %v, want %s", got, err, want)
			}
			if got, err := (codec.JSONCodec{}).AppendMarshal(nil, v); err != nil || string(got) != string(want) {
				t.Errorf("AppendMarshal = %s, %v, want %s", got, err, want)
			}
		})
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	want := sampleOrder()
	b, err := codec.Marshal(codec.JsonId, want)
	if err != nil {
		t.Fatal(err)
	}
	got := new(order)
	if err := codec.Unmarshal(codec.JsonId, b, got); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = '#' // the result must not live in the buffer
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestJSONGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	var unsupported *json.UnsupportedTypeError
	for range 100 { // each pooled encoder gets its turn
		if _, err := (codec.JSONCodec{}).AppendMarshal(nil, []any{"half", func() {}}); !errors.As(err, &unsupported) {
			t.Fatalf("error %v", err)
		}
		if b, err := (codec.JSONCodec{}).AppendMarshal([]byte("x"), 1); err != nil || string(b) != "x1" {
			t.Fatalf("after an error: %s, %v", b, err)
		}
	}
}

func TestJSONRefusesBadInput(t *testing.T) {
	t.Parallel()
	var syntax *json.SyntaxError
	for _, in := range []string{"", "{", `{"id":1}x`, "\xff"} {
		if err := codec.Unmarshal(codec.JsonId, []byte(in), new(order)); !errors.As(err, &syntax) {
			t.Errorf("Unmarshal(%q): %v", in, err)
		}
	}
	var mismatch *json.UnmarshalTypeError
	if err := codec.Unmarshal(codec.JsonId, []byte(`{"id":"1"}`), new(order)); !errors.As(err, &mismatch) {
		t.Errorf("string into a number: %v", err)
	}
	var target *json.InvalidUnmarshalError
	if err := codec.Unmarshal(codec.JsonId, []byte(`1`), nil); !errors.As(err, &target) {
		t.Errorf("nil target: %v", err)
	}
}

func TestJSONAppendersDoNotMixUp(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want, _ := json.Marshal(order{ID: int64(i)})
			var buf []byte
			for range 500 {
				var err error
				if buf, err = (codec.JSONCodec{}).AppendMarshal(buf[:0], order{ID: int64(i)}); err != nil || string(buf) != string(want) {
					t.Errorf("got %s, %v, want %s", buf, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzJSON checks that what decodes encodes again, by both ways to the same
// bytes, and that no input harms.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "null", `{"id":1,"raw":[1e3],"next":{}}`, `"\ud800\u2028<"`, `[[[]]]`, `-0`, "{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c codec.JSONCodec
		_ = c.Unmarshal(data, new(order)) // must only return
		var v any
		if c.Unmarshal(data, &v) != nil {
			return
		}
		b, err := c.Marshal(v)
		if err != nil {
			t.Fatalf("%q decodes to %#v, which does not encode: %v", data, v, err)
		}
		if got, err := c.AppendMarshal([]byte("head"), v); err != nil || string(got) != "head"+string(b) {
			t.Fatalf("AppendMarshal = %s, %v, Marshal = %s", got, err, b)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	var (
		c  codec.JSONCodec
		in = &order{ID: 42, Title: "a title of usual length", Price: 9.99, Tags: []string{"new", "blue"}}
	)
	data, err := c.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Marshal(in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("AppendMarshal", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			if _, err := codec.Append(buf, c, in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		out := new(order)
		for b.Loop() {
			if err := c.Unmarshal(data, out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
