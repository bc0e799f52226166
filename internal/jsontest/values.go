package jsontest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Value makes a fresh value to encode.
type Value struct {
	Name string
	New  func() any
}

// Values returns what is encoded, what no implementation can encode included.
func Values() []Value {
	var vs []Value
	add := func(name string, news ...func() any) {
		for i, f := range news {
			vs = append(vs, Value{Name: fmt.Sprintf("%s %d", name, i), New: f})
		}
	}
	each := func(name string, values ...any) {
		for _, v := range values {
			add(fmt.Sprintf("%s %T", name, v), func() any { return v })
		}
	}
	each("nil", nil, (*int)(nil), (*small)(nil), []int(nil), map[string]int(nil), []byte(nil), error(nil), (*onPointer)(nil),
		(*onValue)(nil), (*textPointer)(nil), (*textValue)(nil), json.RawMessage(nil), (*time.Time)(nil), (*big.Int)(nil), sliceMarshaler(nil),
		mapMarshaler(nil), (func())(nil), (chan int)(nil), []any{nil, (*int)(nil), error(nil)}, map[string]any{"a": nil})
	each("empty", "", []int{}, [0]int{}, map[string]int{}, []byte{}, struct{}{}, []any{}, json.RawMessage{}, []struct{}{{}, {}}, [][]int{{}, nil}, &struct{}{})
	each("scalar", true, false, 1, -1, int8(-128), uint8(255), int64(math.MinInt64), uint64(math.MaxUint64), uintptr(7), "text", 'x',
		namedString("<"), namedInt(3), namedFloat(1e21), namedBool(true), namedBytes("abc"), []namedByte{1, 2}, json.Number("1.50"))
	for _, f := range floats {
		each("float", f, float32(f), []float64{f}, map[string]float32{"f": float32(f)})
	}
	for _, s := range texts {
		each("text", s, []string{s}, map[string]string{s: s}, []byte(s), json.Number(s), json.RawMessage(s), Base{B: s}, textPointer{S: s}, &textPointer{S: s}, marshals{out: s},
			map[textString]int{textString(s): 1}, map[textValue]string{{s}: s}, url.Values{s: {s}})
	}
	each("numbers", []int{1, -2, 3}, [3]int{1, 2, 3}, []int64{math.MaxInt64}, [4]byte{1, 2, 3, 4}, []uint8{1, 2, 3}, []float32{1.1, 2.2}, []bool{true},
		map[int]string{1: "a", -5: "b", 10: "c", 2: "d"}, map[uint8]int{255: 1, 3: 2}, map[int64]any{math.MinInt64: 1}, map[namedInt]int{3: 4},
		numbers{I: 1, I8: -8, F32: 1.1, F64: 1e-7, S: "s", U64: math.MaxUint64}, &numbers{})
	each("maps", map[string]any{"b": 1, "a": []byte("x"), "é": nil, "B": map[string]any{"z": 1, "y": 2.5}, "": "empty"}, map[string]map[string]int{"x": {"b": 1, "a": 2}},
		map[bool]int{true: 1}, map[float64]int{1: 1}, map[any]any{"a": 1}, map[textInt]int{3: 1, 12: 2}, map[textValue]int{{"b"}: 1, {"a"}: 2},
		map[*textPointer]int{{"k"}: 1}, map[*textPointer]int{nil: 1}, map[textPointer]int{{"k"}: 1}, map[complex64]int{}, map[Base]int{}, map[chan int]int{nil: 1},
		map[string]func(){"f": nil}, map[textString]int{"b": 1, "a": 2}, map[[2]int]int{}, map[interface{ String() string }]int{time.Second: 1})
	each("struct", small{}, &small{ID: 1, Title: "é<&>\u2028", Price: 1.5, Tags: []string{"a"}, Extra: map[string]string{"z": "1", "a": "2"}, Next: &small{ID: 2}},
		containers{}, containers{Ints: []int{1}, Bytes: []byte("abc"), Named: namedBytes("x"), Any: small{}, Anys: []any{1, "a", nil, &small{}}, Maps: map[string]int{"b": 1, "a": 2}},
		named{B: []namedByte("ab"), M: map[namedString]namedInt{"b": 1, "a": 2}, MI: map[namedInt]namedBool{2: true, 10: false}}, wide{}, &wide{F50: &wide{}})
	each("embedded", embedValue{}, embedPointer{X: 1}, embedPointer{Base: &Base{A: 1}}, embedHidden{hidden{1, 2}, 3}, embedHiddenPointer{X: 1},
		embedHiddenPointer{hidden: &hidden{1, 2}}, embedTagged{Base{1, "b"}, hidden{1, 2}, 3}, embedDeep{embedHidden: &embedHidden{X: 4}}, embedDeep{},
		conflict{Left{"l", "o"}, Right{"r", 1}}, dominant{Left{"l", "o"}, RightTagged{"r", 1}}, shadow{Left{"l", "o"}, 3}, reflect.New(sameTag).Interface(),
		embedScalars{Text: "t", Num: 1}, embedInterface{}, embedInterface{Stringer: time.Second}, embedTime{Time: noon, X: 1}, &embedTime{Time: noon},
		loop{Z: 1}, loop{&loop{nil, 2}, 1})
	each("tags", tags{Skip: 1, Dash: 2, Space: 3, Unicode: 4, HTML: 5, Quote: 6, Slash: 7, Dots: 8, Odd: 9, Other: "o", private: 11}, tags{}, folded{}, folded{1, 2, "a", "b", "c", 3})
	n, empty := 0, ""
	each("omitempty", omitted{}, omitted{P: &n, A: 0, L: []int{}, M: map[string]int{}, R: json.RawMessage("1"), Num: "0", PV: &onPointer{}}, &omitted{A: (*int)(nil), T: noon, V: onValue{1}})
	each("omitzero", omitZero{}, &omitZero{}, omitZero{V: zeroValue{7}, PV: &zeroValue{7}, P: zeroPointer{7}, PP: &zeroPointer{7}, I: zeroValue{7}},
		&omitZero{V: zeroValue{7}, PV: &zeroValue{}, P: zeroPointer{7}, PP: &zeroPointer{7}, I: &zeroPointer{7}, A: 0, F: math.Copysign(0, -1), L: []int{}, M: map[string]int{}, B: []int{}},
		&omitZero{I: (*zeroPointer)(nil), A: (*int)(nil), T: time.Time{}.Local(), N: 1, S: Base{A: 1}, AR: [2]int{1}}, omitZero{I: (*zeroValue)(nil)})
	each("quoted", quoted{}, quoted{I: 1, U: 2, F: 1e21, B: true, S: "a\"<", P: &n, PS: &empty, N: "1.5", L: []int{1}, A: 1, M: onValue{1}, NI: 4, E: 5}, quoted{F: math.NaN()}, quoted{N: "x"}, &quoted{S: "\xff"})
	each("methods", methods{B: true}, &methods{I: onPointer{1}, M: onValue{2}, L: []onPointer{{1}}, LP: []*onPointer{nil, {2}}, PT: &textValue{"x"}, PTP: &textPointer{"y"}, MV: map[string]onPointer{"a": {3}}, BM: []byteMarshaler{1, 2}, BT: []byteText{1, 2}, SM: sliceMarshaler{1}, MM: mapMarshaler{"a": 1}},
		onValue{1}, &onValue{1}, onPointer{1}, &onPointer{1}, []onPointer{{1}}, &[1]onPointer{{1}}, [1]onPointer{{1}}, []any{onPointer{1}, &onPointer{2}, onValue{3}},
		map[string]onPointer{"a": {1}}, map[string]*onPointer{"a": {1}}, textValue{"a"}, &textValue{"a"}, []textPointer{{"a"}}, [1]textPointer{{"a"}}, textInt(5), textString("s"),
		errRefused, struct{ E error }{errRefused}, struct{ M json.Marshaler }{(*onPointer)(nil)}, struct{ M json.Marshaler }{}, byteText(3), []byteText{1}, []byteMarshaler{1}, boolMarshaler(true))
	for _, out := range rawOutputs {
		each("raw", marshals{out: out}, []any{marshals{out: out}}, json.RawMessage(out), map[string]json.RawMessage{"r": json.RawMessage(out)}, &struct{ R *json.RawMessage }{}, struct{ N json.Number }{json.Number(out)})
	}
	each("failing", marshals{"1", errRefused}, []any{1, marshals{"1", errRefused}}, map[textFails]int{{}: 1}, textFails{}, map[string]any{"a": textFails{}},
		panics{"text"}, panics{errRefused}, []any{panics{"deep"}}, panicsInText{"x"}, map[panicsInText]int{{"a"}: 1}, map[panicsInText]int{{"a"}: 1, {"b"}: 1})
	each("unsupported", make(chan int), func() {}, complex(1, 2), unsupported{}, complexField{}, []any{func() {}}, map[string]chan int{}, map[string]chan int{"a": nil}, unsafe.Pointer(nil), [0]func(){}, []func(){}, (*chan int)(nil))
	each("library", noon, &noon, []time.Time{noon}, map[string]time.Time{"t": noon}, time.Duration(5), time.Time{}, time.Unix(1e12, 0), noon.In(time.FixedZone("x", 3600*25)), noon.In(time.FixedZone("s", 90)), map[time.Time]int{noon: 1},
		big.NewInt(1<<62), *big.NewInt(5), big.NewFloat(1.5), *big.NewRat(1, 3), []*big.Int{nil, big.NewInt(1)}, url.URL{Host: "h<"}, &url.URL{Host: "h"}, *structpb.NewStringValue("s").ProtoReflect().Interface().(*structpb.Value).GetKind().(*structpb.Value_StringValue),
		structpb.NewStringValue("s"), timestamppb.New(noon), wrapperspb.String("w"), []proto.Message{wrapperspb.Int64(5)}, &descriptorpb.FieldDescriptorProto{Name: proto.String("n"), Number: proto.Int32(3)})
	each("generic", box[int]{V: 1}, box[any]{V: box[string]{V: "x"}, L: []any{1}}, box[onPointer]{L: []onPointer{{1}}}, &box[*tree]{M: map[string]*tree{"b": nil, "a": {N: 1}}})
	each("recursive", tree{}, tree{Left: &tree{N: 1}, Kids: []tree{{N: 2}, {}}, ByName: map[string]tree{"b": {}, "a": {N: 3}}}, ring{Name: "a", Next: &ring{Name: "b"}}, selfSlice{{}, {{}, nil}}, selfMap{"a": {"b": nil}})
	add("depth", deep(500, false), deep(2000, false), deep(9000, true))
	add("cycle", cycles...)
	add("interface", func() any { var a any = 1; return &a }, func() any { var e error; return &e }, func() any { var a any = &small{}; var b any = &a; return &b })
	return vs
}

// noon has a fraction and a zone.
var noon = time.Date(2024, 2, 29, 12, 30, 45, 123456789, time.FixedZone("", 7200))

var floats = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.1, 1.5, 100, 1e20, 1e21, 9.999999999999999e20, 123456789012345678901, 1e-6, 1e-7, 9.99e-7, 1e300, -1e-300, 5e-324,
	math.MaxFloat64, math.MaxFloat32, math.SmallestNonzeroFloat32, 1.0 / 3, 1e9, 1e10, -1e21, 3.0000001, math.NaN(), math.Inf(1), math.Inf(-1),
}

var texts = []string{
	"", "plain", "<script>&amp;</script>", "quote\"back\\slash/", "\b\f\n\r\t", "\x00\x01\x1e\x1f\x7f", "é世界😀", "\u2028\u2029", "\ufffd\ufeff",
	"\xff", "a\xffb\xfe", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "é\xe4\xb8", "1", "-0", "1e5", "01", "1.", "+1", "null", " 1 ", "true", "{}", "[1, 2 ]", "\"x\"", "{\"a\" : \"<\"}",
	"a text of more than sixteen and more than thirty-two bytes, plain", "a text of more than sixteen bytes with é and \" at the end <",
}

// rawOutputs are what a marshaler may say, valid or not.
var rawOutputs = []string{
	"", " ", "{", "}", "1 2", "nul", "null", " null ", "\t[ 1 ,\n2 ]\r\n", "\"<>&\u2028\"", "\"\xff\"", "\"\\ud800\"", "{\"b\":1,\"a\":2,\"b\":3}", "{\"a\": \"<\"}", "01", "NaN", "1e999", "\"\n\"", "[1,]", "{\"a\":1}x", "'a'", "-", "[[[[]]]]", "\x00", "1\x00", "\"unterminated", "{\"a\"}", "-0", "1.50E+2", "\"\\/\"", "\"a\\u0062\"",
}

var cycles = []func() any{
	func() any { r := &ring{Name: "a"}; r.Next = r; return r },
	func() any { r := &ring{Name: "a"}; r.Next = &ring{Name: "b", Next: r}; return r },
	func() any { r := &ring{Name: "a"}; r.Any = r; return r },
	func() any { s := selfSlice{nil}; s[0] = s; return s },
	func() any { m := selfMap{}; m["a"] = m; return m },
	func() any { a := []any{nil}; a[0] = a; return a },
	func() any { a := []any{nil}; a[0] = &a; return a },
	func() any { m := map[string]any{}; m["a"] = []any{m}; return m },
	func() any { t := &tree{}; t.Left, t.Right = t, &tree{}; return t },
	func() any { r := &ring{Name: "shared"}; return []*ring{r, r} },
	func() any { var p selfPointer; p = &p; return struct{ P selfPointer }{p} },
	func() any { var a any; a = &a; return a },
}

// deep nests pointers, or any holding slices.
func deep(n int, anys bool) func() any {
	return func() any {
		if anys {
			var v any = 1
			for range n {
				v = []any{v}
			}
			return v
		}
		r := &ring{}
		for range n {
			r = &ring{Next: r}
		}
		return r
	}
}
