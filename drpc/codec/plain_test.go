package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
)

type (
	myString string
	myBytes  []byte
	myBool   bool
	myInt    int16
	myUint   uint32
	myFloat  float32
	loop     *loop // a pointer type that never ends
)

func ptr[T any](v T) *T { return &v }

func TestPlainText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		v    any
		want string
	}{
		"string":       {"a\"b\x00é 世", "a\"b\x00é 世"},
		"empty string": {"", ""},
		"bytes":        {[]byte{0, 255, 'x'}, "\x00\xffx"},
		"bool":         {true, "true"},
		"false":        {false, "false"},
		"int":          {-42, "-42"},
		"int8":         {int8(-128), "-128"},
		"int16":        {int16(32767), "32767"},
		"int32":        {int32(math.MinInt32), "-2147483648"},
		"int64":        {int64(math.MinInt64), "-9223372036854775808"},
		"uint":         {uint(7), "7"},
		"uint8":        {uint8(255), "255"},
		"uint16":       {uint16(65535), "65535"},
		"uint32":       {uint32(math.MaxUint32), "4294967295"},
		"uint64":       {uint64(math.MaxUint64), "18446744073709551615"},
		"float32":      {float32(0.1), "0.1"},
		"float64":      {0.1, "0.1"},
		"large float":  {1e22, "10000000000000000000000"},
		"infinity":     {math.Inf(-1), "-Inf"},
		"named string": {myString("s"), "s"},
		"named bytes":  {myBytes("b"), "b"},
		"raw json":     {json.RawMessage(`{}`), "{}"},
		"named bool":   {myBool(true), "true"},
		"named int":    {myInt(-5), "-5"},
		"named uint":   {myUint(5), "5"},
		"named float":  {myFloat(2.5), "2.5"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The value, a pointer to it and a pointer to that write the same.
			p := reflect.New(reflect.TypeOf(tt.v))
			p.Elem().Set(reflect.ValueOf(tt.v))
			pp := reflect.New(p.Type())
			pp.Elem().Set(p)
			for _, v := range []any{tt.v, p.Interface(), pp.Interface()} {
				b, err := codec.Marshal(codec.PlainId, v)
				if err != nil || string(b) != tt.want {
					t.Errorf("Marshal of %T = %q, %v, want %q", v, b, err, tt.want)
				}
			}
			// And it reads back through either pointer.
			out := reflect.New(reflect.TypeOf(tt.v))
			viaPointer := reflect.New(out.Type())
			for _, target := range []reflect.Value{out, viaPointer} {
				if err := codec.Unmarshal(codec.PlainId, []byte(tt.want), target.Interface()); err != nil {
					t.Fatalf("Unmarshal into %s: %v", target.Type(), err)
				}
			}
			for _, got := range []any{out.Elem().Interface(), viaPointer.Elem().Elem().Interface()} {
				if !reflect.DeepEqual(got, tt.v) {
					t.Errorf("reads back as %#v, want %#v", got, tt.v)
				}
			}
		})
	}
}

func TestPlainNilIsNothing(t *testing.T) {
	t.Parallel()
	var none *int
	for _, v := range []any{nil, none, &none, (*string)(nil), (*[]byte)(nil), []byte(nil)} {
		if b, err := codec.Marshal(codec.PlainId, v); err != nil || len(b) != 0 {
			t.Errorf("Marshal of nil %T = %q, %v", v, b, err)
		}
	}
}

func TestPlainNothingIsTheZeroValue(t *testing.T) {
	t.Parallel()
	for _, v := range []any{ptr("old"), ptr(myString("old")), ptr(7), ptr(uint8(7)), ptr(1.5), ptr(true), ptr(myInt(7))} {
		if err := codec.Unmarshal(codec.PlainId, nil, v); err != nil || !reflect.ValueOf(v).Elem().IsZero() {
			t.Errorf("Unmarshal of nothing into %T: %v, %v", v, reflect.ValueOf(v).Elem(), err)
		}
	}
	for _, v := range []any{ptr([]byte("old")), ptr(myBytes("old"))} {
		if err := codec.Unmarshal(codec.PlainId, nil, v); err != nil || reflect.ValueOf(v).Elem().Len() != 0 {
			t.Errorf("Unmarshal of nothing into %T: %v, %v", v, reflect.ValueOf(v).Elem(), err)
		}
	}
}

func TestPlainBadTextIsATypedErrorThatChangesNothing(t *testing.T) {
	t.Parallel()
	old := ptr(3)
	tests := []struct {
		in   string
		v    any
		want error
	}{
		{"128", ptr(int8(3)), strconv.ErrRange},
		{"-129", ptr(int8(3)), strconv.ErrRange},
		{"256", ptr(uint8(3)), strconv.ErrRange},
		{"32768", ptr(myInt(3)), strconv.ErrRange},
		{"9223372036854775808", ptr(int64(3)), strconv.ErrRange},
		{"18446744073709551616", ptr(uint64(3)), strconv.ErrRange},
		{"1e39", ptr(float32(3)), strconv.ErrRange},
		{"1e999", ptr(float64(3)), strconv.ErrRange},
		{"-1", ptr(uint(3)), strconv.ErrSyntax},
		{"1.0", ptr(3), strconv.ErrSyntax},
		{" 1", ptr(3), strconv.ErrSyntax},
		{"0x10", ptr(3), strconv.ErrSyntax},
		{"x", &old, strconv.ErrSyntax},
		{"yes", ptr(true), strconv.ErrSyntax},
		{"NaN?", ptr(1.5), strconv.ErrSyntax},
	}
	for _, tt := range tests {
		before := reflect.ValueOf(tt.v).Elem().Interface()
		err := codec.Unmarshal(codec.PlainId, []byte(tt.in), tt.v)
		var value *codec.ValueError
		if !errors.Is(err, tt.want) || !errors.As(err, &value) || value.Type.Kind() == reflect.Pointer {
			t.Errorf("%q into %T: %v, want %v", tt.in, tt.v, err, tt.want)
		}
		if after := reflect.ValueOf(tt.v).Elem().Interface(); after != before {
			t.Errorf("%q into %T: changed to %v", tt.in, tt.v, after)
		}
	}
}

func TestPlainErrorDoesNotRepeatTheText(t *testing.T) {
	t.Parallel()
	err := codec.Unmarshal(codec.PlainId, bytes.Repeat([]byte("secret"), 1000), new(int))
	if err == nil || err.Error() != "plain codec: int: invalid syntax" {
		t.Errorf("error %.100v", err)
	}
}

func TestPlainOtherTypesAreATypedError(t *testing.T) {
	t.Parallel()
	var endless loop
	endless = &endless
	for _, v := range []any{struct{}{}, []int{1}, map[string]int{}, uintptr(1), complex(1, 1), &struct{}{}, endless, ptr(any("x"))} {
		var typed *codec.TypeError
		b, err := codec.Marshal(codec.PlainId, v)
		if !errors.As(err, &typed) || b != nil || !strings.HasPrefix(err.Error(), "plain codec: unsupported type ") {
			t.Errorf("Marshal of %T = %q, %v", v, b, err)
		}
	}
	var noInt *int
	for _, v := range []any{
		nil, 5, "s", noInt, (*string)(nil), (*[]byte)(nil), new(struct{}), new([]int), new(uintptr), new(any), new(loop), ptr(ptr(ptr(1))),
	} {
		for _, text := range []string{"", "1"} {
			var typed *codec.TypeError
			if err := codec.Unmarshal(codec.PlainId, []byte(text), v); !errors.As(err, &typed) {
				t.Errorf("Unmarshal of %q into %T: %v", text, v, err)
			}
		}
	}
}

func TestPlainKeepsNoReference(t *testing.T) {
	t.Parallel()
	own := []byte("own")
	s, b, n := "", own, myBytes(nil)
	for _, v := range []any{&s, &b, &n} {
		data := []byte("text")
		if err := codec.Unmarshal(codec.PlainId, data, v); err != nil {
			t.Fatal(err)
		}
		copy(data, "####")
	}
	if s != "text" || string(b) != "text" || string(n) != "text" {
		t.Errorf("the results changed with the buffer: %q %q %q", s, b, n)
	}
	if string(own) != "own" {
		t.Errorf("the old bytes of the target were overwritten: %q", own)
	}
	out, err := codec.Marshal(codec.PlainId, own)
	if err != nil {
		t.Fatal(err)
	}
	if own[0] = '#'; string(out) != "own" {
		t.Errorf("Marshal returned the caller's own bytes: %q", out)
	}
}

// FuzzPlain checks for every kind of target that text that is understood writes
// and reads back as the same value.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "255", "1e10", "NaN", "-Inf", "0x1p-2", "true", "T", "\xff", "18446744073709551616", "1_0"} {
		f.Add([]byte(s))
	}
	targets := []any{"", []byte{}, true, 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0), float32(0), 0.0, myInt(0)}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c codec.PlainCodec
		for _, target := range targets {
			first, second := reflect.New(reflect.TypeOf(target)), reflect.New(reflect.TypeOf(target))
			if c.Unmarshal(data, first.Interface()) != nil {
				continue
			}
			b, err := c.Marshal(first.Interface())
			if err != nil {
				t.Fatalf("%q is a %T that does not write: %v", data, target, err)
			}
			if err := c.Unmarshal(b, second.Interface()); err != nil {
				t.Fatalf("%q is a %T that writes as %q: %v", data, target, b, err)
			}
			// NaN is the value that differs from itself, so compare as text.
			if again, _ := c.Marshal(second.Interface()); !bytes.Equal(again, b) {
				t.Fatalf("%q as %T writes as %q, then %q", data, target, b, again)
			}
		}
	})
}

func BenchmarkPlain(b *testing.B) {
	var c codec.PlainCodec
	for name, v := range map[string]any{"string": "some text", "int": 123456, "float": 1.25} {
		b.Run("Append/"+name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 64)
			for b.Loop() {
				if _, err := codec.Append(buf, c, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Unmarshal/int", func(b *testing.B) {
		b.ReportAllocs()
		var (
			n    int
			data = []byte("123456")
		)
		for b.Loop() {
			if err := c.Unmarshal(data, &n); err != nil {
				b.Fatal(err)
			}
		}
	})
}
