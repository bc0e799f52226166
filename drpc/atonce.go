package drpc

import (
	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
)

// maxAtOnce is the size of the largest body that the reader decodes itself. Larger ones would make others wait for a
// processor that they need not share.
const maxAtOnce = 4 << 10

// atOnce reports whether the reader decodes the body of m itself: where it was read to, while it is in the cache, instead
// of copying it for somebody else to decode. Only what runs no code of the application may: that might block.
func atOnce(m *message.Msg) bool {
	return len(m.EncodedBody()) <= maxAtOnce && m.MetaLen() == 0 && codec.AtOnce(m.BodyCodec(), m.Body()) && !debugEnabled()
}

// decodeAtOnce decodes the body of c on the reader.
func (c *handlerCtx) decodeAtOnce() (stat *Status) {
	defer func() {
		if r := recover(); r != nil {
			c.link.beforeWait() // a log may go anywhere, over this session too
			stat = newStatus(CodeInternalServerError, recovered("decoding of the body", r))
		}
	}()
	if err := c.input.DecodeBody(); err != nil {
		return newStatus(CodeBadMessage, err)
	}
	return nil
}

// keep makes c independent of the buffer that the next message is read to.
func (c *handlerCtx) keep() {
	if c.frame == nil {
		c.frame = c.link.sock.Keep(&c.input)
	}
}

// prepare decodes the argument of a routed call on the reader, or keeps the call for a worker to do that.
func (c *handlerCtx) prepare() {
	if c.stat == nil {
		if c.input.Body() == nil {
			c.input.SetBody(c.handler.newArg())
		}
		// A handler of unknown ones may decode the body itself, into something else than a hook has chosen.
		if !c.handler.IsUnknown() && atOnce(&c.input) {
			c.stat, c.decoded = c.decodeAtOnce(), true
			c.input.SetEncodedBody(nil)
			return
		}
	}
	c.keep()
}

// settleAtOnce decodes the reply in into the result on the reader, and reports whether it has. Hooks run on the
// goroutine of the caller, and so does what they come before.
func (c *callCmd) settleAtOnce(in *handlerCtx) bool {
	hooks := &in.sess.ep.plugins.hooks().read
	if c.hooked || !in.input.StatusOK() || len(hooks[hookAfterReadReplyHeader]) > 0 ||
		len(hooks[hookBeforeReadReplyBody]) > 0 || len(hooks[hookAfterReadReplyBody]) > 0 {
		return false
	}
	in.input.SetBody(c.result)
	if !atOnce(&in.input) {
		return false
	}
	c.stat = in.decodeAtOnce()
	c.inputCodec = in.input.BodyCodec()
	c.cost = in.start.Sub(c.start)
	c.settled = true
	return true
}
