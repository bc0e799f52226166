package drpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/bufpool"
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

// launch sends the call. With a nil status it is, or was, pending on the link it returns.
func (c *callCmd) launch(ctx context.Context) (*link, *Status) {
	if stat := c.prepare(ctx); stat != nil {
		return nil, stat
	}
	return c.transmit(ctx)
}

// prepare is what happens once before a call is sent, over however many connections that is tried.
func (c *callCmd) prepare(ctx context.Context) *Status {
	if stat := c.sess.ep.plugins.hooks().onWrite(hookBeforeWriteCall, c); stat != nil {
		return stat
	}
	if ctx.Err() != nil {
		return unsent(c.sess.endedStatus(CodeWriteFailed, ctx))
	}
	return nil
}

// transmit sends the call over the next connection there is.
func (c *callCmd) transmit(ctx context.Context) (*link, *Status) {
	for {
		l, stat := c.sess.acquire(ctx, c.output.RedialPolicy())
		if stat != nil {
			return nil, stat
		}
		if sent, stat := c.sendOver(ctx, l); sent || stat != nil {
			return l, stat
		}
		// The link was gone before a byte was written: whether there is a next one is for acquire to say, once the
		// reader has noticed too.
		if stat = c.sess.awaitLoss(ctx, l); stat != nil {
			return nil, stat
		}
	}
}

// sendOver sends the call over l and runs the hooks behind that. False without a status means that l was gone before
// anything was written.
func (c *callCmd) sendOver(ctx context.Context, l *link) (sent bool, stat *Status) {
	hooks := c.sess.ep.plugins.hooks()
	c.hooked = len(hooks.write[hookAfterWriteCall]) > 0
	sent, stat = c.send(ctx, l, c.hooked)
	if sent && stat == nil && c.hooked && !l.isGone() {
		c.sess.warnHook(hookAfterWriteCall, hooks.onWrite(hookAfterWriteCall, c))
	}
	return sent, stat
}

// send enters the call in the table of l and writes it; see sendOver for what it returns.
func (c *callCmd) send(ctx context.Context, l *link, wait bool) (sent bool, stat *Status) {
	if end, ok := ctx.Deadline(); ok {
		c.output.SetTimeout(time.Until(end))
	}
	frame, err := encodeGuarded(l, &c.output)
	if err != nil {
		return false, notExecuted(CodeWriteFailed, err)
	}
	seq := c.output.Seq()
	if !l.pending.add(seq, c) {
		bufpool.Put(frame)
		return false, nil
	}
	if l.reader.busy() {
		l.readOn() // it may be this very goroutine, and the reply has to be read
	}
	err = l.send(ctx, frame, wait)
	if err == nil || l.pending.take(seq) != c {
		return true, nil // or somebody else is delivering a failure: that one counts
	}
	if errors.Is(err, socket.ErrNotSent) {
		return false, nil
	}
	return false, writeStatus(err)
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

// announced reports whether the reader has promised to the outbox of the reply's link that the caller is coming. One
// that runs hooks may be blocked in them, and is not waited for.
func (c *callCmd) announced() bool { return (c.reply != nil || c.settled) && !c.hooked }

// arrive keeps the promise that was made with the reply, which came over l.
func (c *callCmd) arrive(l *link) {
	if c.announced() {
		l.sock.Arrive()
	}
}

// deliver ends a call without a reply. Who calls it has taken c out of the pending table.
func (c *callCmd) deliver(stat *Status) {
	c.stat = stat
	if c.waiter != nil {
		c.waiter <- struct{}{}
	} else if c.reach(stageAnswered) {
		c.sess.ep.workers.submit(c)
	}
}

// answer hands a reply over that the reader has taken c out of the pending table for. It is decoded on the way, or still
// encoded.
func (c *callCmd) answer(reply *handlerCtx) {
	l := reply.link
	if c.settleAtOnce(reply) {
		l.sess.ep.putCtx(reply)
	} else {
		reply.keep()
		c.reply = reply
	}
	if c.waiter == nil {
		if c.reach(stageAnswered) {
			l.enqueue(c)
		}
		return
	}
	if c.announced() {
		l.sock.Expect()
	}
	c.waiter <- struct{}{}
}

// fail ends a call that has no reply.
func (c *callCmd) fail(stat *Status) {
	c.stat = stat
	if debugEnabled() {
		var none message.Msg
		none.SetStatus(stat)
		c.cost = c.start.Since()
		c.sess.ep.logCall(c, &none)
	}
}

// settle looks at what was delivered: it decodes a reply into the result.
func (c *callCmd) settle() {
	if c.settled {
		return
	}
	in := c.reply
	if in == nil {
		c.fail(c.stat)
		return
	}
	c.reply = nil
	in.call = c
	c.stat = c.read(in)
	c.inputCodec = in.input.BodyCodec()
	if in.input.MetaLen() > 0 {
		in.input.DetachMeta()
		c.inputMeta = in.input.Meta()
	}
	c.cost = in.start.Sub(c.start) // the reader's clock: another reading would cost more than it tells
	if debugEnabled() {
		c.sess.ep.logCall(c, &in.input)
	}
	c.sess.ep.putCtx(in)
}

// read runs the hooks of a reply and decodes its body. What a peer sends beside an error is decoded too.
func (c *callCmd) read(in *handlerCtx) (stat *Status) {
	defer func() {
		if r := recover(); r != nil {
			stat = newStatus(CodeInternalServerError, recovered("decoding of the reply to "+c.output.ServiceMethod(), r))
		}
	}()
	hooks := in.sess.ep.plugins.hooks()
	in.input.SetBody(c.result)
	if stat = hooks.onRead(hookAfterReadReplyHeader, in); stat != nil {
		return stat
	}
	if stat = hooks.onRead(hookBeforeReadReplyBody, in); stat != nil {
		return stat
	}
	if !takesBytes(in.input.Body()) && len(in.input.EncodedBody()) > 0 {
		return newStatus(CodeBadMessage, errNoTarget)
	}
	if err := in.input.DecodeBody(); err != nil {
		return newStatus(CodeBadMessage, err)
	}
	if !in.input.StatusOK() {
		return in.input.Status()
	}
	return hooks.onRead(hookAfterReadReplyBody, in)
}

// errNoTarget is what a caller gets who wants raw bytes and left no place to put them: no codec is asked about bytes,
// so nobody else would say so.
var errNoTarget = errors.New("the result is raw bytes, but not a pointer to put them behind")

func takesBytes(target any) bool {
	switch target := target.(type) {
	case []byte:
		return false
	case *[]byte:
		return target != nil
	}
	return true
}

// conclude makes the outcome final.
func (c *callCmd) conclude() {
	if c.stat.OK() {
		c.stat = nil
	}
	if c.cost <= 0 {
		c.cost = c.start.Since()
	}
	c.observe()
	c.final.Store(true)
}
