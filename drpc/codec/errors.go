package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrUnsupported is what [UnknownIDError] and [UnknownNameError] match with
// errors.Is.
var ErrUnsupported = errors.New("unsupported codec")

// UnknownIDError is the id of a codec that is not registered.
type UnknownIDError byte

// Error names the id.
func (e UnknownIDError) Error() string { return fmt.Sprintf("unsupported codec id: %d", byte(e)) }

// Is reports whether target is [ErrUnsupported].
func (e UnknownIDError) Is(target error) bool { return target == ErrUnsupported }

// UnknownNameError is the name of a codec that is not registered.
type UnknownNameError string

// Error repeats the name.
func (e UnknownNameError) Error() string { return "unsupported codec name: " + string(e) }

// Is reports whether target is [ErrUnsupported].
func (e UnknownNameError) Is(target error) bool { return target == ErrUnsupported }

// TypeError says that a codec has no encoding for a Go type.
type TypeError struct {
	Codec string       // name of the codec
	Type  reflect.Type // type of the value or target, nil for an untyped nil
	Want  string       // what to pass instead
}

// Error names the codec, the type and what to pass instead.
func (e *TypeError) Error() string {
	return fmt.Sprintf("%s codec: unsupported type %v: want %s", e.Codec, e.Type, e.Want)
}

// ValueError says that the plain or form codec read text which is no value of
// the target's type. The text itself comes from the peer and is not repeated
// (an UnmarshalText of the application may, in its own error).
type ValueError struct {
	Codec string       // name of the codec
	Field string       // key of the form, empty for plain
	Type  reflect.Type // the target's type
	Err   error        // in general strconv.ErrSyntax or strconv.ErrRange
}

// Error names the codec, the field and the type, not the text.
func (e *ValueError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s codec: %v: %v", e.Codec, e.Type, e.Err)
	}
	return fmt.Sprintf("%s codec: %s: %v: %v", e.Codec, e.Field, e.Type, e.Err)
}

// Unwrap returns Err.
func (e *ValueError) Unwrap() error { return e.Err }
