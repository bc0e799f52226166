package drpc

import (
	"errors"

	"github.com/osgochina/dmicro/drpc/message"
)

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
