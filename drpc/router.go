package drpc

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/logger"
)

// Router is the root of the routes of an endpoint. Registering is safe at any time, also while messages are served.
//
// The Route methods end the process with a message when what they are given cannot be a handler or its service method
// is taken; the Add methods return that as an error.
type Router struct {
	SubRouter
}

// SubRouter is a group of routes: a prefix, and plugins that run for its handlers only.
type SubRouter struct {
	root    *Router
	table   *routeTable
	prefix  string
	plugins *PluginContainer
}

func newRouter(plugins *PluginContainer) *Router {
	r := &Router{SubRouter{table: newRouteTable(), prefix: mapServiceMethod("", ""), plugins: plugins}}
	r.root = r
	return r
}

// Root returns the root of the routes.
func (r *SubRouter) Root() *Router { return r.root }

// ToRouter returns the group as a router.
func (r *SubRouter) ToRouter() *Router { return &Router{*r} }

// SubRoute returns a group inside this one. The mapper makes its prefix: "SubGroup" becomes "/sub_group".
func (r *SubRouter) SubRoute(prefix string, plugin ...Plugin) *SubRouter {
	sub := &SubRouter{root: r.root, table: r.table, prefix: r.prefix, plugins: r.plugins}
	if prefix != "" {
		sub.prefix = mapServiceMethod(r.prefix, prefix)
	}
	if len(plugin) > 0 {
		derived, err := r.plugins.derive(plugin)
		must(err)
		sub.plugins = derived
	}
	return sub
}

// RouteCall registers each exported method of a controller, a pointer to a struct that embeds CallCtx, for calls. A
// method is func(arg *T) (R, *drpc.Status). Its service method is made by the mapper of struct name and method name:
// (*Math).Add becomes "/math/add". It returns the service methods in the order of the method names.
//
// Each call is handled by a fresh copy of the controller as it was given, so that fields set before are there and
// nothing is left over from other calls.
func (r *SubRouter) RouteCall(callCtrlStruct any, plugin ...Plugin) []string {
	names, err := r.AddCall(callCtrlStruct, plugin...)
	must(err)
	return names
}

// AddCall is RouteCall that returns the error.
func (r *SubRouter) AddCall(callCtrlStruct any, plugin ...Plugin) ([]string, error) {
	return r.addController(&callShape, callCtrlStruct, plugin)
}

// RouteCallFunc registers a function for calls: func(ctx drpc.CallCtx, arg *T) (R, *drpc.Status), where ctx may also be
// a pointer to a struct that embeds CallCtx. The mapper makes the service method of the name of the function.
func (r *SubRouter) RouteCallFunc(callHandleFunc any, plugin ...Plugin) string {
	name, err := r.AddCallFunc(callHandleFunc, plugin...)
	must(err)
	return name
}

// AddCallFunc is RouteCallFunc that returns the error.
func (r *SubRouter) AddCallFunc(callHandleFunc any, plugin ...Plugin) (string, error) {
	return r.addFunc(&callShape, callHandleFunc, plugin)
}

// RoutePush registers each exported method of a controller, a pointer to a struct that embeds PushCtx, for pushes. A
// method is func(arg *T) *drpc.Status; otherwise see RouteCall.
func (r *SubRouter) RoutePush(pushCtrlStruct any, plugin ...Plugin) []string {
	names, err := r.AddPush(pushCtrlStruct, plugin...)
	must(err)
	return names
}

// AddPush is RoutePush that returns the error.
func (r *SubRouter) AddPush(pushCtrlStruct any, plugin ...Plugin) ([]string, error) {
	return r.addController(&pushShape, pushCtrlStruct, plugin)
}

// RoutePushFunc registers a function for pushes: func(ctx drpc.PushCtx, arg *T) *drpc.Status; see RouteCallFunc.
func (r *SubRouter) RoutePushFunc(pushHandleFunc any, plugin ...Plugin) string {
	name, err := r.AddPushFunc(pushHandleFunc, plugin...)
	must(err)
	return name
}

// AddPushFunc is RoutePushFunc that returns the error.
func (r *SubRouter) AddPushFunc(pushHandleFunc any, plugin ...Plugin) (string, error) {
	return r.addFunc(&pushShape, pushHandleFunc, plugin)
}

// SetUnknownCall sets the handler of calls that no other handler of the endpoint has. Its argument is the body as it
// came. A second one replaces the first, with a warning.
func (r *SubRouter) SetUnknownCall(fn func(UnknownCallCtx) (any, *status.Status), plugin ...Plugin) {
	if fn == nil {
		must(callShape.errorf("the handler of unknown calls is nil"))
	}
	must(r.setUnknown(&r.table.calls.unknown, plugin, &Handler{
		typeName: routerUnknownCall,
		newArg:   func() any { return new([]byte) },
		invoke:   func(c *handlerCtx) (any, *Status) { return fn(c) },
	}))
}

// SetUnknownPush sets the handler of pushes that no other handler of the endpoint has; see SetUnknownCall.
func (r *SubRouter) SetUnknownPush(fn func(UnknownPushCtx) *status.Status, plugin ...Plugin) {
	if fn == nil {
		must(pushShape.errorf("the handler of unknown pushes is nil"))
	}
	must(r.setUnknown(&r.table.pushes.unknown, plugin, &Handler{
		typeName: routerUnknownPush,
		newArg:   func() any { return new([]byte) },
		invoke:   func(c *handlerCtx) (any, *Status) { return nil, fn(c) },
	}))
}

func (r *SubRouter) setUnknown(slot *atomic.Pointer[Handler], plugin []Plugin, h *Handler) error {
	if err := r.ready(h, plugin); err != nil {
		if h.plugins != nil {
			h.plugins.drop()
		}
		return err
	}
	if slot.Swap(h) != nil {
		logWarnf("the handler of unknown messages (%s) is replaced", h.typeName)
	}
	return nil
}

// add registers h as serviceMethod.
func (r *SubRouter) add(serviceMethod string, h *Handler, plugin []Plugin) (string, error) {
	h.name = serviceMethod
	_, err := r.addAll([]*Handler{h}, plugin)
	return h.name, err
}

// addAll registers handlers, all or none, and returns their service methods.
func (r *SubRouter) addAll(handlers []*Handler, plugin []Plugin) (names []string, err error) {
	defer func() {
		for _, h := range handlers {
			if err != nil && h.plugins != nil {
				h.plugins.drop()
			}
		}
	}()
	for _, h := range handlers {
		if err = r.ready(h, plugin); err != nil {
			return nil, err
		}
		names = append(names, h.name)
	}
	if err = r.table.insert(handlers); err != nil {
		return nil, err
	}
	for _, h := range handlers {
		logDebugf("registered %s %s", h.typeName, h.name)
	}
	return names, nil
}

// ready gives h its plugins and lets them see it.
func (r *SubRouter) ready(h *Handler, plugin []Plugin) error {
	plugins, err := r.plugins.derive(plugin)
	if err != nil {
		return err
	}
	h.plugins = plugins
	if h.IsPush() && strings.HasPrefix(h.name, reservedPrefix) {
		return fmt.Errorf("%w: %s", ErrReserved, h.name)
	}
	h.index = int(r.table.indexes.Add(1)) - 1
	return runRare(plugins.hooks(), hookAfterRegRouter, func(p AfterRegRouterPlugin) error { return p.AfterRegRouter(h) })
}

// must ends the process on a programming error, as documented at every function that calls it.
func must(err error) {
	if err != nil {
		logger.Fatal(context.Background(), err)
	}
}

func mustRegister(_ string, err error) { must(err) }
