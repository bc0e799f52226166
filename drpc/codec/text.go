package codec

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
)

// errNotText says that a type has no text form.
var errNotText = errors.New("type has no text form")

// isBytes reports whether t is []byte or made from it.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isScalar reports whether k is a bool or number.
func isScalar(k reflect.Kind) bool {
	return reflect.Bool <= k && k <= reflect.Float64 && k != reflect.Uintptr
}

// appendText appends the text of a string, bytes, a bool or a number. Of other
// types it returns errNotText and dst.
func appendText(dst []byte, v reflect.Value) ([]byte, error) {
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
	return dst, errNotText
}

// parseText sets v, which must be settable, to what text says; no text is the
// zero value. Errors are errNotText, strconv.ErrSyntax and strconv.ErrRange, and
// leave v as it was. v keeps no reference to text.
func parseText(text []byte, v reflect.Value) error {
	switch {
	case isBytes(v.Type()):
		v.SetBytes(slices.Clone(text))
		return nil
	case len(text) == 0 && isScalar(v.Kind()):
		v.SetZero()
		return nil
	default:
		return parseScalar(string(text), v)
	}
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
		return errNotText
	}
	return errors.Unwrap(err) // without the text, which is the peer's
}
