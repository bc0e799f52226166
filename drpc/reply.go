package drpc

import (
	"context"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// reply answers a call with its result or its status.
func (c *handlerCtx) reply(result any) {
	out := &c.output
	if c.stat.OK() {
		if cause := c.outOfTime(); cause != nil {
			c.stat = newStatus(CodeHandleTimeout, cause)
		}
	}
	if out.PipeTFilter().Len() == 0 {
		out.PipeTFilter().AppendFrom(c.input.PipeTFilter())
	}
	out.SetSeq(c.input.Seq())
	out.SetMType(message.TypeReply)
	if c.stat.OK() {
		c.stat = nil
		if out.Body() == nil { // else AddTFilterId has left an error there
			out.SetBody(result)
		}
		out.SetBodyCodec(c.ReplyBodyCodec())
	} else {
		out.SetStatus(c.stat)
		out.SetBody(nil)
		out.SetBodyCodec(0)
	}
	c.sess.warnHook(hookBeforeWriteReply, c.hooks.onWrite(hookBeforeWriteReply, c))

	wait := len(c.hooks.write[hookAfterWriteReply]) > 0
	stat := c.writeReply(wait)
	if c.unsendable(stat) {
		// What the handler returned cannot be sent; that it cannot be is an answer too. It goes without what else was
		// put into the reply, which may be the reason, and if need be without anything.
		c.apologise(stat.Cause(), c.input.PipeTFilter())
		if stat = c.writeReply(wait); c.unsendable(stat) {
			c.apologise(nil, nil)
			stat = c.writeReply(wait)
		}
	}
	switch {
	case stat == nil && wait:
		c.sess.warnHook(hookAfterWriteReply, c.hooks.onWrite(hookAfterWriteReply, c))
	case stat != nil:
		logDebugf("reply to %s was not written: %v (session %s)", c.input.ServiceMethod(), stat, c.sess.ID())
	}
}

// unsendable reports whether a reply was not written because of what is in it.
func (c *handlerCtx) unsendable(stat *Status) bool {
	return stat != nil && stat.Code() == CodeWriteFailed && !c.link.isGone()
}

// apologise replaces the reply by one that says only why there is none.
func (c *handlerCtx) apologise(cause error, pipe *tfilter.PipeTFilter) {
	out := &c.output
	out.Clear()
	out.SetSeq(c.input.Seq())
	out.SetMType(message.TypeReply)
	if pipe != nil {
		out.PipeTFilter().AppendFrom(pipe)
	}
	c.stat = newStatus(CodeInternalServerError, cause)
	out.SetStatus(c.stat)
}

// writeReply writes over the connection that the call came from, never another one: its sequence number means
// something else there.
func (c *handlerCtx) writeReply(wait bool) *Status {
	frame, err := encodeGuarded(c.link, &c.output)
	if err != nil {
		return newStatus(CodeWriteFailed, err)
	}
	c.observe() // before the caller can know the outcome, so that nobody finds it missing
	c.answered = true
	return writeStatus(c.link.send(context.Background(), frame, wait))
}
