package codec

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

type planned struct {
	ID     int64 `json:"id,omitempty"`
	Name   string
	Live   *bool `json:"live"`
	Tags   []string
	Grid   [][]float32
	Kids   []*planned
	ByName map[string]planned
	Any    any
	Rest   map[string]any `json:"rest,omitzero"`
	Skip   chan int       `json:"-"`
	_      time.Time      // not exported, so it has no key
}

type own struct{}

func (*own) UnmarshalText([]byte) error { return nil }

// TestPlainTypesHaveAPlan holds the short way open: without it every test of outcomes would pass, too.
func TestPlainTypesHaveAPlan(t *testing.T) {
	t.Parallel()
	for typ, want := range map[reflect.Type]bool{
		reflect.TypeFor[planned]():               true,
		reflect.TypeFor[*planned]():              true,
		reflect.TypeFor[[]planned]():             true,
		reflect.TypeFor[map[string]*planned]():   true,
		reflect.TypeFor[time.Duration]():         true,
		reflect.TypeFor[struct{ A, B uint8 }]():  true,
		reflect.TypeFor[struct{}]():              true,
		reflect.TypeFor[time.Time]():             false,
		reflect.TypeFor[struct{ T time.Time }](): false,
		reflect.TypeFor[own]():                   false,
		reflect.TypeFor[map[own]int]():           false,
		reflect.TypeFor[json.Number]():           false,
		reflect.TypeFor[json.RawMessage]():       false,
		reflect.TypeFor[[]byte]():                false,
		reflect.TypeFor[[2]int]():                false,
		reflect.TypeFor[**int]():                 false,
		reflect.TypeFor[map[int]string]():        false,
		reflect.TypeFor[error]():                 false,
		reflect.TypeFor[struct{ planned }]():     false,
		reflect.TypeFor[struct{ F func() }]():    false,
		reflect.TypeFor[struct {
			A int `json:"a,string"`
		}](): false,
		reflect.TypeFor[struct {
			A int `json:"é"`
		}](): false,
	} {
		if got := jsonPlanOf(typ).read != nil; got != want {
			t.Errorf("%v is plain: %v, want %v", typ, got, want)
		}
	}
}

func TestPlainInputTakesTheShortWay(t *testing.T) {
	t.Parallel()
	live := true
	in := planned{
		ID: -5, Name: "é <\n\"\u2028\\", Live: &live, Tags: []string{"a"}, Grid: [][]float32{{1.5, 2}, nil, {}}, Kids: []*planned{nil, {ID: 1}},
		ByName: map[string]planned{"a": {Any: "x"}}, Any: []any{1.0, nil}, Rest: map[string]any{"k": true},
	}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out planned
	if !readPlainJSON(data, &out) || !reflect.DeepEqual(in, out) {
		t.Errorf("read %+v of %s", out, data)
	}
	for _, odd := range []string{
		`{"ID":1}`, `{"id":1,"id":2}`, `{"id":1e2}`, `{"id":9223372036854775807}`, `{"Name":"\ud83d\ude00"}`, `{"Name":"\u+123"}`, `{"Name":"\u12"}`, `{"Name":"\`, `{"Name":"\x"}`, `{"Name":"` + "\xff" + `"}`, `{"more":1}`,
		`{"id":1`, `{"id":1}x`, `{"id":"1"}`, `{"id":1,}`, `{"Tags":[,]}`, `{"Grid":[[1e39]]}`, `{"Kids":[{"id":01}]}`, ``, `[`,
	} {
		var out planned
		if readPlainJSON([]byte(odd), &out) {
			t.Errorf("%s took the short way", odd)
		}
		if !reflect.DeepEqual(out, planned{}) {
			t.Errorf("%s left %+v", odd, out)
		}
	}
	filled := planned{ID: 1}
	if readPlainJSON([]byte(`{"Name":"x"}`), &filled) {
		t.Error("a filled target took the short way")
	}
}
