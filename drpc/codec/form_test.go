package codec_test

import (
	"errors"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
)

type (
	formBase struct {
		Trace string `form:"trace"`
	}
	address struct {
		City string `form:"city"`
		Zip  *int   `form:"zip"`
	}
	person struct {
		formBase
		Name    string    `form:"name"`
		Age     uint8     `form:"age"`
		Score   []float64 `form:"score"`
		Pair    [2]int    `form:"pair"`
		Nick    *string   `form:"nick"`
		Raw     []byte    `form:"raw"`
		Born    time.Time `form:"born"`
		Home    address
		Work    *workplace
		Untaged bool
		Left    string `form:"-"`
		hidden  string
	}
	workplace struct {
		Company string `form:"company"`
	}
	node struct {
		Label string `form:"label"`
		Next  *node
	}
)

func samplePerson() *person {
	return &person{
		formBase: formBase{"t1"}, Name: "é 世界&=+", Age: 42, Score: []float64{3, 1, 2.5}, Pair: [2]int{9, 8},
		Nick: ptr("nick"), Raw: []byte("raw"), Born: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC),
		Home: address{City: "home", Zip: ptr(12345)}, Work: &workplace{"acme"}, Untaged: true,
	}
}

func TestFormOfAStruct(t *testing.T) {
	t.Parallel()
	in := samplePerson()
	in.Left, in.hidden = "left", "hidden"
	b, err := codec.Marshal(codec.FormId, in)
	const want = "Untaged=true&age=42&born=2001-02-03T04%3A05%3A06Z&city=home&company=acme" +
		"&name=%C3%A9+%E4%B8%96%E7%95%8C%26%3D%2B&nick=nick&pair=9&pair=8&raw=raw" +
		"&score=3&score=1&score=2.5&trace=t1&zip=12345"
	if err != nil || string(b) != want {
		t.Fatalf("Marshal = %s, %v\nwant %s", b, err, want)
	}
	out := new(person)
	if err := codec.Unmarshal(codec.FormId, b, out); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = '#' // the result must not live in the buffer
	}
	if !reflect.DeepEqual(out, samplePerson()) {
		t.Errorf("got  %+v\nwant %+v", out, samplePerson())
	}
}

func TestFormOfMaps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string
	}{
		{url.Values{"b": {"2", "1"}, "a": {""}}, "a=&b=2&b=1"},
		{map[string]string{"b": "2", "a": "&"}, "a=%26&b=2"},
		{map[string][]string{"a": {"x", "y"}}, "a=x&a=y"},
		{map[string]int{"a": -1}, "a=-1"},
		{map[myString][2]bool{"a": {true, false}}, "a=true&a=false"},
		{map[string]any{"a": "x", "b": []string{"y", "z"}}, "a=x&b=y&b=z"},
	} {
		b, err := codec.Marshal(codec.FormId, tt.in)
		if err != nil || string(b) != tt.want {
			t.Errorf("Marshal of %T = %s, %v, want %s", tt.in, b, err, tt.want)
		}
		out := reflect.New(reflect.TypeOf(tt.in))
		if err := codec.Unmarshal(codec.FormId, []byte(tt.want), out.Interface()); err != nil {
			t.Errorf("Unmarshal into %s: %v", out.Type(), err)
		} else if got := out.Elem().Interface(); !reflect.DeepEqual(got, tt.in) {
			t.Errorf("Unmarshal into %s = %v, want %v", out.Type(), got, tt.in)
		}
	}
}

func TestFormOfNothingIsEmpty(t *testing.T) {
	t.Parallel()
	for _, v := range []any{nil, (*person)(nil), url.Values(nil), struct{}{}, &struct{}{}, map[string]any{"nil": nil}, &node{}} {
		b, err := codec.Marshal(codec.FormId, v)
		if err != nil || strings.TrimPrefix(string(b), "label=") != "" {
			t.Errorf("Marshal of %T = %q, %v", v, b, err)
		}
	}
	out := samplePerson()
	if err := codec.Unmarshal(codec.FormId, nil, out); err != nil || !reflect.DeepEqual(out, samplePerson()) {
		t.Errorf("absent keys change the target to %+v, %v", out, err)
	}
	if err := codec.Unmarshal(codec.FormId, nil, new(struct{})); err != nil {
		t.Error(err)
	}
}

func TestFormReadsIntoPointersAndInterfaces(t *testing.T) {
	t.Parallel()
	const in = "name=n&age=&extra=1&city=c"
	var (
		viaPointer *person
		target     person
		viaAny     any = &target
		free       any
	)
	for _, v := range []any{&viaPointer, &viaAny, &free} {
		if err := codec.Unmarshal(codec.FormId, []byte(in), v); err != nil {
			t.Fatalf("Unmarshal into %T: %v", v, err)
		}
	}
	want := person{Name: "n", Home: address{City: "c"}}
	if !reflect.DeepEqual(*viaPointer, want) || !reflect.DeepEqual(target, want) {
		t.Errorf("got %+v and %+v, want %+v", *viaPointer, target, want)
	}
	if values, ok := free.(url.Values); !ok || values.Encode() != "age=&city=c&extra=1&name=n" {
		t.Errorf("an any becomes %#v", free)
	}
}

func TestFormBadTextIsATypedError(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		text string
		is   error
	}{
		"age=256":              {"form codec: age: uint8: value out of range", strconv.ErrRange},
		"age=x":                {"form codec: age: uint8: invalid syntax", strconv.ErrSyntax},
		"zip=1&zip=2&score=1,": {"form codec: score: float64: invalid syntax", strconv.ErrSyntax},
		"pair=1&pair=2&pair=3": {"form codec: pair: [2]int: too many values", nil},
	} {
		var value *codec.ValueError
		err := codec.Unmarshal(codec.FormId, []byte(in), new(person))
		if !errors.As(err, &value) || err.Error() != want.text || want.is != nil && !errors.Is(err, want.is) {
			t.Errorf("Unmarshal(%s): %v, want %s", in, err, want.text)
		}
	}
	var value *codec.ValueError
	if err := codec.Unmarshal(codec.FormId, []byte("born=today"), new(person)); !errors.As(err, &value) || value.Field != "born" {
		t.Errorf("bad text for an UnmarshalText: %v", err)
	}
	if err := codec.Unmarshal(codec.FormId, []byte("secret=x"), new(map[string]int)); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("bad text in a map: %v", err)
	}
	var escape url.EscapeError
	if err := codec.Unmarshal(codec.FormId, []byte("a=%zz"), new(person)); !errors.As(err, &escape) {
		t.Errorf("bad escape: %v", err)
	}
}

func TestFormShorterThanAnArrayClearsTheRest(t *testing.T) {
	t.Parallel()
	out := &person{Pair: [2]int{9, 8}}
	if err := codec.Unmarshal(codec.FormId, []byte("pair=1"), out); err != nil || out.Pair != [2]int{1, 0} {
		t.Errorf("Pair = %v, %v", out.Pair, err)
	}
}

func TestFormOfAStructInItself(t *testing.T) {
	t.Parallel()
	loop := &node{Label: "a"}
	loop.Next = loop
	var typed *codec.TypeError
	if b, err := codec.Marshal(codec.FormId, loop); !errors.As(err, &typed) {
		t.Errorf("Marshal of a loop = %s, %v", b, err)
	}
	out := new(node)
	if err := codec.Unmarshal(codec.FormId, []byte("label=a"), out); err != nil || out.Label != "a" || out.Next != nil {
		t.Errorf("Unmarshal = %+v, %v", out, err)
	}
}

func TestFormOtherTypesAreATypedError(t *testing.T) {
	t.Parallel()
	var endless loop
	endless = &endless
	for _, v := range []any{
		1, "a=b", []string{"a"}, map[int]string{1: "a"}, map[string]chan int{"a": nil}, struct{ F func() }{func() {}},
		map[string]any{"a": map[string]string{}}, struct{ S [][]int }{[][]int{{1}}}, endless,
	} {
		var typed *codec.TypeError
		if b, err := codec.Marshal(codec.FormId, v); !errors.As(err, &typed) || !strings.HasPrefix(err.Error(), "form codec: ") {
			t.Errorf("Marshal of %T = %s, %v", v, b, err)
		}
	}
	for _, v := range []any{
		nil, person{}, (*person)(nil), new(int), new(string), new([]string), new(map[int]string), new(map[string]chan int), new(loop),
		new(map[string]person), new(map[string]loop), new(map[string][]loop), new(struct{ A func() }), new(error), new(map[string]error),
	} {
		var typed *codec.TypeError
		if err := codec.Unmarshal(codec.FormId, []byte("A=b"), v); !errors.As(err, &typed) || !strings.HasPrefix(err.Error(), "form codec: ") {
			t.Errorf("Unmarshal into %T: %v", v, err)
		}
	}
}

// FuzzForm checks that no input harms and that what was read writes and reads
// back as the same.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "a=b", "name=n&age=1&score=1&score=2&pair=1&pair=2&pair=3&born=x", "&&=;", "%zz", "zip=&Untaged=T"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c codec.FormCodec
		for _, target := range []any{person{}, url.Values{}, map[string]string{}, map[string]any{}, map[string][2]int{}} {
			first, second := reflect.New(reflect.TypeOf(target)), reflect.New(reflect.TypeOf(target))
			if c.Unmarshal(data, first.Interface()) != nil {
				continue
			}
			b, err := c.Marshal(first.Interface())
			if err != nil {
				// RFC 3339 reads some times that it does not write.
				if value := (*codec.ValueError)(nil); errors.As(err, &value) && value.Field == "born" {
					continue
				}
				t.Fatalf("%q reads as %+v, which does not write: %v", data, first, err)
			}
			if err := c.Unmarshal(b, second.Interface()); err != nil {
				t.Fatalf("%q writes as %q, which does not read: %v", data, b, err)
			}
			// NaN is the value that differs from itself, so compare as text.
			if again, _ := c.Marshal(second.Interface()); string(again) != string(b) {
				t.Fatalf("%q writes as %q, then %q", data, b, again)
			}
		}
	})
}

func TestFormValuesWithATextOfTheirOwn(t *testing.T) {
	t.Parallel()
	type event struct {
		At   time.Time
		Also []*time.Time
	}
	day := time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC)
	// By value, so that no field has an address; and with a hole in the list.
	b, err := codec.Marshal(codec.FormId, event{At: day, Also: []*time.Time{nil, &day}})
	if want := "Also=2001-02-03T00%3A00%3A00Z&At=2001-02-03T00%3A00%3A00Z"; err != nil || string(b) != want {
		t.Errorf("Marshal = %s, %v, want %s", b, err, want)
	}
	var value *codec.ValueError
	b, err = codec.Marshal(codec.FormId, event{At: day.AddDate(10000, 0, 0)})
	if !errors.As(err, &value) || value.Field != "At" {
		t.Errorf("a time without a text: %s, %v", b, err)
	}
}
