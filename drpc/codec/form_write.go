package codec

import (
	"encoding"
	"net/url"
	"reflect"
	"slices"
)

// formWriter collects the values of a body.
type formWriter struct {
	values url.Values
	open   []reflect.Type // the structs being written, outermost first
}

// body writes a whole body.
func (w *formWriter) body(v reflect.Value) error {
	v, ok := indirect(v)
	switch {
	case !ok:
		return nil
	case v.Kind() == reflect.Struct:
		return w.fields(v)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		for iter := v.MapRange(); iter.Next(); {
			if err := w.value(iter.Key().String(), iter.Value()); err != nil {
				return err
			}
		}
		return nil
	default:
		return notForm(v.Type(), formBodies)
	}
}

func (w *formWriter) fields(v reflect.Value) error {
	t := v.Type()
	if slices.Contains(w.open, t) {
		// Its keys would be those of the struct around it, without end if it
		// contains itself.
		return notForm(t, "a struct that does not contain itself")
	}
	w.open = append(w.open, t)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	for i := range t.NumField() {
		key, ok := formKey(t.Field(i))
		if !ok {
			continue
		}
		if err := w.value(key, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// value writes one value, or the fields of a struct.
func (w *formWriter) value(key string, v reflect.Value) error {
	v, ok := indirect(v)
	if !ok {
		return nil
	}
	if isFormStruct(v.Type()) {
		return w.fields(v)
	}
	list := v.Kind() == reflect.Array || v.Kind() == reflect.Slice && !isBytes(v.Type())
	if !list || v.Type().Implements(textMarshaler) {
		return w.text(key, v)
	}
	for i := range v.Len() {
		elem, ok := indirect(v.Index(i))
		if !ok {
			continue
		}
		if err := w.text(key, elem); err != nil {
			return err
		}
	}
	return nil
}

func (w *formWriter) text(key string, v reflect.Value) error {
	b, err := marshalText(v)
	if err == errNotText {
		return notForm(v.Type(), formValues)
	}
	if err != nil {
		return &ValueError{Codec: FormName, Field: key, Type: v.Type(), Err: err}
	}
	w.values.Add(key, string(b))
	return nil
}

// marshalText returns the text that a value has by its own method, or by its
// kind. The method may be that of a pointer to it.
func marshalText(v reflect.Value) ([]byte, error) {
	if v.CanAddr() && v.Addr().CanInterface() {
		if m, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
			return m.MarshalText()
		}
	}
	if v.CanInterface() {
		if m, ok := v.Interface().(encoding.TextMarshaler); ok {
			return m.MarshalText()
		}
	}
	return appendText(nil, v)
}

// indirect follows pointers and interfaces to a value; ok is false if it ends at
// nil.
func indirect(v reflect.Value) (_ reflect.Value, ok bool) {
	for range maxFormPointers {
		if v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
			break
		}
		v = v.Elem()
	}
	return v, v.IsValid()
}
