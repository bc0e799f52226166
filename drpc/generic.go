package drpc

import (
	"fmt"
	"reflect"
)

// Registrar is where routes are registered: an endpoint, a router, a group.
type Registrar interface {
	SubRoute(prefix string, plugin ...Plugin) *SubRouter
}

// HandleCall registers fn for calls of path, without any reflection when a call comes. The path is taken as it stands,
// behind the prefix of the group: "/math/add_all" below the group "/v1" is "/v1/math/add_all".
//
// Like RouteCall it ends the process with a message when the service method is taken; AddCall returns an error.
func HandleCall[Arg, Reply any](r Registrar, path string, fn func(CallCtx, *Arg) (Reply, *Status), plugin ...Plugin) {
	mustRegister(AddCall(r, path, fn, plugin...))
}

// AddCall is HandleCall that returns the error and the service method.
func AddCall[Arg, Reply any](r Registrar, path string, fn func(CallCtx, *Arg) (Reply, *Status), plugin ...Plugin) (string, error) {
	if fn == nil {
		return "", callShape.errorf("the handler of %s is nil", path)
	}
	h := &Handler{
		typeName: routerCall,
		argElem:  reflect.TypeFor[Arg](),
		reply:    reflect.TypeFor[Reply](),
		newArg:   func() any { return new(Arg) },
		invoke: func(c *handlerCtx) (any, *Status) {
			arg, ok := c.input.Body().(*Arg)
			if !ok {
				return nil, wrongArg(reflect.TypeFor[*Arg](), c.input.Body())
			}
			return fn(c, arg)
		},
	}
	group := r.SubRoute("")
	return group.add(joinServiceMethod(group.prefix, path), h, plugin)
}

// HandlePush registers fn for pushes of path; see HandleCall.
func HandlePush[Arg any](r Registrar, path string, fn func(PushCtx, *Arg) *Status, plugin ...Plugin) {
	mustRegister(AddPush(r, path, fn, plugin...))
}

// AddPush is HandlePush that returns the error and the service method.
func AddPush[Arg any](r Registrar, path string, fn func(PushCtx, *Arg) *Status, plugin ...Plugin) (string, error) {
	if fn == nil {
		return "", pushShape.errorf("the handler of %s is nil", path)
	}
	h := &Handler{
		typeName: routerPush,
		argElem:  reflect.TypeFor[Arg](),
		newArg:   func() any { return new(Arg) },
		invoke: func(c *handlerCtx) (any, *Status) {
			arg, ok := c.input.Body().(*Arg)
			if !ok {
				return nil, wrongArg(reflect.TypeFor[*Arg](), c.input.Body())
			}
			return nil, fn(c, arg)
		},
	}
	group := r.SubRoute("")
	return group.add(joinServiceMethod(group.prefix, path), h, plugin)
}

// wrongArg is the status of a request whose target a hook replaced by something that the handler cannot take.
func wrongArg(want reflect.Type, body any) *Status {
	return newStatus(CodeInternalServerError,
		fmt.Errorf("the handler takes %v, but a hook has put %T in its place", want, body))
}
