package drpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
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
}

// asyncCall is what a call of AsyncCall needs beside others.
type asyncCall struct {
	done    chan struct{}
	notify  chan<- CallCmd
	stages  atomic.Int32
	counted bool        // as work of the session
	expires func() bool // stops the timer or the watch on the context
}

// Stages of an asynchronous call: it is completed when both are reached, by whoever comes second, so that AfterWrite
// hooks come before the reply is looked at.
const (
	stageWritten  int32 = 1
	stageAnswered int32 = 2
)

var (
	_ CallCmd  = (*callCmd)(nil)
	_ WriteCtx = (*callCmd)(nil)
)

// closedChan is the Done channel of calls that were over before anybody could ask.
var closedChan = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

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

// AsyncCall starts a call.
func (s *session) AsyncCall(serviceMethod string, args, result any, callCmdChan chan<- CallCmd, setting ...message.MsgSetting) CallCmd {
	if callCmdChan == nil {
		callCmdChan = make(chan CallCmd, 10)
	} else if cap(callCmdChan) == 0 {
		panic("*session.AsyncCall(): callCmdChan channel is unbuffered")
	}
	c := s.newCall(serviceMethod, args, result, setting) // may panic with a setting, and then nothing has begun
	c.async = &asyncCall{done: make(chan struct{}), notify: callCmdChan, counted: s.begin()}
	ctx, cancel := c.bounded()
	l, sent, stat := c.tryLaunch(ctx)
	if stat == nil && !sent {
		s.ep.workers.submit(&lateCall{c, ctx, cancel})
	} else {
		c.launched(ctx, cancel, l, stat)
	}
	return c
}

// lateCall is an asynchronous call whose session is between two connections: a worker waits for the next one, as its
// caller must not.
type lateCall struct {
	c      *callCmd
	ctx    context.Context
	cancel context.CancelFunc
}

func (p *lateCall) run() {
	l, stat := p.c.transmit(p.ctx)
	p.c.launched(p.ctx, p.cancel, l, stat)
}

// launched sees to it that an asynchronous call ends: it failed with stat, or is under way over l.
func (c *callCmd) launched(ctx context.Context, cancel context.CancelFunc, l *link, stat *Status) {
	if stat != nil {
		if cancel != nil {
			cancel()
		}
		c.fail(stat)
		c.sess.ep.workers.submit((*failedCall)(c))
		return
	}
	if ctx.Done() != nil {
		c.expireWith(ctx, cancel, l)
	}
	if c.reach(stageWritten) {
		c.sess.ep.workers.submit(c)
	}
}

// failedCall finishes, on a worker, a call that never left. The caller may not read its channel before AsyncCall
// returns.
type failedCall callCmd

func (f *failedCall) run() { (*callCmd)(f).finish() }

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

// tryLaunch is launch that does not wait for a connection: without a status and not sent, transmit is to go on.
func (c *callCmd) tryLaunch(ctx context.Context) (l *link, sent bool, stat *Status) {
	if stat = c.prepare(ctx); stat != nil {
		return nil, false, stat
	}
	if l, _, stat = c.sess.tryAcquire(); l == nil {
		return nil, false, stat
	}
	sent, stat = c.sendOver(ctx, l)
	return l, sent, stat
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
		warnHook(hookAfterWriteCall, hooks.onWrite(hookAfterWriteCall, c))
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
		c.arrive()
		return
	}
	select {
	case <-c.waiter:
		c.arrive()
		return
	case <-done:
	}
	if l.pending.take(c.output.Seq()) == c {
		c.stat = c.givenUp(ctx, l)
		return
	}
	<-c.waiter // the reply has found the call already
	c.arrive()
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
func (c *callCmd) announced() bool { return c.reply != nil && !c.hooked }

// arrive keeps the promise that was made with the reply.
func (c *callCmd) arrive() {
	if c.announced() {
		c.reply.link.sock.Arrive()
	}
}

// expireWith ends an asynchronous call with its context.
func (c *callCmd) expireWith(ctx context.Context, cancel context.CancelFunc, l *link) {
	stop := context.AfterFunc(ctx, func() {
		if l.pending.take(c.output.Seq()) == c {
			c.deliver(nil, c.givenUp(ctx, l))
		}
	})
	c.async.expires = func() bool {
		if cancel != nil {
			defer cancel()
		}
		return stop()
	}
}

// deliver hands the outcome over. The caller has taken c out of the pending table.
func (c *callCmd) deliver(reply *handlerCtx, stat *Status) {
	c.reply, c.stat = reply, stat
	if c.waiter != nil {
		if c.announced() {
			reply.link.sock.Expect()
		}
		c.waiter <- struct{}{}
		return
	}
	if !c.reach(stageAnswered) {
		return
	}
	if reply != nil {
		reply.link.enqueue(c)
	} else {
		c.sess.ep.workers.submit(c)
	}
}

// reach notes a stage of an asynchronous call. It reports whether that was the last one, whose goroutine then sees to
// the completion.
func (c *callCmd) reach(stage int32) bool {
	return c.async.stages.Or(stage)|stage == stageWritten|stageAnswered
}

// run completes an asynchronous call on a worker.
func (c *callCmd) run() {
	if expires := c.async.expires; expires != nil {
		expires()
	}
	c.settle()
	c.finish()
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

// finish makes an asynchronous call known as done.
func (c *callCmd) finish() {
	c.conclude()
	// A channel that nobody reads holds this worker up, but neither the session nor its Close.
	if c.async.counted {
		c.sess.end()
	}
	c.async.notify <- c
	close(c.async.done) // after the channel, as callers rely on
}

// TraceEndpoint returns the endpoint that calls.
func (c *callCmd) TraceEndpoint() (Endpoint, bool) { return c.sess.ep, true }

// TraceSession returns the session.
func (c *callCmd) TraceSession() (Session, bool) { return c.sess, true }

// Context returns the context of the message.
func (c *callCmd) Context() context.Context { return c.output.Context() }

// Output returns the message sent.
func (c *callCmd) Output() message.Message { return &c.output }

// StatusOK reports whether the call was successful so far.
func (c *callCmd) StatusOK() bool { return c.Status().OK() }

// Status returns the outcome of the call, nil before it is done.
func (c *callCmd) Status() *Status {
	if !c.final.Load() {
		return nil
	}
	return c.stat
}

// Done returns a channel that closes when the call is done.
func (c *callCmd) Done() <-chan struct{} {
	if c.async == nil {
		return closedChan
	}
	return c.async.done
}

// Reply waits and returns the result and the status.
func (c *callCmd) Reply() (any, *Status) {
	<-c.Done()
	return c.result, c.stat
}

// InputBodyCodec waits and returns the codec of the reply.
func (c *callCmd) InputBodyCodec() byte {
	<-c.Done()
	return c.inputCodec
}

// InputMeta waits and returns the meta of the reply.
func (c *callCmd) InputMeta() *gmap.Map {
	<-c.Done()
	if c.inputMeta == nil {
		return gmap.New(true)
	}
	return c.inputMeta
}

// CostTime waits and returns how long the call took.
func (c *callCmd) CostTime() time.Duration {
	<-c.Done()
	return c.cost
}

// Endpoint, Session, IP, RealIP and Swap make the call the context of its write hooks.

// Endpoint returns the endpoint that calls.
func (c *callCmd) Endpoint() Endpoint { return c.sess.ep }

// Session returns the session.
func (c *callCmd) Session() CtxSession { return c.sess }

// IP returns the address of the peer.
func (c *callCmd) IP() string { return c.sess.RemoteAddr().String() }

// RealIP returns the address that the call says it comes from, else IP.
func (c *callCmd) RealIP() string { return realIP(&c.output, c.sess) }

// Swap returns the values of this call.
func (c *callCmd) Swap() *gmap.Map {
	if c.swap == nil {
		c.swap = c.sess.copySwap()
	}
	return c.swap
}

func realIP(m *message.Msg, s *session) string {
	if v := m.PeekMeta(message.MetaRealIP); v != nil {
		if ip := fmt.Sprint(v); ip != "" {
			return ip
		}
	}
	return s.RemoteAddr().String()
}

// NewFakeCallCmd returns a call that is done with stat, for what fails before there is a session to call over.
func NewFakeCallCmd(serviceMethod string, arg, result any, stat *Status) CallCmd {
	f := &fakeCall{result: result, stat: stat}
	f.output.SetMType(message.TypeCall)
	f.output.SetServiceMethod(serviceMethod)
	f.output.SetBody(arg)
	return f
}

// fakeCall is a call that never had a session.
type fakeCall struct {
	output message.Msg
	result any
	stat   *status.Status
}

func (f *fakeCall) TraceEndpoint() (Endpoint, bool) { return nil, false }
func (f *fakeCall) TraceSession() (Session, bool)   { return nil, false }
func (f *fakeCall) Context() context.Context        { return f.output.Context() }
func (f *fakeCall) Output() message.Message         { return &f.output }
func (f *fakeCall) StatusOK() bool                  { return f.stat.OK() }
func (f *fakeCall) Status() *Status                 { return f.stat }
func (f *fakeCall) Done() <-chan struct{}           { return closedChan }
func (f *fakeCall) Reply() (any, *Status)           { return f.result, f.stat }
func (f *fakeCall) InputBodyCodec() byte            { return codec.NilCodecID }
func (f *fakeCall) InputMeta() *gmap.Map            { return gmap.New(true) }
func (f *fakeCall) CostTime() time.Duration         { return 0 }
