package drpc

import (
	"fmt"
	"go/token"
	"reflect"
	"runtime"
	"strings"
)

// handlerShape is what differs between the handlers of calls and those of pushes as reflection sees them.
type handlerShape struct {
	prefix   string // of error texts
	typeName string
	ctxType  reflect.Type
	ctxName  string
	outs     int
}

var (
	callShape = handlerShape{"call-handler", routerCall, reflect.TypeFor[CallCtx](), "drpc.CallCtx", 2}
	pushShape = handlerShape{"push-handler", routerPush, reflect.TypeFor[PushCtx](), "drpc.PushCtx", 1}

	statusType = reflect.TypeFor[*Status]()
)

func (s *handlerShape) errorf(format string, args ...any) error {
	return fmt.Errorf(s.prefix+": "+format, args...)
}

// addController registers the methods of a controller, all or none.
func (r *SubRouter) addController(shape *handlerShape, ctrl any, plugin []Plugin) ([]string, error) {
	t := reflect.TypeOf(ctrl)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil, shape.errorf("the type is not struct point: %v", t)
	}
	fresh, err := shape.instantiate(reflect.ValueOf(ctrl))
	if err != nil {
		return nil, err
	}
	group := mapServiceMethod(r.prefix, t.Elem().Name())
	var handlers []*Handler
	for i := range t.NumMethod() {
		m := t.Method(i)
		if _, own := shape.ctxType.MethodByName(m.Name); own {
			continue
		}
		h, err := shape.fromMethod(m, fresh)
		if err != nil {
			return nil, err
		}
		h.name = mapServiceMethod(group, m.Name)
		handlers = append(handlers, h)
	}
	if len(handlers) == 0 {
		return nil, shape.errorf("%v has no exported method to register", t)
	}
	return r.addAll(handlers, plugin)
}

// addFunc registers a function.
func (r *SubRouter) addFunc(shape *handlerShape, fn any, plugin []Plugin) (string, error) {
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		return "", shape.errorf("the type is not function: %T", fn)
	}
	name := funcName(v)
	h, err := shape.fromFunc(v, name)
	if err != nil {
		return "", err
	}
	return r.add(mapServiceMethod(r.prefix, name), h, plugin)
}

// funcName returns the name of a function as it stands in its package, without type parameters.
func funcName(v reflect.Value) string {
	full := strings.ReplaceAll(runtime.FuncForPC(v.Pointer()).Name(), "[...]", "")
	return full[strings.LastIndexByte(full, '.')+1:]
}

// fromMethod makes a handler of a method of a controller.
func (s *handlerShape) fromMethod(m reflect.Method, ctrl func(*handlerCtx) reflect.Value) (*Handler, error) {
	where := m.Type.In(0).Elem().Name() + "." + m.Name
	if n := m.Type.NumIn(); n != 2 {
		return nil, s.errorf("%s needs one in argument, but have %d", where, n)
	}
	return s.build(where, m.Func, m.Type.In(1), ctrl)
}

// fromFunc makes a handler of a function.
func (s *handlerShape) fromFunc(v reflect.Value, name string) (*Handler, error) {
	t := v.Type()
	if n := t.NumIn(); n != 2 {
		return nil, s.errorf("%s needs two in argument, but have %d", name, n)
	}
	first := t.In(0)
	if first == s.ctxType {
		return s.build(name, v, t.In(1), func(c *handlerCtx) reflect.Value { return reflect.ValueOf(c) })
	}
	if first.Kind() != reflect.Pointer || first.Elem().Kind() != reflect.Struct {
		return nil, s.errorf("%s's first arg must be %s type or struct pointer: %v", name, s.ctxName, first)
	}
	ctrl, err := s.instantiate(reflect.New(first.Elem()))
	if err != nil {
		return nil, s.errorf("%s's first arg do not have anonymous field %s: %v", name, s.ctxName, first)
	}
	return s.build(name, v, t.In(1), ctrl)
}

// build checks the types and makes the handler; fn takes what first returns and the argument.
func (s *handlerShape) build(where string, fn reflect.Value, arg reflect.Type, first func(*handlerCtx) reflect.Value) (*Handler, error) {
	t := fn.Type()
	if arg.Kind() != reflect.Pointer {
		return nil, s.errorf("%s arg type need be a pointer: %v", where, arg)
	}
	if !exported(arg.Elem()) {
		return nil, s.errorf("%s arg type not exported: %v", where, arg)
	}
	if n := t.NumOut(); n != s.outs {
		return nil, s.errorf("%s needs %s out arguments, but have %d", where, [...]string{"", "one", "two"}[s.outs], n)
	}
	h := &Handler{typeName: s.typeName, argElem: arg.Elem()}
	h.newArg = func() any { return reflect.New(arg.Elem()).Interface() }
	last := s.outs - 1
	if t.Out(last) != statusType {
		ordinal := [...]string{"first", "second"}[last]
		return nil, s.errorf("%s %s out argument %v is not *drpc.status.Status", where, ordinal, t.Out(last))
	}
	if last > 0 {
		h.reply = t.Out(0)
		if !exported(h.reply) {
			return nil, s.errorf("%s first reply type not exported: %v", where, h.reply)
		}
	}
	h.invoke = func(c *handlerCtx) (any, *Status) {
		body := c.input.Body()
		if reflect.TypeOf(body) != arg {
			return nil, wrongArg(arg, body)
		}
		out := fn.Call([]reflect.Value{first(c), reflect.ValueOf(body)})
		stat := out[last].Interface().(*Status)
		if last == 0 || !stat.OK() {
			return nil, stat
		}
		return out[0].Interface(), stat
	}
	return h, nil
}

// exported reports whether a type can be seen from outside its package, or has no name of its own.
func exported(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "" || token.IsExported(t.Name())
}

// instantiate returns a function that makes a controller for one message: a copy of the prototype with its context
// set. The context may be embedded in a struct that the controller embeds; pointers on the way are copied too, so
// that messages share nothing.
func (s *handlerShape) instantiate(proto reflect.Value) (func(*handlerCtx) reflect.Value, error) {
	t := proto.Type().Elem()
	path, ok := findEmbedded(t, s.ctxType)
	if !ok {
		return nil, s.errorf("the struct do not have anonymous field %s: %v", s.ctxName, proto.Type())
	}
	// Tried once here, so that a field that cannot be set is an error now and not a panic with every message.
	if _, err := s.instance(proto, path, nil); err != nil {
		return nil, err
	}
	return func(c *handlerCtx) reflect.Value {
		v, _ := s.instance(proto, path, c) // cannot fail: it did not at registration
		return v
	}, nil
}

func (s *handlerShape) instance(proto reflect.Value, path []int, c *handlerCtx) (reflect.Value, error) {
	ctrl := reflect.New(proto.Type().Elem())
	if !proto.IsNil() {
		ctrl.Elem().Set(proto.Elem())
	}
	field := ctrl.Elem()
	for _, i := range path {
		if field.Kind() == reflect.Pointer {
			if !field.CanSet() {
				return ctrl, s.errorf("%v embeds an unexported pointer that holds %s: export it or embed the struct itself",
					proto.Type(), s.ctxName)
			}
			inner := reflect.New(field.Type().Elem())
			if !field.IsNil() {
				inner.Elem().Set(field.Elem())
			}
			field.Set(inner)
			field = inner.Elem()
		}
		field = field.Field(i)
	}
	if c != nil {
		field.Set(reflect.ValueOf(c))
	}
	return ctrl, nil
}

// findEmbedded returns the path of indexes to an anonymous field of type want, the shallowest one.
func findEmbedded(t, want reflect.Type) ([]int, bool) {
	type node struct {
		t    reflect.Type
		path []int
	}
	seen := map[reflect.Type]bool{}
	for queue := []node{{t, nil}}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n.t.Kind() == reflect.Pointer {
			n.t = n.t.Elem()
		}
		if n.t.Kind() != reflect.Struct || seen[n.t] {
			continue
		}
		seen[n.t] = true
		for i := range n.t.NumField() {
			f := n.t.Field(i)
			if !f.Anonymous {
				continue
			}
			path := append(append([]int(nil), n.path...), i)
			if f.Type == want {
				return path, true
			}
			queue = append(queue, node{f.Type, path})
		}
	}
	return nil, false
}
