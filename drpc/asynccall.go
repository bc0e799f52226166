package drpc

import (
	"context"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
)

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

// expireWith ends an asynchronous call with its context.
func (c *callCmd) expireWith(ctx context.Context, cancel context.CancelFunc, l *link) {
	stop := context.AfterFunc(ctx, func() {
		if l.pending.take(c.output.Seq()) == c {
			c.deliver(c.givenUp(ctx, l))
		}
	})
	c.async.expires = func() bool {
		if cancel != nil {
			defer cancel()
		}
		return stop()
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
