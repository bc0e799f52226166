package drpc

import (
	"cmp"
	"reflect"
	"slices"
)

// Route is a registered handler, in words.
type Route struct {
	// Kind is what Handler.RouterTypeName returns: "CALL", "PUSH", "UNKNOWN_CALL" or "UNKNOWN_PUSH".
	Kind string
	// Path is the service method, empty for the handlers of unknown ones.
	Path string
	// Arg and Reply are the types that the body is decoded into and that the handler returns, as Go writes them with the
	// name of the package. Reply is empty for a push, and both are for the handlers of unknown messages.
	Arg, Reply string
}

// Routes returns the registered handlers.
func (e *endpoint) Routes() []Route {
	var list []Route
	for _, r := range []*routes{&e.router.table.calls, &e.router.table.pushes} {
		for _, h := range r.handlers() {
			list = append(list, Route{Kind: h.typeName, Path: h.name, Arg: typeText(h.argElem), Reply: typeText(h.reply)})
		}
	}
	slices.SortFunc(list, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// handlers returns all handlers of one kind, in no order.
func (r *routes) handlers() []*Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Handler, 0, len(r.all)+1)
	for _, h := range r.all {
		list = append(list, h)
	}
	if h := r.unknown.Load(); h != nil {
		list = append(list, h)
	}
	return list
}

func typeText(t reflect.Type) string {
	if t == nil {
		return ""
	}
	return t.String()
}
