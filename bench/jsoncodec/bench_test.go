package jsoncodec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

type item struct {
	SKU   string  `json:"sku"`
	Count int     `json:"count"`
	Price float64 `json:"price"`
}

type order struct {
	ID       int64             `json:"id"`
	Customer string            `json:"customer"`
	Paid     bool              `json:"paid"`
	Tags     []string          `json:"tags,omitempty"`
	Items    []item            `json:"items,omitempty"`
	Extra    map[string]string `json:"extra,omitempty"`
	Note     *string           `json:"note,omitempty"`
}

type document struct {
	Name  string           `json:"name"`
	Order map[string]order `json:"orders"`
	Any   map[string]any   `json:"any"`
	Grid  [][]float64      `json:"grid"`
	Kids  []*document      `json:"kids,omitempty"`
}

// shape is a body as calls have them.
type shape struct {
	name string
	v    any
}

var shapes = []shape{
	{"text", "a text of a usual length, some fifty bytes, plain"},
	{"int", 123456789},
	{"ints10", ints(10)},
	{"ints1000", ints(1000)},
	{"strings", strings.Fields("some words as a list of names and tags has them all along")},
	{"struct100B", sampleOrder(1)},
	{"struct1000B", sampleOrder(16)},
	{"document", sampleDocument(2)},
	{"map", map[string]any{"id": 12345.0, "name": "a name", "tags": []any{"a", "b", "c"}, "ok": true, "nested": map[string]any{"x": 1.5, "y": nil}}},
	{"map of text", map[string]string{"id": "12345", "name": "a name", "trace": "4bf92f3577b34da6a3ce929d0e0e4736", "zone": "eu"}},
}

func ints(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i * 7919 % 100003
	}
	return list
}

func sampleOrder(items int) order {
	o := order{ID: 9876543210, Customer: "Jane Doe", Paid: true, Tags: []string{"new", "blue"}}
	for i := range items {
		o.Items = append(o.Items, item{SKU: fmt.Sprintf("sku-%06d", i), Count: i, Price: 9.99 + float64(i)})
	}
	return o
}

func sampleDocument(depth int) document {
	d := document{
		Name: "a document <&> with é", Order: map[string]order{"first": sampleOrder(2), "second": sampleOrder(1)},
		Any: map[string]any{"k": []any{1.0, "two", nil}}, Grid: [][]float64{{1.5, 2.25}, {0.1, 1e9}},
	}
	for range min(depth, 2) {
		kid := sampleDocument(depth - 1)
		d.Kids = append(d.Kids, &kid)
	}
	return d
}

func BenchmarkMarshal(b *testing.B) {
	for _, s := range shapes {
		for _, c := range candidates {
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Marshal(s.v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAppend is what a frame costs: the codec encodes into a buffer that is there, encoding/json hands out a slice.
func BenchmarkAppend(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name+"/codec", func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 64<<10)
			for b.Loop() {
				if _, err := (codec.JSONCodec{}).AppendMarshal(buf, s.v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for _, s := range shapes {
		data, err := json.Marshal(s.v)
		if err != nil {
			b.Fatal(err)
		}
		t := reflect.TypeOf(s.v)
		for _, c := range candidates {
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.Unmarshal(data, reflect.New(t).Interface()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
