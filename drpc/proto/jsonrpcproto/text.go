package jsonrpcproto

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/proto"
)

// replaced is what encoding/json writes for each byte of a string that is not UTF-8. The character itself, which a text may
// well have, it writes as it is.
var replaced = []byte(`\ufffd`)

// errNotText says what the body of a message was about to lose.
var errNotText = fmt.Errorf("%w: a body with text that is %w", ErrUnsupported, proto.ErrNotText)

// checkText returns an error if a body lost bytes when it was encoded. Whatever codec the program has chosen, here bodies
// are JSON, whose strings hold text alone; a receiver must not get another one than was sent.
func checkText(encoded []byte, body any) error {
	if bytes.Contains(encoded, replaced) && !isText(reflect.ValueOf(body), 0) {
		return errNotText
	}
	return nil
}

// maxValueDepth is how deep a body is searched. What encoding/json writes is not endless, but a type may hide fields from it
// that are.
const maxValueDepth = 1000

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// isText reports whether every string that encoding/json finds in v is UTF-8. Values that write themselves may have written
// the replacement on purpose.
func isText(v reflect.Value, depth int) bool {
	if !v.IsValid() || depth > maxValueDepth || writesItself(v) {
		return true
	}
	switch v.Kind() {
	case reflect.String:
		return utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return isText(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !isText(v.Index(i), depth+1) {
				return false
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			if !isText(key, depth+1) || !isText(value, depth+1) {
				return false
			}
		}
	case reflect.Struct:
		return fieldsAreText(v, depth)
	}
	return true
}

func fieldsAreText(v reflect.Value, depth int) bool {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && !isText(v.Field(i), depth+1) {
			return false
		}
	}
	return true
}

func writesItself(v reflect.Value) bool {
	t := v.Type()
	if v.CanAddr() {
		t = reflect.PointerTo(t)
	}
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}
