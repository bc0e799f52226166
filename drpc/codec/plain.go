package codec

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
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
	return appendPlain(dst, r)
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
		return parsePlain(data, target)
	}
	fresh := reflect.New(target.Type().Elem()) // stored only when it is set
	if err := parsePlain(data, fresh.Elem()); err != nil {
		return err
	}
	target.Set(fresh)
	return nil
}

const plainTypes = "a string, []byte, bool, number or a pointer to one"

func appendPlain(dst []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.String:
		return append(dst, v.String()...), nil
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return strconv.AppendFloat(dst, v.Float(), 'f', -1, v.Type().Bits()), nil
	case reflect.Slice:
		if isBytes(v.Type()) {
			return append(dst, v.Bytes()...), nil
		}
	}
	return dst, notPlain(v.Interface(), plainTypes)
}

// parsePlain sets the addressable v, which is no pointer.
func parsePlain(data []byte, v reflect.Value) error {
	switch {
	case isBytes(v.Type()):
		v.SetBytes(slices.Clone(data))
		return nil
	case len(data) == 0 && isScalar(v.Kind()):
		v.SetZero()
		return nil
	default:
		return parseScalar(string(data), v)
	}
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isScalar reports whether k is a bool or number.
func isScalar(k reflect.Kind) bool {
	return reflect.Bool <= k && k <= reflect.Float64 && k != reflect.Uintptr
}

func parseScalar(text string, v reflect.Value) (err error) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, v.Type().Bits()); err == nil {
			v.SetUint(n)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, v.Type().Bits()); err == nil {
			v.SetFloat(f)
		}
	default:
		return notPlain(v.Addr().Interface(), "a pointer to "+plainTypes)
	}
	if err != nil {
		return &ValueError{Type: v.Type(), Err: errors.Unwrap(err)}
	}
	return nil
}

func notPlain(v any, want string) error {
	return &TypeError{Codec: PlainName, Type: reflect.TypeOf(v), Want: want}
}
