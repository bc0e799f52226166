package jsontest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"
)

// Difference is one that [DiffRandom] found.
type Difference struct {
	Kind string // "marshal", "unmarshal" of valid input or "broken" of input that was cut or changed
	Text string // type and outcomes
}

// DiffRandom makes a Go type from seed, a value of it and inputs for it, and returns how i differs from encoding/json on
// them. The same seed makes the same.
func DiffRandom(i Impl, seed uint64) []Difference {
	leaves := plainLeaves
	if seed%2 == 0 {
		leaves = append(leaves[:len(leaves):len(leaves)], oddLeaves...)
	}
	g := generator{rand.New(rand.NewPCG(seed, 0)), leaves}
	t := g.typ(4)
	v := reflect.New(t)
	g.fill(v.Elem(), 5)
	var ds []Difference
	add := func(kind, d string) {
		if d != "" {
			ds = append(ds, Difference{kind, fmt.Sprintf("%v: %s", cut(t), d)})
		}
	}
	add("marshal", i.DiffMarshal(func() any { return v.Interface() }))
	add("marshal", i.DiffMarshal(func() any { return v.Elem().Interface() }))
	data, err := json.Marshal(v.Interface())
	if err != nil {
		return ds
	}
	blank := func() any { return reflect.New(t).Interface() }
	add("unmarshal", i.DiffUnmarshal(data, blank))
	add("unmarshal", i.DiffUnmarshal(data, func() any { return new(any) }))
	filled := func() any {
		again := generator{rand.New(rand.NewPCG(seed, 1)), leaves}
		p := reflect.New(t)
		again.fill(p.Elem(), 5)
		return p.Interface()
	}
	add("unmarshal", i.DiffUnmarshal(data, filled))
	for range 4 {
		broken := g.mutate(data)
		add("broken", i.DiffUnmarshal(broken, blank))
		add("broken", i.DiffUnmarshal(broken, filled))
	}
	return ds
}

// generator makes types, values and inputs at random.
type generator struct {
	*rand.Rand
	leaves []reflect.Type
}

// plainLeaves are types without methods and without rules of their own: half of the types made have no others.
var plainLeaves = []reflect.Type{
	reflect.TypeFor[int](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64](), reflect.TypeFor[uint16](),
	reflect.TypeFor[uint64](), reflect.TypeFor[float64](), reflect.TypeFor[float32](), reflect.TypeFor[bool](), reflect.TypeFor[string](),
	reflect.TypeFor[string](), reflect.TypeFor[any](), reflect.TypeFor[[]string](), reflect.TypeFor[[]int](), reflect.TypeFor[map[string]string](),
	reflect.TypeFor[map[string]any](), reflect.TypeFor[small](), reflect.TypeFor[namedString](), reflect.TypeFor[namedInt](),
	reflect.TypeFor[tree](), reflect.TypeFor[ring](), reflect.TypeFor[struct{}](), reflect.TypeFor[time.Duration](),
}

var oddLeaves = []reflect.Type{
	reflect.TypeFor[[]byte](), reflect.TypeFor[Base](), reflect.TypeFor[onPointer](), reflect.TypeFor[textPointer](), reflect.TypeFor[textInt](),
	reflect.TypeFor[json.Number](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[time.Time](), reflect.TypeFor[big.Int](),
	reflect.TypeFor[embedPointer](), reflect.TypeFor[embedDeep](), reflect.TypeFor[omitZero](), reflect.TypeFor[quoted](),
}

var mapKeys = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[namedString](),
	reflect.TypeFor[textInt](),
}

var tagWords = []string{"", "", "", "", "", "", "", "a", "b", "a-b", "-", "long_name_of_a_field", "Key", "A", "key", "é", "<"}

// plainWords is how many tagWords rarely meet another in other letters.
const plainWords = 13

var tagOptions = []string{"", "", "", "", ",omitempty", ",omitzero", ",omitempty,omitzero"}

var oddOptions = []string{"", "", ",string", ",omitempty,string", ",unknown"}

func (g generator) typ(depth int) reflect.Type {
	if depth == 0 {
		return g.leaves[g.IntN(len(g.leaves))]
	}
	switch g.IntN(10) {
	case 0:
		return reflect.PointerTo(g.typ(depth - 1))
	case 1:
		return reflect.SliceOf(g.typ(depth - 1))
	case 2:
		return reflect.MapOf(mapKeys[g.IntN(len(mapKeys))], g.typ(depth-1))
	case 3:
		return reflect.ArrayOf(g.IntN(3), g.typ(depth-1))
	case 4:
		return g.leaves[g.IntN(len(g.leaves))]
	}
	var fs []reflect.StructField
	for k := range 1 + g.IntN(6) {
		f := reflect.StructField{Name: string(rune('F'+k)) + strings.Repeat("x", g.IntN(3)), Type: g.typ(depth - 1)}
		words, options := tagWords[:plainWords], tagOptions
		if len(g.leaves) > len(plainLeaves) {
			words, options = tagWords, append(options[:len(options):len(options)], oddOptions...)
		}
		if tag := words[g.IntN(len(words))] + options[g.IntN(len(options))]; tag != "" {
			f.Tag = reflect.StructTag(`json:"` + tag + `"`)
		}
		fs = append(fs, f)
	}
	return reflect.StructOf(fs)
}

// fill sets v, mostly; the zero value stays in a few places.
func (g generator) fill(v reflect.Value, depth int) {
	if !v.CanSet() || g.IntN(8) == 0 {
		return
	}
	switch t := v.Type(); t {
	case reflect.TypeFor[json.Number]():
		v.SetString([]string{"1", "-0", "1.50", "1e5", "", "123456789012345678901234567890"}[g.IntN(6)])
		return
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte([]string{"1", `{"a" : [1, "<"]}`, "null", `"x"`}[g.IntN(4)]))
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(noon.Add(time.Duration(g.Int64()))))
		return
	case reflect.TypeFor[big.Int]():
		v.Set(reflect.ValueOf(big.NewInt(g.Int64())).Elem())
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.Uint64() >> g.IntN(64)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(g.Uint64() >> g.IntN(64))
	case reflect.Float32, reflect.Float64:
		f := []float64{floats[g.IntN(len(floats)-3)], math.Float64frombits(g.Uint64()), g.NormFloat64(), float64(g.IntN(1000))}[g.IntN(4)]
		if f != f || math.IsInf(float64(float32(f)), 0) {
			f = 1.5
		}
		v.SetFloat(f)
	case reflect.String:
		v.SetString(texts[g.IntN(len(texts))])
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf([]any{1.5, "x", true, []any{1.0, nil}, map[string]any{"k": "v"}, &Base{A: 1}, 5, &onPointer{V: 1}}[g.IntN(8)]))
		}
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		n := g.IntN(4)
		if depth <= 0 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n+g.IntN(2)))
		for k := range n {
			g.fill(v.Index(k), depth-1)
		}
	case reflect.Array:
		for k := range v.Len() {
			g.fill(v.Index(k), depth-1)
		}
	case reflect.Map:
		g.fillMap(v, depth)
	case reflect.Struct:
		for k := range v.NumField() {
			g.fill(v.Field(k), depth-1)
		}
	}
}

func (g generator) fillMap(v reflect.Value, depth int) {
	v.Set(reflect.MakeMap(v.Type()))
	if depth <= 0 {
		return
	}
	for range g.IntN(4) {
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		g.fill(key, 1)
		g.fill(elem, depth-1)
		v.SetMapIndex(key, elem)
	}
}

var pieces = []string{"null", "1", "-1", "1.5", `"x"`, `""`, "[", "]", "{", "}", ",", ":", `"`, `\`, " ", "true", "[]", "{}", "1e999", "99999999999999999999", "\xff", `\ud800`, `"a":`}

// mutate changes data in a few places: pieces are put in, taken out, exchanged or cut off.
func (g generator) mutate(data []byte) []byte {
	out := append([]byte(nil), data...)
	for range 1 + g.IntN(2) {
		if len(out) == 0 {
			return out
		}
		at := g.IntN(len(out))
		piece := pieces[g.IntN(len(pieces))]
		switch g.IntN(5) {
		case 0:
			out = out[:at]
		case 1:
			out = append(out[:at], out[min(at+1+g.IntN(3), len(out)):]...)
		case 2:
			out = append(out[:at:at], append([]byte(piece), out[at:]...)...)
		case 3:
			out = append(out[:at:at], append([]byte(piece), out[at+1:]...)...)
		case 4:
			out[at] = pieces[g.IntN(len(pieces))][0]
		}
	}
	return out
}
