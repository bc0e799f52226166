package codec

import (
	"encoding"
	"errors"
	"fmt"
	"net/url"
	"reflect"
)

// Id and name of [FormCodec].
const (
	FormId   = 'f'
	FormName = "form"
)

// FormCodec writes a body as application/x-www-form-urlencoded, keys sorted.
//
// A body is a struct, a map with string keys (url.Values, map[string]string and
// so on) or a pointer to one. The key of a struct field is its `form` tag, or
// its name if it has none; "-" leaves it out, as unexported fields always are.
// Fields of a struct inside a struct, embedded or not, count as fields of the
// outer one.
//
// A value is what [PlainCodec] takes, or what implements
// encoding.TextMarshaler, in reading encoding.TextUnmarshaler. Slices and arrays
// of values are repeated keys, in order. Nil values are left out. In reading,
// the first of repeated keys counts for a single value, unknown keys are
// ignored, and absent keys leave what is there; a nil *any takes url.Values.
//
// Types that do not fit are a [*TypeError], text that does not fit a
// [*ValueError] with the field; data that is no form is the error of package
// net/url. After an error the target may be partly set.
type FormCodec struct{}

// ID returns [FormId].
func (FormCodec) ID() byte { return FormId }

// Name returns [FormName].
func (FormCodec) Name() string { return FormName }

// Marshal returns the form that v makes; nil and nil pointers make an empty one.
func (FormCodec) Marshal(v any) ([]byte, error) {
	w := formWriter{values: url.Values{}}
	if err := w.body(reflect.ValueOf(v)); err != nil {
		return nil, err
	}
	return []byte(w.values.Encode()), nil
}

// Unmarshal reads the form in data into the struct or map that v points to.
func (FormCodec) Unmarshal(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return notForm(reflect.TypeOf(v), "a pointer that is not nil")
	}
	values, err := url.ParseQuery(string(data))
	if err != nil {
		return fmt.Errorf("form codec: %w", err)
	}
	r := formReader{values: values}
	return r.body(p.Elem())
}

const (
	formBodies = "a struct, a map with string keys or a pointer to one"
	formValues = "a string, []byte, bool, number, encoding.TextMarshaler, or a slice or array of those"
)

// maxFormPointers bounds pointers to pointers: a pointer type may point to itself.
const maxFormPointers = 4

// errTooManyValues says that an array has no room for all values of its key.
var errTooManyValues = errors.New("too many values")

var (
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func notForm(t reflect.Type, want string) error {
	return &TypeError{Codec: FormName, Type: t, Want: want}
}

// formKey returns the key of a struct field, ok false if the field is left out.
func formKey(f reflect.StructField) (key string, ok bool) {
	if !f.IsExported() && !f.Anonymous {
		return "", false
	}
	switch tag := f.Tag.Get("form"); tag {
	case "-":
		return "", false
	case "":
		return f.Name, f.IsExported() || isFormStruct(f.Type)
	default:
		return tag, f.IsExported() || isFormStruct(f.Type)
	}
}

// isFormStruct reports whether t is a struct whose fields count as those of the
// struct around it, rather than one with a text of its own like time.Time.
func isFormStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !t.Implements(textMarshaler) && !reflect.PointerTo(t).Implements(textUnmarshaler)
}
