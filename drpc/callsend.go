package drpc

import (
	"context"
	"errors"
	"time"

	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/bufpool"
)

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
