package multiclient

import (
	"context"
	"errors"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/clock"
)

// DefaultMaxSessions is how many sessions a client has at most unless Options says otherwise.
const DefaultMaxSessions = 32

// ErrClosed is in the cause of the status of what is called or pushed after Close.
var ErrClosed = errors.New("multiclient is closed")

// Options are the limits of a client. The zero value means the defaults.
type Options struct {
	// MaxIdle is how long a session is kept that nobody sends over; replies may come meanwhile. 0 is for ever, negative is
	// not at all: each session is closed after one message and its reply.
	MaxIdle time.Duration
	// MaxSessions is how many sessions there are at most, 32 by default; those that only wait for replies before they are
	// closed do not count. Whoever finds all of them sending waits, until its context ends.
	MaxSessions int
	// MinSessions is how many sessions take turns, once the client is used, at most MaxSessions; 0 is as few as will do.
	// It is for paths on which one connection does not reach what several do.
	MinSessions int
}

// MultiClient calls one address over as many sessions as it takes.
type MultiClient struct {
	endpoint drpc.Endpoint
	addr     string
	pool     *pool
}

// New makes a client that dials addr with endpoint when it is first used. A session that nobody sends over for
// maxIdleDuration is closed; 0 keeps it for ever, a negative one closes it after each use. Without a protocol the default
// one is used; of several only the first counts.
func New(endpoint drpc.Endpoint, addr string, maxIdleDuration time.Duration, protoFunc ...proto.ProtoFunc) *MultiClient {
	return NewWith(endpoint, addr, Options{MaxIdle: maxIdleDuration}, protoFunc...)
}

// NewWith is New with options.
func NewWith(endpoint drpc.Endpoint, addr string, opts Options, protoFunc ...proto.ProtoFunc) *MultiClient {
	if opts.MaxSessions <= 0 {
		opts.MaxSessions = DefaultMaxSessions
	}
	dial := func() (session, *drpc.Status) {
		sess, stat := endpoint.Dial(addr, protoFunc...)
		if stat != nil {
			return nil, stat
		}
		return sess, nil
	}
	return &MultiClient{endpoint: endpoint, addr: addr, pool: newPool(dial, opts)}
}

// Addr returns the address that is dialled.
func (c *MultiClient) Addr() string { return c.addr }

// Endpoint returns the endpoint that dials.
func (c *MultiClient) Endpoint() drpc.Endpoint { return c.endpoint }

// Size returns how many sessions are free. One whose connection is lost is not.
func (c *MultiClient) Size() int { return c.pool.size() }

// Close closes the sessions gracefully, each after the replies that it waits for, and fails what is called from now on
// with status 100 and [ErrClosed]. A session that somebody is just sending over closes in the same way once that is sent,
// and is not waited for. The endpoint stays open. From a handler or a hook of the framework Close starts that and returns.
func (c *MultiClient) Close() { c.pool.close() }

// AsyncCall begins a call and returns once it is sent, or has failed. It waits for a session where none is free, until one
// is or the context of the call ends. The call is sent to callCmdChan when it is done; nil is no channel, and one without
// a buffer panics. See [MultiClient.Call] for what can go wrong.
func (c *MultiClient) AsyncCall(uri string, arg, result any, callCmdChan chan<- drpc.CallCmd, setting ...message.MsgSetting) drpc.CallCmd {
	if callCmdChan != nil && cap(callCmdChan) == 0 {
		panic("*MultiClient.AsyncCall(): callCmdChan channel is unbuffered")
	}
	sess, stat := c.take(drpc.ObservedOwnCall, uri, setting)
	if stat != nil {
		failed := drpc.NewFakeCallCmd(uri, arg, result, stat)
		select {
		case callCmdChan <- failed: // nil is never ready
		default:
			if callCmdChan != nil {
				go func() { callCmdChan <- failed }() // it is full, which may keep a call waiting but not its caller
			}
		}
		return failed
	}
	defer c.pool.put(sess) // also where a setting or a codec panics
	return sess.AsyncCall(uri, arg, result, callCmdChan, setting...)
}

// Call calls and waits for the reply, at most as long as the context of the call. What can go wrong with a session can go
// wrong here. Beside that the status is 100, with the error of the dial in its cause, where no session came up, and 408
// where the context ended before there was a free one; nothing was sent then, and drpc.NotExecuted is true.
func (c *MultiClient) Call(uri string, arg, result any, setting ...message.MsgSetting) drpc.CallCmd {
	cmd := c.AsyncCall(uri, arg, result, make(chan drpc.CallCmd, 1), setting...)
	<-cmd.Done()
	return cmd
}

// Push sends a message that is not answered. Its status is that of Session.Push, or, like that of [MultiClient.Call],
// says that there is no session.
func (c *MultiClient) Push(uri string, arg any, setting ...message.MsgSetting) *drpc.Status {
	sess, stat := c.take(drpc.ObservedOwnPush, uri, setting)
	if stat != nil {
		return stat
	}
	defer c.pool.put(sess)
	return sess.Push(uri, arg, setting...)
}

// take takes a session, within the time that the message has. Where there is none it tells the observers, since no session
// will.
func (c *MultiClient) take(kind drpc.ObservedKind, uri string, settings []message.MsgSetting) (session, *drpc.Status) {
	if sess := c.pool.tryTake(); sess != nil {
		return sess, nil
	}
	began, ctx := clock.Now(), context.Background()
	if len(settings) > 0 {
		ctx = message.NewMessage(settings...).Context()
	}
	sess, stat := c.pool.take(ctx)
	if stat != nil {
		drpc.Report(c.endpoint, drpc.Observation{Kind: kind, ServiceMethod: uri, Status: stat, Cost: began.Since()})
	}
	return sess, stat
}
