package codec

import (
	"encoding"
	"net/url"
	"reflect"
	"slices"
)

// formReader spreads the values of a form over a target.
type formReader struct {
	values url.Values
	open   []reflect.Type // the structs being read, outermost first
}

// body reads the whole form into the settable v.
func (r *formReader) body(v reflect.Value) error {
	v, ok := settable(v)
	switch {
	case !ok:
	case v.Kind() == reflect.Struct:
		_, err := r.fields(v)
		return err
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		return r.entries(v)
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		v.Set(reflect.ValueOf(r.values))
		return nil
	}
	return notForm(v.Type(), "a pointer to "+formBodies)
}

// entries adds all keys to a map.
func (r *formReader) entries(v reflect.Value) error {
	t := v.Type()
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(t, len(r.values)))
	}
	for key, texts := range r.values {
		elem := reflect.New(t.Elem()).Elem()
		// The key is the peer's, so errors do not repeat it.
		if err := r.value("", texts, elem); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), elem)
	}
	return nil
}

// fields sets the fields whose keys are there and reports whether any was.
func (r *formReader) fields(v reflect.Value) (found bool, err error) {
	t := v.Type()
	if slices.Contains(r.open, t) {
		return false, nil // a struct in itself has no keys of its own
	}
	r.open = append(r.open, t)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	for i := range t.NumField() {
		key, ok := formKey(t.Field(i))
		if !ok {
			continue
		}
		set, err := r.field(key, v.Field(i))
		if err != nil {
			return false, err
		}
		found = found || set
	}
	return found, nil
}

func (r *formReader) field(key string, v reflect.Value) (found bool, err error) {
	switch {
	case isFormStruct(v.Type()):
		return r.fields(v)
	case v.Kind() == reflect.Pointer && isFormStruct(v.Type().Elem()):
		if !v.IsNil() {
			return r.fields(v.Elem())
		}
		fresh := reflect.New(v.Type().Elem())
		if found, err = r.fields(fresh.Elem()); found && err == nil {
			v.Set(fresh)
		}
		return found, err
	}
	texts, found := r.values[key]
	if !found || len(texts) == 0 {
		return false, nil
	}
	return true, r.value(key, texts, v)
}

// value sets one field or map element to the values, at least one, of its key.
func (r *formReader) value(key string, texts []string, v reflect.Value) error {
	v, ok := settable(v)
	if !ok {
		return notForm(v.Type(), formValues)
	}
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return r.text(key, texts[0], v)
	}
	switch {
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		if len(texts) == 1 {
			v.Set(reflect.ValueOf(texts[0]))
		} else {
			v.Set(reflect.ValueOf(slices.Clone(texts)))
		}
		return nil
	case v.Kind() == reflect.Slice && !isBytes(v.Type()):
		list := reflect.MakeSlice(v.Type(), len(texts), len(texts))
		if err := r.list(key, texts, list); err != nil {
			return err
		}
		v.Set(list)
		return nil
	case v.Kind() == reflect.Array:
		if len(texts) > v.Len() {
			return &ValueError{Codec: FormName, Field: key, Type: v.Type(), Err: errTooManyValues}
		}
		v.SetZero()
		return r.list(key, texts, v)
	default:
		return r.text(key, texts[0], v)
	}
}

// list sets the elements of a slice or array that has room for all texts.
func (r *formReader) list(key string, texts []string, list reflect.Value) error {
	for i, text := range texts {
		elem, ok := settable(list.Index(i))
		if !ok {
			return notForm(list.Type(), formValues)
		}
		if err := r.text(key, text, elem); err != nil {
			return err
		}
	}
	return nil
}

func (r *formReader) text(key, text string, v reflect.Value) (err error) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		err = u.UnmarshalText([]byte(text))
	} else {
		err = parseText([]byte(text), v)
	}
	switch err {
	case nil:
		return nil
	case errNotText:
		return notForm(v.Type(), formValues)
	default:
		return &ValueError{Codec: FormName, Field: key, Type: v.Type(), Err: err}
	}
}

// settable follows pointers, making the targets of nil ones, and interfaces that
// hold a pointer, to a value to set; ok is false if there are too many.
func settable(v reflect.Value) (_ reflect.Value, ok bool) {
	for range maxFormPointers {
		switch {
		case v.Kind() == reflect.Pointer:
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		case v.Kind() == reflect.Interface && v.Elem().Kind() == reflect.Pointer && !v.Elem().IsNil():
			v = v.Elem().Elem()
		default:
			return v, true
		}
	}
	return v, false
}
