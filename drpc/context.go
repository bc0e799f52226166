package drpc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/internal/clock"
)

// handlerCtx is the context of one message: a request on its way through hooks and handler, a push being sent, or a
// reply being read. It is pooled.
type handlerCtx struct {
	handlerVars
	input  message.Msg
	output message.Msg
}

// handlerVars is what a context forgets when it goes back to the pool, apart from its messages, which clear themselves.
type handlerVars struct {
	sess  *session
	link  *link
	kind  *requestKind
	frame *bufpool.Buf // what input lies in
	start clock.Time

	handler *Handler
	hooks   *hookSet // those of the handler, once there is one
	call    *callCmd // the call that a reply belongs to
	stat    *Status  // why the handler does not run, or what it returned
	counted bool     // as work of the session
	// meter is what measures it; nil while nobody wants to know. observed says that it and the observers know how it went.
	meter    *methodMeter
	observed bool
	timed    bool       // whether the handler is quick is found out with this request
	began    clock.Time // when it began to run, if timed
	// answered says that the reply was written.
	answered bool
	decoded  bool  // the body was decoded by the reader
	held     int64 // bytes that count as held for it; see load

	replyCodec byte
	swap       *gmap.Map
	ctx        context.Context
	cancel     context.CancelFunc      // takes the timer of ctx down
	end        context.CancelCauseFunc // of a call whose handler has asked for its context
	finishers  []func()                // see OnFinish; nil for nearly all
	finished   bool                    // the handler is done
}

var (
	_ CallCtx        = (*handlerCtx)(nil)
	_ PushCtx        = (*handlerCtx)(nil)
	_ ReadCtx        = (*handlerCtx)(nil)
	_ WriteCtx       = (*handlerCtx)(nil)
	_ UnknownCallCtx = (*handlerCtx)(nil)
	_ UnknownPushCtx = (*handlerCtx)(nil)
)

var ctxPool = sync.Pool{New: func() any { return new(handlerCtx) }}

func (e *endpoint) getCtx(l *link) *handlerCtx {
	c := ctxPool.Get().(*handlerCtx)
	c.sess, c.link = l.sess, l
	return c
}

// putCtx takes a context back, with everything that lies in its frame.
func (e *endpoint) putCtx(c *handlerCtx) {
	c.endContext()
	bufpool.Put(c.frame)
	c.handlerVars = handlerVars{}
	c.input.Clear()
	c.output.Clear()
	ctxPool.Put(c)
}

// Endpoint returns the endpoint of the session.
func (c *handlerCtx) Endpoint() Endpoint { return c.sess.ep }

// Session returns the session that the message came or goes over.
func (c *handlerCtx) Session() CtxSession { return c.sess }

// IP returns the address of the peer.
func (c *handlerCtx) IP() string { return c.sess.RemoteAddr().String() }

// RealIP returns the address of the first caller.
func (c *handlerCtx) RealIP() string { return realIP(&c.input, c.sess) }

// Swap returns the values of this message; those of a reply are those of its call.
func (c *handlerCtx) Swap() *gmap.Map {
	if c.call != nil {
		return c.call.Swap()
	}
	if c.swap == nil {
		c.swap = c.sess.copySwap()
	}
	return c.swap
}

// Context returns the context of the message. That of a request ends with the connection and when its time is over,
// that of a call also when its caller gives it up and when its handler has returned.
func (c *handlerCtx) Context() context.Context {
	switch {
	case c.call != nil:
		return c.call.Context()
	case c.output.HasContext():
		return c.output.Context()
	case c.ctx != nil:
		return c.ctx
	case c.link == nil:
		return context.Background()
	}
	c.ctx = c.link.context()
	if c.kind != nil && c.kind.answered {
		c.ctx, c.end = context.WithCancelCause(c.ctx)
		c.link.cancels.watch(c.input.Seq(), c.end)
	}
	limit := c.limit()
	if end := c.link.until.Load(); end != 0 {
		limit.tighten(clock.Time(end).Sub(c.start), ErrSessionAge)
	}
	if limit.cause != nil {
		c.ctx, c.cancel = context.WithDeadlineCause(c.ctx, c.start.Std().Add(limit.after), limit.cause)
	}
	return c.ctx
}

// endContext ends the context of a request that is done.
func (c *handlerCtx) endContext() {
	if c.end != nil {
		c.link.cancels.forget(c.input.Seq())
		c.end(nil)
	}
	if c.cancel != nil {
		c.cancel()
	}
}

// Input returns the message that came.
func (c *handlerCtx) Input() message.Message { return &c.input }

// Output returns the message that goes.
func (c *handlerCtx) Output() message.Message { return &c.output }

// StatusOK reports whether the message is in order so far.
func (c *handlerCtx) StatusOK() bool { return c.Status().OK() }

// Status returns the status of the message: of what is sent while it is sent, of what came until then.
func (c *handlerCtx) Status() *status.Status {
	if c.stat != nil {
		return c.stat
	}
	if stat := c.output.Status(); stat != nil || c.output.MType() != message.TypeUndefined {
		return stat // the type is set when sending begins
	}
	return c.input.Status()
}

// CopyMeta returns a copy of the meta.
func (c *handlerCtx) CopyMeta() *gmap.Map { return c.input.CopyMeta() }

// PeekMeta returns one value of the meta.
func (c *handlerCtx) PeekMeta(key string) any { return c.input.PeekMeta(key) }

// VisitMeta calls f for each pair of the meta.
func (c *handlerCtx) VisitMeta(f func(key, value any) bool) { c.input.Meta().Iterator(f) }

// CostTime is the time since the message arrived.
func (c *handlerCtx) CostTime() time.Duration {
	if c.start == 0 {
		return 0
	}
	return c.start.Since()
}

// Seq returns the sequence number.
func (c *handlerCtx) Seq() int32 { return c.input.Seq() }

// ServiceMethod returns the service method; for a reply that of its call.
func (c *handlerCtx) ServiceMethod() string {
	if c.call != nil {
		return c.call.output.ServiceMethod()
	}
	if c.kind == nil {
		return c.output.ServiceMethod()
	}
	return c.input.ServiceMethod()
}

// ResetServiceMethod changes where the message is routed to.
func (c *handlerCtx) ResetServiceMethod(method string) { c.input.SetServiceMethod(method) }

// GetBodyCodec returns the codec of the body that came.
func (c *handlerCtx) GetBodyCodec() byte { return c.input.BodyCodec() }

// SetBodyCodec sets the codec of the reply.
func (c *handlerCtx) SetBodyCodec(id byte) { c.replyCodec = id }

// ReplyBodyCodec decides the codec of the reply.
func (c *handlerCtx) ReplyBodyCodec() byte {
	if c.replyCodec == 0 {
		c.replyCodec = c.input.BodyCodec()
		if accepted, ok := c.input.AcceptBodyCodec(); ok {
			c.replyCodec = accepted
		}
		if c.replyCodec == 0 {
			c.replyCodec = c.sess.ep.cfg.bodyCodec.ID()
		}
	}
	return c.replyCodec
}

// SetMeta sets one pair of the reply's meta.
func (c *handlerCtx) SetMeta(key, value string) { c.output.Meta().Set(key, value) }

// AddTFilterId appends transfer filters to those of the reply.
func (c *handlerCtx) AddTFilterId(filterID ...byte) {
	c.output.Apply([]message.MsgSetting{message.WithTFilterPipe(filterID...)})
}

// InputBodyBytes returns the body as it came. It is the handler's to keep.
func (c *handlerCtx) InputBodyBytes() []byte {
	if body, ok := c.input.Body().(*[]byte); ok && body != nil {
		return *body
	}
	return nil
}

// BuildBody decodes the body into v.
func (c *handlerCtx) BuildBody(v any) (byte, error) {
	target := c.input.Body()
	defer c.input.SetBody(target)
	c.input.SetBody(v)
	return c.input.BodyCodec(), c.input.DecodeBody()
}

func realIP(m *message.Msg, s *session) string {
	if v := m.PeekMeta(message.MetaRealIP); v != nil {
		if ip := fmt.Sprint(v); ip != "" {
			return ip
		}
	}
	return s.RemoteAddr().String()
}
