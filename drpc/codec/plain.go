package codec

import (
	"reflect"
	"slices"
)

// Id and name of [PlainCodec].
const (
	PlainId   = 's'
	PlainName = "plain"
)

// maxPlainPointers is how many pointers may lead to a plain value.
const maxPlainPointers = 2

// PlainCodec writes a single value as text: strings and bytes as they are,
// integers in decimal, floats in the shortest decimal form without exponent
// that reads back the same, bools as true and false. It takes string, []byte,
// bool, all int, uint and float types, types made from them, pointers to any of
// these and pointers to such pointers.
//
// Nil and nil pointers are written as nothing, and nothing is read as the zero
// value. Other types are a [*TypeError].
type PlainCodec struct{}

// ID returns [PlainId].
func (PlainCodec) ID() byte { return PlainId }

// Name returns [PlainName].
func (PlainCodec) Name() string { return PlainName }

// Marshal returns the text of v.
func (c PlainCodec) Marshal(v any) ([]byte, error) { return c.AppendMarshal(nil, v) }

// AppendMarshal implements [Appender]. It allocates only if dst is too small.
func (PlainCodec) AppendMarshal(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case string:
		return append(dst, v...), nil
	case []byte:
		return append(dst, v...), nil
	}
	r := reflect.ValueOf(v)
	// A program may hold the pointer that it decodes into; deeper has no use,
	// and a pointer type may point to itself.
	for range maxPlainPointers {
		if r.Kind() != reflect.Pointer {
			break
		}
		if r.IsNil() {
			return dst, nil
		}
		r = r.Elem()
	}
	out, err := appendText(dst, r)
	if err != nil {
		return dst, notPlain(v, plainTypes)
	}
	return out, nil
}

// Unmarshal parses data into the value that v points to. Text that is no number
// or bool, or does not fit, is a [*ValueError]; v is then unchanged.
func (PlainCodec) Unmarshal(data []byte, v any) error {
	switch v := v.(type) {
	case *string:
		if v != nil {
			*v = string(data)
			return nil
		}
	case *[]byte:
		if v != nil {
			*v = slices.Clone(data)
			return nil
		}
	}
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return notPlain(v, "a pointer that is not nil")
	}
	target := p.Elem()
	if target.Kind() != reflect.Pointer {
		return setPlain(data, target)
	}
	fresh := reflect.New(target.Type().Elem()) // stored only when it is set
	if err := setPlain(data, fresh.Elem()); err != nil {
		return err
	}
	target.Set(fresh)
	return nil
}

const plainTypes = "a string, []byte, bool, number or a pointer to one"

// setPlain sets the settable v, which is no pointer.
func setPlain(data []byte, v reflect.Value) error {
	switch err := parseText(data, v); err {
	case nil:
		return nil
	case errNotText:
		return notPlain(v.Addr().Interface(), "a pointer to "+plainTypes)
	default:
		return &ValueError{Codec: PlainName, Type: v.Type(), Err: err}
	}
}

func notPlain(v any, want string) error {
	return &TypeError{Codec: PlainName, Type: reflect.TypeOf(v), Want: want}
}
