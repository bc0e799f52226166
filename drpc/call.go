package drpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/clock"
)

// callCmd is a call. Whoever takes it out of the pending table delivers its reply or its failure; then one goroutine
// completes it: that of Call itself, or a worker for AsyncCall.
type callCmd struct {
	sess   *session
	output message.Msg
	result any
	start  clock.Time

	// reply is the answer, still encoded; nil if there is none, and then stat says why.
	reply *handlerCtx
	stat  *Status

	inputMeta *gmap.Map
	swap      *gmap.Map
	cost      time.Duration

	waiter chan struct{} // wakes the goroutine of Call
	async  *asyncCall    // nil for Call

	// final says that stat counts. It is set before notify, and notify comes before done.
	final      atomic.Bool
	inputCodec byte
	// hooked says that hooks run between the sending and the waiting for the reply.
	hooked bool
	// settled says that the reader has decoded the reply.
	settled bool
}

var (
	_ CallCmd  = (*callCmd)(nil)
	_ WriteCtx = (*callCmd)(nil)
)

// callBatch is how many calls are allocated together. The garbage collector frees them together, too, so that somebody
// who keeps a call keeps what a few others were about: no more of them than that saves.
const callBatch = 4

// calls are what is left of the last batches, one for each processor.
var calls = sync.Pool{New: func() any { return new(freshCalls) }}

// freshCalls are calls that nobody has used: they are handed out once, since callers may keep them.
type freshCalls struct {
	batch *[callBatch]callCmd
	used  int
}

func freshCall() *callCmd {
	f := calls.Get().(*freshCalls)
	defer calls.Put(f)
	if f.batch == nil {
		f.batch = new([callBatch]callCmd)
	}
	c := &f.batch[f.used]
	if f.used++; f.used == callBatch {
		*f = freshCalls{}
	}
	return c
}

var waiters = sync.Pool{New: func() any { return make(chan struct{}, 1) }}

func (s *session) newCall(method string, args, result any, settings []message.MsgSetting) *callCmd {
	c := freshCall()
	c.sess, c.result, c.start = s, result, clock.Now()
	s.fill(&c.output, message.TypeCall, method, args, settings)
	return c
}

// Call calls and waits for the reply.
func (s *session) Call(serviceMethod string, args, result any, setting ...message.MsgSetting) CallCmd {
	if s.begin() {
		defer s.end()
	}
	c := s.newCall(serviceMethod, args, result, setting)
	c.waiter = waiters.Get().(chan struct{})
	ctx, cancel := c.bounded()
	if cancel != nil {
		defer cancel()
	}
	if l, stat := c.launch(ctx); stat == nil {
		c.await(ctx, l)
		c.settle()
	} else {
		c.fail(stat)
	}
	waiters.Put(c.waiter)
	c.waiter = nil
	c.conclude()
	return c
}

// bounded returns the context that ends the call: that of the message and the context age, whichever ends first. It
// costs nothing where neither is set.
func (c *callCmd) bounded() (context.Context, context.CancelFunc) {
	if age := c.sess.ContextAge(); age > 0 {
		return context.WithDeadline(c.output.Context(), c.start.Std().Add(age))
	}
	return c.output.Context(), nil
}

// endedStatus is the status of a call, under way or about to be, that its context ended: CodeHandleTimeout or another
// code with the cause of the context. But a call that a handler makes back over a connection that is lost ended with the
// connection, whoever noticed first.
func (s *session) endedStatus(code int32, ctx context.Context) *Status {
	cause := context.Cause(ctx)
	var lost *linkEnded
	if errors.As(cause, &lost) && lost.link.sess == s {
		return closedStatus(lost.link.err)
	}
	return newStatus(code, cause)
}

// await waits for the reply, for ctx to end, or for the link to die, which delivers a failure.
func (c *callCmd) await(ctx context.Context, l *link) {
	done := ctx.Done()
	if done == nil {
		<-c.waiter
		c.arrive(l)
		return
	}
	select {
	case <-c.waiter:
		c.arrive(l)
		return
	case <-done:
	}
	if l.pending.take(c.output.Seq()) == c {
		c.stat = c.givenUp(ctx, l)
		return
	}
	<-c.waiter // the reply has found the call already
	c.arrive(l)
}

// givenUp is the status of a call that was under way over l when ctx ended. A peer that handles it learns that nobody
// waits any more; where time was over it knows, and no message is due.
func (c *callCmd) givenUp(ctx context.Context, l *link) *Status {
	if ctx.Err() == context.Canceled && !l.isGone() {
		l.sendCancel(c.output.Seq())
	}
	return c.sess.endedStatus(CodeHandleTimeout, ctx)
}
