package drpc

import (
	"errors"
	"runtime/debug"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/clock"
)

// requestKind is what differs between a call and a push on the receiving side.
type requestKind struct {
	name                               string
	afterHeader, beforeBody, afterBody hookKind
	answered                           bool
	lookup                             func(*routeTable, *message.Msg) *Handler
}

var (
	callKind = requestKind{
		name:        "CALL",
		afterHeader: hookAfterReadCallHeader, beforeBody: hookBeforeReadCallBody, afterBody: hookAfterReadCallBody,
		answered: true, lookup: (*routeTable).call,
	}
	pushKind = requestKind{
		name:        "PUSH",
		afterHeader: hookAfterReadPushHeader, beforeBody: hookBeforeReadPushBody, afterBody: hookAfterReadPushBody,
		lookup: (*routeTable).push,
	}
)

var (
	errNoServiceMethod = errors.New("invalid service method for message")
	errGoexit          = errors.New("the handler has ended its goroutine")
	errSessionClosing  = errors.New("session is closing, the call was not executed")
)

// onRequest routes a call or push and hands it to a worker. Hooks up to the body run here, one message after the
// other; everything that may take its time runs on the worker. A lone call of a quick handler runs here, too: see
// readerRole, which is lost if it returns false.
func (l *link) onRequest(c *handlerCtx, kind *requestKind) (kept bool) {
	s := l.sess
	c.kind = kind
	c.hooks = s.ep.plugins.hooks()
	c.counted = s.begin()
	overload := l.begin(c)
	if kind.answered {
		l.cancels.begin(c.input.Seq())
		if !l.served.Load() {
			l.served.Store(true)
		}
	}
	if overload != nil {
		// Answered here and not by a worker: a peer that sends without reading shall wait for itself, and not cost a
		// goroutine for each message.
		l.beforeWait()
		s.ep.counters.refused.Add(1)
		c.stat = newStatus(CodeBusy, overload)
		c.run()
		return true
	}
	c.stat = s.ep.route(c)
	c.prepare()
	if c.timed = kind.answered && c.stat == nil && l.alone(); c.timed && c.handler.quick.ok() {
		return l.runInline(c)
	}
	l.enqueue(c)
	return true
}

// route finds the handler of a request. A status says why there is none to run.
func (e *endpoint) route(c *handlerCtx) *Status {
	switch st := c.sess.getState(); {
	case st.closing():
		return newStatus(CodeBusy, errSessionClosing)
	case st == statePassiveLosing && c.link.over(c.kind):
		return newStatus(CodeBusy, errMoved)
	}
	if len(c.hooks.read[c.kind.afterHeader]) > 0 {
		if stat := c.hookOnReader(c.kind.afterHeader); stat != nil {
			return stat
		}
	}
	if len(c.input.ServiceMethodBytes()) == 0 && c.input.ServiceMethod() == "" {
		return newStatus(CodeBadMessage, errNoServiceMethod)
	}
	h := c.kind.lookup(e.router.table, &c.input)
	if h == nil {
		return newStatus(CodeNotFound, nil)
	}
	c.handler = h
	c.hooks = h.plugins.hooks()
	if len(c.hooks.read[c.kind.beforeBody]) > 0 {
		// Only these hooks can see or replace the target so early; otherwise the worker makes it.
		c.input.SetBody(h.newArg())
		return c.hookOnReader(c.kind.beforeBody)
	}
	return nil
}

// hookOnReader runs a hook that comes before the worker's part.
func (c *handlerCtx) hookOnReader(kind hookKind) *Status {
	c.link.beforeWait()
	s := c.sess
	s.hooking.Add(1)
	returned := false
	defer func() {
		s.hooking.Add(-1)
		if !returned {
			c.finish()
			c.abandoned()
			c.done()
		}
	}()
	stat := c.hooks.onRead(kind, c)
	returned = true
	return stat
}

// run is the worker's part of a request.
func (c *handlerCtx) run() {
	if c.timed {
		c.began = clock.Now()
	}
	c.runNow()
}

func (c *handlerCtx) runNow() {
	c.meter = c.sess.ep.meters.begin(c.handler)
	defer c.done()
	returned := false
	defer func() {
		if !returned {
			c.finish()
			c.abandoned()
		}
	}()
	result := c.handle()
	if c.timed {
		c.handler.quick.note(c.began.Since())
	}
	c.finish() // before the reply: who has it may call again at once
	switch {
	case c.kind.answered:
		c.reply(result)
	case c.stat.OK():
	case c.stat.Code() == CodeBusy: // as many as the peer likes: no lines for them in the log
		logDebugf("push %s: %v (session %s)", c.input.ServiceMethod(), c.stat, c.sess.ID())
	default:
		logWarnf("push %s: %v (session %s)", c.input.ServiceMethod(), c.stat, c.sess.ID())
	}
	c.observe()
	returned = true
	if debugEnabled() {
		c.sess.ep.logRequest(c)
	}
}

// abandoned fails a request whose handler, or a hook, has ended this goroutine: no reason to let a caller wait. No hook
// runs again, which might end it again.
func (c *handlerCtx) abandoned() {
	if c.answered {
		return
	}
	c.stat = newStatus(CodeInternalServerError, errGoexit)
	if c.kind.answered {
		c.apologise(errGoexit, c.input.PipeTFilter())
		if c.unsendable(c.writeReply(false)) {
			c.apologise(errGoexit, nil)
			c.writeReply(false)
		}
	}
	c.observe()
}

// done takes back what a request has occupied.
func (c *handlerCtx) done() {
	s, l, counted := c.sess, c.link, c.counted
	l.finished(c)
	l.cancels.settled(&l.running)
	s.ep.putCtx(c)
	if counted {
		s.end()
	}
}

// handle decodes the argument and runs the handler. Its status is left in c.stat.
func (c *handlerCtx) handle() (result any) {
	if !c.stat.OK() {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			logErrorf("handler of %s panicked: %v (session %s)\n%s", c.input.ServiceMethod(), r, c.sess.ID(), debug.Stack())
			result, c.stat = nil, newStatus(CodeInternalServerError, r)
		}
	}()
	if cause := c.outOfTime(); cause != nil {
		c.stat = newStatus(CodeHandleTimeout, cause)
		return nil
	}
	if !c.decoded {
		if c.input.Body() == nil {
			c.input.SetBody(c.handler.newArg())
		}
		if err := c.input.DecodeBody(); err != nil {
			c.stat = newStatus(CodeBadMessage, err)
			return nil
		}
	}
	if c.stat = c.hooks.onRead(c.kind.afterBody, c); c.stat != nil {
		return nil
	}
	if c.kind.answered {
		c.output.PipeTFilter().AppendFrom(c.input.PipeTFilter())
	}
	result, c.stat = c.handler.invoke(c)
	return result
}
