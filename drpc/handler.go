package drpc

import (
	"reflect"
)

// What RouterTypeName returns.
const (
	routerCall        = "CALL"
	routerPush        = "PUSH"
	routerUnknownCall = "UNKNOWN_CALL"
	routerUnknownPush = "UNKNOWN_PUSH"
)

// Handler is a registered handler of one service method. But for the times that are
// taken of it, it does not change once registered.
type Handler struct {
	name     string
	typeName string
	argElem  reflect.Type
	reply    reflect.Type
	plugins  *PluginContainer
	// newArg makes the target that the body is decoded into.
	newArg func() any
	// invoke runs the handler on the decoded body of c. A push has no result.
	invoke func(c *handlerCtx) (any, *Status)

	quick quickness
	index int
}

// Name returns the service method; it is empty for the handlers of unknown ones.
func (h *Handler) Name() string { return h.name }

// Index returns a small number that no other handler of the endpoint has, for who keeps something for each handler in a
// slice. Numbers are handed out from 0 on; some may belong to nobody, after a registration that failed.
func (h *Handler) Index() int { return h.index }

// RouterTypeName returns "CALL", "PUSH", "UNKNOWN_CALL" or "UNKNOWN_PUSH".
func (h *Handler) RouterTypeName() string { return h.typeName }

// IsCall reports whether the handler answers calls.
func (h *Handler) IsCall() bool { return h.typeName == routerCall || h.typeName == routerUnknownCall }

// IsPush reports whether the handler takes pushes.
func (h *Handler) IsPush() bool { return h.typeName == routerPush || h.typeName == routerUnknownPush }

// IsUnknown reports whether the handler takes what no other handler has.
func (h *Handler) IsUnknown() bool {
	return h.typeName == routerUnknownCall || h.typeName == routerUnknownPush
}

// ArgElemType returns the type that the argument points to.
func (h *Handler) ArgElemType() reflect.Type { return h.argElem }

// NewArgValue returns a pointer to a new argument.
func (h *Handler) NewArgValue() reflect.Value { return reflect.ValueOf(h.newArg()) }

// ReplyType returns the type of the result, nil for a push.
func (h *Handler) ReplyType() reflect.Type { return h.reply }
