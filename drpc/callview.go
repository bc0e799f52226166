package drpc

import (
	"context"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
)

// closedChan is the Done channel of calls that were over before anybody could ask.
var closedChan = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

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

// What follows, with Context and Output, makes the call the context of its write hooks.

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
