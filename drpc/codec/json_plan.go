package codec

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// jsonPlan reads values of one Go type. It is made once a type.
type jsonPlan struct {
	// read reads what is not null into a settable zero value. It is nil if the type
	// is not plain.
	read func(*jsonReader, reflect.Value) bool
}

// value reads a value into v, which is zero; null leaves it so.
func (p *jsonPlan) value(r *jsonReader, v reflect.Value) bool {
	if r.peek() == 'n' {
		return r.word("null")
	}
	return p.read(r, v)
}

// jsonPlans has the plan of every type that was read into, by reflect.Type.
// encoding/json keeps its own in the same way.
var jsonPlans sync.Map

// readPlanned is [readPlainJSON] for types that need reflection.
func readPlanned(data []byte, v any) bool {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return false
	}
	plan := jsonPlanOf(p.Type().Elem())
	target := p.Elem()
	if plan.read == nil || !target.IsZero() {
		return false
	}
	r := jsonReader{data: data}
	r.space()
	ok := plan.value(&r, target)
	if r.space(); !ok || r.at != len(data) {
		target.SetZero() // all that was set is new, so nobody else has seen it
		return false
	}
	return true
}

func jsonPlanOf(t reflect.Type) *jsonPlan {
	if p, ok := jsonPlans.Load(t); ok {
		return p.(*jsonPlan)
	}
	p := jsonPlanner{}.plan(t)
	if p == nil {
		p = new(jsonPlan)
	}
	known, _ := jsonPlans.LoadOrStore(t, p)
	return known.(*jsonPlan)
}

// jsonPlanner makes the plan of a type with all types in it. It has those that
// it has begun with, for a type may contain itself.
type jsonPlanner map[reflect.Type]*jsonPlan

// plan returns nil if t or a type in it is not plain.
func (m jsonPlanner) plan(t reflect.Type) *jsonPlan {
	if p, ok := m[t]; ok {
		return p
	}
	if t == reflect.TypeFor[json.Number]() || readsItself(t) {
		return nil
	}
	p := new(jsonPlan)
	m[t] = p
	if p.read = m.reader(t); p.read == nil {
		return nil
	}
	return p
}

// readsItself reports whether t has a say in how it is decoded. Any method of a
// name like UnmarshalJSON is enough, for the set of them grows.
func readsItself(t reflect.Type) bool {
	for _, t := range []reflect.Type{t, reflect.PointerTo(t)} {
		for i := range t.NumMethod() {
			if strings.HasPrefix(t.Method(i).Name, "Unmarshal") {
				return true
			}
		}
	}
	return false
}

func (m jsonPlanner) reader(t reflect.Type) func(*jsonReader, reflect.Value) bool {
	switch t {
	case reflect.TypeFor[[]int]():
		return func(r *jsonReader, v reflect.Value) bool { return readAs(r, v, intList) }
	case reflect.TypeFor[[]string]():
		return func(r *jsonReader, v reflect.Value) bool { return readAs(r, v, textList) }
	case reflect.TypeFor[map[string]string]():
		return func(r *jsonReader, v reflect.Value) bool { return readAs(r, v, textMap) }
	case reflect.TypeFor[map[string]any]():
		return func(r *jsonReader, v reflect.Value) bool { return readAs(r, v, anyMap) }
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.pointer(t)
	case reflect.Slice:
		return m.slice(t)
	case reflect.Map:
		return m.mapping(t)
	case reflect.Struct:
		return m.structure(t)
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return readAny
		}
		return nil
	default:
		return scalarReaders[t.Kind()]
	}
}

// readAs reads into a v of type T without reflection.
func readAs[T any](r *jsonReader, v reflect.Value, read func(*jsonReader) (T, bool)) bool {
	x, ok := read(r)
	*v.Addr().Interface().(*T) = x
	return ok
}

func intList(r *jsonReader) ([]int, bool)             { return readList(r, readInt[int]) }
func textList(r *jsonReader) ([]string, bool)         { return readList(r, (*jsonReader).text) }
func textMap(r *jsonReader) (map[string]string, bool) { return readObject(r, (*jsonReader).text) }
func anyMap(r *jsonReader) (map[string]any, bool)     { return readObject(r, (*jsonReader).value) }

func readAny(r *jsonReader, v reflect.Value) bool {
	x, ok := r.value()
	if ok {
		v.Set(reflect.ValueOf(x)) // never nil: null does not come here
	}
	return ok
}

// scalarReaders are by kind.
var scalarReaders = map[reflect.Kind]func(*jsonReader, reflect.Value) bool{
	reflect.Bool: func(r *jsonReader, v reflect.Value) bool {
		b, ok := r.boolean()
		v.SetBool(b)
		return ok
	},
	reflect.String: func(r *jsonReader, v reflect.Value) bool {
		s, ok := r.text()
		v.SetString(s)
		return ok
	},
	reflect.Int: readSigned, reflect.Int8: readSigned, reflect.Int16: readSigned, reflect.Int32: readSigned, reflect.Int64: readSigned,
	reflect.Uint: readUnsigned, reflect.Uint8: readUnsigned, reflect.Uint16: readUnsigned, reflect.Uint32: readUnsigned, reflect.Uint64: readUnsigned,
	reflect.Float32: readFloat, reflect.Float64: readFloat,
}

func readSigned(r *jsonReader, v reflect.Value) bool {
	n, ok := readInt[int64](r)
	v.SetInt(n)
	return ok && !v.OverflowInt(n)
}

func readUnsigned(r *jsonReader, v reflect.Value) bool {
	n, count, ok := r.integer()
	v.SetUint(uint64(n))
	return ok && count <= maxPlainDigits && !v.OverflowUint(uint64(n))
}

func readFloat(r *jsonReader, v reflect.Value) bool {
	f, ok := r.float(v.Type().Bits())
	v.SetFloat(f)
	return ok
}

func (m jsonPlanner) pointer(t reflect.Type) func(*jsonReader, reflect.Value) bool {
	elem := t.Elem()
	if elem.Kind() == reflect.Pointer || elem.Kind() == reflect.Interface {
		return nil // null then means one pointer or the other
	}
	p := m.plan(elem)
	if p == nil {
		return nil
	}
	return func(r *jsonReader, v reflect.Value) bool {
		v.Set(reflect.New(elem))
		return p.read(r, v.Elem())
	}
}

func (m jsonPlanner) slice(t reflect.Type) func(*jsonReader, reflect.Value) bool {
	if t.Elem().Kind() == reflect.Uint8 {
		return nil // base64
	}
	p := m.plan(t.Elem())
	if p == nil {
		return nil
	}
	return func(r *jsonReader, v reflect.Value) bool {
		if !r.enter('[') {
			return false
		}
		if r.space(); r.take(']') {
			r.depth--
			v.Set(reflect.MakeSlice(t, 0, 0))
			return true
		}
		for i := 0; ; i++ {
			if i == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(i + 1)
			if !p.value(r, v.Index(i)) {
				return false
			}
			if last, ok := r.next(']'); last || !ok {
				return ok
			}
		}
	}
}

func (m jsonPlanner) mapping(t reflect.Type) func(*jsonReader, reflect.Value) bool {
	if t.Key().Kind() != reflect.String || readsItself(t.Key()) {
		return nil
	}
	p := m.plan(t.Elem())
	if p == nil {
		return nil
	}
	return func(r *jsonReader, v reflect.Value) bool {
		if !r.enter('{') {
			return false
		}
		v.Set(reflect.MakeMap(t))
		if r.space(); r.take('}') {
			r.depth--
			return true
		}
		key, elem := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		for {
			name, ok := r.name()
			elem.SetZero()
			if !ok || !p.value(r, elem) {
				return false
			}
			key.SetString(string(name))
			v.SetMapIndex(key, elem)
			if last, ok := r.next('}'); last || !ok {
				return ok
			}
		}
	}
}

// maxPlainFields is how many fields the set of those seen can hold.
const maxPlainFields = 64

// jsonField is a field of a struct that has a key.
type jsonField struct {
	name  string
	index int
	plan  *jsonPlan
}

func (m jsonPlanner) structure(t reflect.Type) func(*jsonReader, reflect.Value) bool {
	fields, ok := m.fields(t)
	if !ok {
		return nil
	}
	byName := make(map[string]int, len(fields))
	for i, f := range fields {
		byName[f.name] = i
	}
	if len(byName) < len(fields) || len(fields) > maxPlainFields {
		return nil // two fields with one name lose it both
	}
	find := func(name []byte, guess int) (int, bool) {
		if guess < len(fields) && fields[guess].name == string(name) {
			return guess, true
		}
		i, ok := byName[string(name)]
		return i, ok
	}
	return func(r *jsonReader, v reflect.Value) bool {
		if !r.enter('{') {
			return false
		}
		if r.space(); r.take('}') {
			r.depth--
			return true
		}
		var seen uint64
		for next := 0; ; next++ {
			name, ok := r.name()
			if !ok {
				return false
			}
			// An unknown key may be a known one in other letters, a second one merges.
			i, ok := find(name, next)
			if !ok || seen&(1<<i) != 0 {
				return false
			}
			seen |= 1 << i
			next = i
			if !fields[i].plan.value(r, v.Field(fields[i].index)) {
				return false
			}
			if last, ok := r.next('}'); last || !ok {
				return ok
			}
		}
	}
}

// fields returns the fields of a struct that have keys, ok false if one of them is
// not plain.
func (m jsonPlanner) fields(t reflect.Type) (fields []jsonField, ok bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		switch {
		case f.Anonymous:
			return nil, false
		case !f.IsExported(), tag == "-":
			continue
		}
		name, plain := plainName(f.Name, tag)
		p := m.plan(f.Type)
		if !plain || p == nil {
			return nil, false
		}
		fields = append(fields, jsonField{name: name, index: i, plan: p})
	}
	return fields, true
}

// plainName returns the key of a field, ok false if the tag says more about
// decoding than that.
func plainName(name, tag string) (key string, ok bool) {
	options := strings.Split(tag, ",")
	if options[0] != "" {
		name = options[0]
	}
	if slices.ContainsFunc(options[1:], func(o string) bool { return o != "omitempty" && o != "omitzero" }) {
		return "", false
	}
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.') {
			return "", false
		}
	}
	return name, true
}
