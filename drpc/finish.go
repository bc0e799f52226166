package drpc

import "fmt"

// OnFinish has fn called once when the handler of a request is done, or when it is certain that it will not run: refused
// by a hook, unknown, panicked, gone. That is before the reply is sent. A plugin that takes something for a request in a
// hook gives it back there, whatever becomes of the request. It returns false, and calls nothing, where ctx belongs to no
// request of the peer, or to one whose handler is done.
//
// Functions run in the reverse order of their registration, on the goroutine of the handler; a panic in one is logged.
// Only the hooks and the handler of the request may register.
func OnFinish(ctx EarlyCtx, fn func()) bool {
	c, ok := ctx.(*handlerCtx)
	if !ok || c.kind == nil || c.finished || fn == nil {
		return false
	}
	c.finishers = append(c.finishers, fn)
	return true
}

// finish calls what OnFinish has registered.
func (c *handlerCtx) finish() {
	c.finished = true
	for c.finishers != nil {
		c.finishNext()
	}
}

func (c *handlerCtx) finishNext() {
	last := len(c.finishers) - 1
	fn := c.finishers[last]
	if c.finishers = c.finishers[:last]; last == 0 {
		c.finishers = nil
	}
	defer func() {
		if r := recover(); r != nil {
			_ = recovered(fmt.Sprintf("what follows the handler of %s (session %s)", c.input.ServiceMethod(), c.sess.ID()), r)
		}
	}()
	fn()
}
