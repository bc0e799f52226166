package jsontest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"time"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Target makes a fresh value to decode into.
type Target struct {
	Name string
	New  func() any
}

// Targets returns what every input is decoded into: pointers to zero values, pointers to values that are filled
// already, and what is no pointer at all.
func Targets() []Target {
	ts := []Target{
		zero[any](), zero[string](), zero[bool](), zero[int](), zero[int8](), zero[int64](), zero[uint8](), zero[uint64](),
		zero[uintptr](), zero[float32](), zero[float64](), zero[[]byte](), zero[[]int](), zero[[]int8](), zero[[]int64](),
		zero[[]uint64](), zero[[]float64](), zero[[]float32](), zero[[]string](), zero[[]bool](), zero[[]any](), zero[[][]int](),
		zero[[3]int](), zero[[0]int](), zero[[4]byte](), zero[[2]string](), zero[map[string]any](), zero[map[string]string](),
		zero[map[string]int](), zero[map[string][]int](), zero[map[string]map[string]any](), zero[map[int]string](),
		zero[map[int8]any](), zero[map[uint64]int](), zero[map[bool]int](), zero[map[float64]int](), zero[map[any]any](),
		zero[map[textInt]int](), zero[map[textString]int](), zero[map[textPointer]int](), zero[map[namedString]*int](),
		zero[*int](), zero[**string](), zero[*[]int](), zero[*any](), zero[*map[string]int](), zero[url.Values](),
		zero[small](), zero[*small](), zero[[]small](), zero[[]*small](), zero[map[string]small](), zero[map[string]*small](),
		zero[numbers](), zero[containers](), zero[named](), zero[struct{}](), zero[[]struct{}](),
		zero[embedValue](), zero[embedPointer](), zero[embedHidden](), zero[embedHiddenPointer](), zero[embedTagged](),
		zero[embedDeep](), zero[conflict](), zero[dominant](), zero[shadow](), zero[embedScalars](),
		zero[embedInterface](), zero[embedTime](), zero[loop](), zero[tags](), zero[folded](), zero[omitted](), zero[omitZero](),
		zero[quoted](), zero[methods](), zero[readable](), zero[onPointer](), zero[*onPointer](), zero[textPointer](),
		zero[*textPointer](), zero[[]textPointer](), zero[textInt](), zero[box[int]](), zero[box[any]](), zero[box[box[string]]](),
		zero[box[onPointer]](), zero[tree](), zero[ring](), zero[selfSlice](), zero[selfMap](), zero[unsupported](),
		zero[complexField](), zero[chan int](), zero[func()](), zero[complex64](), zero[wide](), zero[panicsReading](), zero[fmt.Stringer](), zero[error](),
		zero[json.RawMessage](), zero[*json.RawMessage](), zero[[]json.RawMessage](), zero[map[string]json.RawMessage](),
		zero[json.Number](), zero[[]json.Number](), zero[map[string]json.Number](), zero[time.Time](), zero[*time.Time](),
		zero[[]time.Time](), zero[time.Duration](), zero[big.Int](), zero[*big.Int](), zero[big.Float](), zero[big.Rat](),
		zero[structpb.Value](), zero[timestamppb.Timestamp](), zero[wrapperspb.StringValue](), zero[*wrapperspb.Int64Value](),
		zero[descriptorpb.FieldDescriptorProto](),
	}
	return append(ts, filledTargets()...)
}

func zero[T any]() Target {
	return Target{Name: fmt.Sprintf("new(%v)", typeName[T]()), New: func() any { return new(T) }}
}

func filled[T any](what string, v func() T) Target {
	return Target{Name: what, New: func() any { p := v(); return &p }}
}

func typeName[T any]() string { return fmt.Sprintf("%T", new(T))[1:] }

// aliased shows whether decoding wrote into the arrays that were there.
type aliased struct {
	Ints  []int
	Whole []int
}

func filledTargets() []Target {
	five := func() *int { n := 5; return &n }
	text := func() *string { s := "old"; return &s }
	return []Target{
		filled("any of int", func() any { return 5 }),
		filled("any of nil pointer", func() any { return (*int)(nil) }),
		filled("any of pointer", func() any { return five() }),
		filled("any of pointer to string", func() any { return text() }),
		filled("any of struct pointer", func() any { return &small{ID: 1, Tags: []string{"x", "y"}, Extra: map[string]string{"o": "p"}} }),
		filled("any of struct", func() any { return small{ID: 1} }),
		filled("any of slice", func() any { return []int{1, 2, 3} }),
		filled("any of slice pointer", func() any { return &[]int{9, 8, 7} }),
		filled("any of map", func() any { return map[string]any{"old": 1} }),
		filled("any of map pointer", func() any { return &map[string]any{"old": 1} }),
		filled("any of unmarshaler", func() any { return &onPointer{V: 3} }),
		filled("any of pointer to any", func() any { var a any = "inner"; return &a }),
		filled("interface of unmarshaler", func() json.Unmarshaler { return &onPointer{V: 3} }),
		filled("interface of error", func() error { return errRefused }),
		filled("string", func() string { return "old" }),
		filled("int", func() int { return 5 }),
		filled("float", func() float64 { return 5.5 }),
		filled("bool", func() bool { return true }),
		filled("pointer", five),
		filled("pointer to pointer", func() **int { p := five(); return &p }),
		filled("ints", func() []int { return []int{9, 8, 7, 6} }),
		filled("ints with room", func() []int { return []int{9, 8, 7, 6}[:1] }),
		filled("empty ints", func() []int { return []int{} }),
		filled("aliased", func() aliased { a := []int{9, 8, 7, 6}; return aliased{Ints: a[:2], Whole: a} }),
		filled("bytes", func() []byte { return []byte("old bytes") }),
		filled("strings", func() []string { return []string{"x", "y", "z"} }),
		filled("anys", func() []any { return []any{1, five(), &small{ID: 3}, map[string]any{"o": 1}} }),
		filled("structs", func() []small { return []small{{ID: 1, Title: "one", Live: true}, {ID: 2, Tags: []string{"q"}}} }),
		filled("structs with room", func() []small {
			return []small{{ID: 1, Title: "one"}, {ID: 2, Title: "two", Tags: []string{"q"}, Next: &small{ID: 3}}}[:0]
		}),
		filled("pointers to structs", func() []*small { return []*small{{ID: 1, Title: "one"}, nil, {ID: 2}} }),
		filled("array", func() [3]int { return [3]int{7, 8, 9} }),
		filled("array of structs", func() [2]Base { return [2]Base{{A: 1, B: "x"}, {A: 2, B: "y"}} }),
		filled("map", func() map[string]int { return map[string]int{"a": 9, "old": 1} }),
		filled("map of any", func() map[string]any { return map[string]any{"a": map[string]any{"z": 1}, "old": five()} }),
		filled("map of strings", func() map[string]string { return map[string]string{"a": "9", "old": "1"} }),
		filled("map of structs", func() map[string]small { return map[string]small{"a": {ID: 5, Title: "keep?"}} }),
		filled("map of pointers", func() map[string]*Base { return map[string]*Base{"a": {A: 5, B: "keep?"}} }),
		filled("map of slices", func() map[string][]int { return map[string][]int{"a": {1, 2, 3}} }),
		filled("map by int", func() map[int]string { return map[int]string{1: "old", 9: "keep"} }),
		filled("struct", func() small {
			return small{
				ID: 9, Title: "old", Price: 9, Tags: []string{"o", "p", "q"}, Extra: map[string]string{"o": "p"}, Live: true,
				Next: &small{ID: 8, Title: "next", Next: &small{ID: 7}},
			}
		}),
		filled("containers", func() containers {
			t := text()
			return containers{
				Ints: []int{9, 8, 7}, Bytes: []byte("old"), Array: [3]int{7, 8, 9}, Octets: [4]byte{1, 2, 3, 4}, Maps: map[string]int{"o": 1},
				Deep: map[string]map[string][]int{"x": {"o": {1}}}, Any: five(), Anys: []any{five(), text()}, Ptr: five(), PtrPtr: &t,
				Slices: [][]string{{"o"}}, PtrMap: &map[string]*int{"z": five()}, IntMap: map[int]string{1: "o"}, BoolArr: [2]bool{true, true},
			}
		}),
		filled("embedded pointer", func() embedPointer { return embedPointer{Base: &Base{A: 1, B: "old"}, X: 2} }),
		filled("embedded hidden pointer", func() embedHiddenPointer { return embedHiddenPointer{hidden: &hidden{C: 1, d: 2}} }),
		filled("quoted", func() quoted { return quoted{I: 9, S: "old", P: five(), PS: text(), N: "9", B: true} }),
		filled("readable", func() readable {
			return readable{
				P: onPointer{V: 1}, PP: &onPointer{V: 2}, T: textPointer{S: "old"}, TP: &textPointer{S: "old"}, L: []onPointer{{V: 9}},
				M: map[string]onPointer{"a": {V: 9}}, MP: map[string]*textPointer{"b": {S: "old"}}, R: json.RawMessage("old bytes, longer"),
				RP: &json.RawMessage{'1'}, N: "5", Bi: big.NewInt(5), D: 9,
			}
		}),
		filled("raw", func() json.RawMessage { return json.RawMessage("old bytes") }),
		filled("ring", func() ring { r := ring{Name: "a"}; r.Next = &ring{Name: "b"}; return r }),
		{"same tags", func() any { return reflect.New(sameTag).Interface() }},
		{"no target", func() any { return nil }},
		{"nil pointer", func() any { return (*small)(nil) }},
		{"nil pointer to any", func() any { return (*any)(nil) }},
		{"no pointer", func() any { return small{} }},
		{"map itself", func() any { return map[string]int{"o": 1} }},
		{"slice itself", func() any { return []int{1, 2} }},
		{"cyclic any", func() any { var a any; a = &a; return a }},
	}
}
