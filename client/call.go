package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

// MetaIdempotent is the meta key that marks a message as idempotent. It travels with the message: a proxy may go by it,
// too.
const MetaIdempotent = "X-Idempotent"

// WithIdempotent marks one call or push as one that does no harm when it is executed twice: it is tried again also where
// it may have been executed.
func WithIdempotent() message.MsgSetting { return message.WithSetMeta(MetaIdempotent, "1") }

// attempt is the state of one call or push over its attempts.
type attempt struct {
	c        *RpcClient
	ctx      context.Context
	began    clock.Time
	tried    []*registry.Node
	tries    int
	sent     choice
	settings []message.MsgSetting
}

func (c *RpcClient) newAttempt(settings []message.MsgSetting) *attempt {
	c.begin()
	c.budget.earn()
	return &attempt{c: c, ctx: contextOf(settings), began: clock.Now(), settings: settings}
}

// contextOf returns the context that the settings give a message.
func contextOf(settings []message.MsgSetting) context.Context {
	if len(settings) == 0 {
		return context.Background()
	}
	m := message.GetMessage(settings...)
	defer message.PutMessage(m)
	return m.Context()
}

// next returns a session to send over. A node that is being asked for a sign of life is passed over if there is another.
func (a *attempt) next() (drpc.Session, *drpc.Status) {
	c := a.c
	if c.closed.Load() {
		return nil, closedStatus()
	}
	a.tries++
	avoid := a.tried
	for {
		chosen, err := c.choose(a.ctx, avoid)
		if err != nil {
			return nil, c.choiceStatus(a.ctx, err)
		}
		patient := contains(avoid[len(a.tried):], chosen.node)
		sess, stat := c.pool.get(a.ctx, chosen.node, patient)
		switch {
		case stat == nil:
			a.sent = chosen
			return sess, nil
		case errors.Is(stat.Cause(), errSuspect):
			chosen.done(selector.Ignored)
			avoid = append(avoid[:len(avoid):len(avoid)], chosen.node)
			continue
		case stat.Code() == drpc.CodeDialFailed:
			chosen.done(selector.Unreachable)
		default:
			chosen.done(selector.Ignored)
		}
		a.tried = append(a.tried, chosen.node)
		return nil, stat
	}
}

// over tells the selector how the message that was sent went.
func (a *attempt) over(stat *drpc.Status) {
	a.sent.done(outcomeOf(stat))
	if stat != nil {
		a.tried = append(a.tried, a.sent.node)
	}
}

// report tells the metrics of a message that is over and had no session at last. Sessions tell of what is sent over them.
func (c *RpcClient) report(kind drpc.ObservedKind, method string, stat *drpc.Status, began clock.Time) {
	drpc.Report(c.endpoint, drpc.Observation{Kind: kind, ServiceMethod: method, Status: stat, Cost: began.Since()})
}

// again reports whether to try again after a failure, having waited if the servers are busy.
func (a *attempt) again(method string, stat *drpc.Status) bool {
	if stat.OK() || a.tries >= a.c.opts.RetryTimes || a.ctx.Err() != nil || a.c.closed.Load() {
		return false
	}
	switch {
	case stat.Code() == drpc.CodeBusy:
		return a.c.budget.spend() && a.pause()
	case drpc.NotExecuted(stat):
		return true // nobody has worked for it yet
	case drpc.IsConnError(stat):
		return a.idempotent(method) && a.c.budget.spend()
	}
	return false
}

// idempotent reports whether the message does no harm when it is executed twice.
func (a *attempt) idempotent(method string) bool {
	if a.c.idempotent[method] {
		return true
	}
	if len(a.settings) == 0 {
		return false
	}
	m := message.GetMessage(a.settings...)
	defer message.PutMessage(m)
	return message.From(m).PeekMeta(MetaIdempotent) != nil
}

// busyPause is the unit of the pauses before a busy service is asked again.
const busyPause = 2 * time.Millisecond

// pause waits a moment, longer before each attempt; false is that the call has ended meanwhile.
func (a *attempt) pause() bool {
	t := time.NewTimer(rand.N(busyPause<<min(a.tries, 6) + 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.ctx.Done():
	case <-a.c.ctx.Done():
	}
	return false
}

// Call calls a node of the service and waits for the reply; see drpc.Session. What is tried again is said at the
// package. Where no node could be chosen the status is 500, with an error of package selector in its cause; where none
// could be dialled it is 105; after Close it is 100.
func (c *RpcClient) Call(serviceMethod string, args, result any, setting ...message.MsgSetting) drpc.CallCmd {
	return c.call(c.newAttempt(setting), serviceMethod, args, result)
}

func (c *RpcClient) call(a *attempt, method string, args, result any) drpc.CallCmd {
	for {
		sess, stat := a.next()
		if stat != nil {
			if !a.again(method, stat) {
				c.report(drpc.ObservedOwnCall, method, stat, a.began)
				return drpc.NewFakeCallCmd(method, args, result, stat)
			}
			continue
		}
		cmd := sess.Call(method, args, result, a.settings...)
		stat = cmd.Status()
		a.over(stat)
		if !a.again(method, stat) {
			return cmd
		}
	}
}

// Push pushes to a node of the service; see drpc.Session, and Call for what else may come of it.
func (c *RpcClient) Push(serviceMethod string, arg any, setting ...message.MsgSetting) *drpc.Status {
	a := c.newAttempt(setting)
	for {
		sess, stat := a.next()
		if stat != nil {
			if !a.again(serviceMethod, stat) {
				c.report(drpc.ObservedOwnPush, serviceMethod, stat, a.began)
				return stat
			}
			continue
		}
		stat = sess.Push(serviceMethod, arg, setting...)
		if stat == nil {
			a.sent.done(selector.Ignored) // it says nothing about how long the node takes
			return nil
		}
		a.over(stat)
		if !a.again(serviceMethod, stat) {
			return stat
		}
	}
}

// AsyncCall starts a call and returns. When it is done it is sent on callCmdChan, which must have a buffer; nil makes
// one. It panics on an unbuffered channel. It is tried again as Call is: neither args nor result may be touched before
// it is done.
func (c *RpcClient) AsyncCall(serviceMethod string, arg, result any, callCmdChan chan<- drpc.CallCmd, setting ...message.MsgSetting) drpc.CallCmd {
	if callCmdChan == nil {
		callCmdChan = make(chan drpc.CallCmd, 1)
	} else if cap(callCmdChan) == 0 {
		panic("*RpcClient.AsyncCall(): callCmdChan channel is unbuffered")
	}
	a := c.newAttempt(setting)
	cmd := newAsyncCmd(c.endpoint, serviceMethod, arg, result, setting)
	go func() {
		cmd.finish(c.call(a, serviceMethod, arg, result))
		callCmdChan <- cmd
		close(cmd.done) // after the channel, as for sessions
	}()
	return cmd
}
