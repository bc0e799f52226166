package multiclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

// session is what is used of drpc.Session.
type session interface {
	AsyncCall(uri string, arg, result any, done chan<- drpc.CallCmd, setting ...message.MsgSetting) drpc.CallCmd
	Push(uri string, arg any, setting ...message.MsgSetting) *drpc.Status
	Health() bool
	CloseNotify() <-chan struct{}
	Close() error
}

// pool is the sessions of a client. A session in it is free or taken. The one that was put back last is taken first, so
// that those not needed grow old; where a number of them are to take turns it is the first.
type pool struct {
	dial    func() (session, *drpc.Status)
	maxIdle time.Duration
	max     int
	turns   int // so many sessions take turns

	mu      sync.Mutex
	free    []parked // in the order in which they were put back
	taken   int
	dialing bool // one at a time: a server that comes back is not knocked at by all at once
	waiting []chan grant
	closed  bool
	sweeper *time.Timer // nil if nothing grows old
}

// parked is a free session.
type parked struct {
	sess  session
	since time.Time
}

// grant is what somebody gets that has waited: a session or the reason why not.
type grant struct {
	sess session
	stat *drpc.Status
}

func newPool(dial func() (session, *drpc.Status), opts Options) *pool {
	return &pool{
		dial: dial, maxIdle: opts.MaxIdle, max: opts.MaxSessions, turns: min(opts.MinSessions, opts.MaxSessions),
	}
}

// tryTake takes a free session, nil if there is none.
func (p *pool) tryTake() session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 || p.closed {
		return nil // not in front of those who wait
	}
	sess := p.pick()
	if sess != nil {
		p.taken++
	}
	return sess
}

// take waits for a session until ctx ends.
func (p *pool) take(ctx context.Context) (session, *drpc.Status) {
	mine := make(chan grant, 1)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, noSession(ErrClosed)
	}
	p.waiting = append(p.waiting, mine)
	p.serve()
	p.mu.Unlock()
	select {
	case g := <-mine:
		return g.sess, g.stat
	case <-ctx.Done():
	}
	if g, granted := p.leave(mine); granted {
		return g.sess, g.stat
	}
	return nil, unsent(drpc.CodeHandleTimeout, context.Cause(ctx))
}

// leave stops waiting. What was granted already is not given up: the call over it will end with its context.
func (p *pool) leave(mine chan grant) (g grant, granted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, mine); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return grant{}, false
	}
	return <-mine, true
}

// put gives a session back.
func (p *pool) put(sess session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	p.park(sess)
}

// park makes a session free, or closes one that is of no more use, and serves those who wait. p.mu is held.
func (p *pool) park(sess session) {
	if p.closed || isOver(sess) || p.maxIdle < 0 && len(p.waiting) == 0 {
		discard(sess)
	} else {
		p.free = append(p.free, parked{sess, time.Now()})
		p.sweepLater()
	}
	p.serve()
}

// serve gives those who wait what there is, and dials for the others. Nobody waits afterwards unless a session is taken or
// being dialled. p.mu is held.
func (p *pool) serve() {
	for len(p.waiting) > 0 {
		sess := p.pick()
		room := p.taken+len(p.free) < p.max
		switch {
		case sess != nil:
		case p.dialing:
			return
		case room:
			p.dialing = true
			go p.grow()
			return
		case p.taken > 0:
			return
		default:
			// All are between two connections: a call over one of them goes on with the next.
			sess = p.free[len(p.free)-1].sess
			p.free = p.free[:len(p.free)-1]
		}
		p.taken++
		p.grant(grant{sess: sess})
	}
}

// grant gives g to who has waited longest. p.mu is held.
func (p *pool) grant(g grant) {
	p.waiting[0] <- g
	p.waiting = slices.Delete(p.waiting, 0, 1)
}

// grow dials one more session.
func (p *pool) grow() {
	sess, stat := p.dial()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialing = false
	if stat == nil {
		p.park(sess)
		return
	}
	if p.taken > 0 {
		return // those who wait get what is put back
	}
	for len(p.waiting) > 0 {
		p.grant(grant{stat: noSession(reason(stat))})
	}
}

// pick removes the free session whose turn it is and that can send, nil if there is none, and forgets those that are lost
// for good. One that is between two connections stays. p.mu is held.
func (p *pool) pick() session {
	if len(p.free) == 0 {
		return nil
	}
	if p.taken+len(p.free) < p.turns && !p.dialing {
		p.dialing = true // nobody waits for it
		go p.grow()
	}
	keep := 0 // of those that were looked at: they are between two connections
	for len(p.free) > keep {
		i := len(p.free) - 1 - keep
		if p.turns > 0 {
			i = keep
		}
		sess := p.free[i].sess
		switch {
		case sess.Health():
			p.free = slices.Delete(p.free, i, i+1)
			return sess
		case isOver(sess):
			p.free = slices.Delete(p.free, i, i+1)
			discard(sess)
		default:
			keep++
		}
	}
	return nil
}

// size is the number of free sessions that can send.
func (p *pool) size() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.free {
		if f.sess.Health() {
			n++
		}
	}
	return n
}

// sweepLater sees to it that free sessions do not grow too old. p.mu is held.
func (p *pool) sweepLater() {
	if p.maxIdle > 0 && p.sweeper == nil && len(p.free) > 0 {
		p.sweeper = time.AfterFunc(time.Until(p.free[0].since.Add(p.maxIdle)), p.sweep)
	}
}

// sweep closes the sessions that were not needed for too long.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	old := 0
	for old < len(p.free) && time.Since(p.free[old].since) >= p.maxIdle {
		discard(p.free[old].sess)
		old++
	}
	p.free = slices.Delete(p.free, 0, old)
	p.sweepLater()
}

// close closes the free sessions; those that are taken, or being dialled, are closed when they are put back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
	for len(p.waiting) > 0 {
		p.grant(grant{stat: noSession(ErrClosed)})
	}
	free := p.free
	p.free = nil
	p.mu.Unlock()
	for _, f := range free {
		_ = f.sess.Close() // closed is closed, however
	}
}

// isOver reports whether a session is lost for good, and not between two connections.
func isOver(sess session) bool {
	if sess.Health() {
		return false
	}
	select {
	case <-sess.CloseNotify():
		return true
	default:
		return false
	}
}

// discard closes a session, which may wait for replies, without making anybody wait for that.
func discard(sess session) { go func() { _ = sess.Close() }() }

// noSession is the status of what finds no session.
func noSession(why error) *drpc.Status { return unsent(drpc.CodeWrongConn, why) }

// unsent is the status of what was not sent.
func unsent(code int32, why error) *drpc.Status {
	return drpc.NewStatus(code, drpc.CodeText(code), fmt.Errorf("%w: %w", drpc.ErrNotExecuted, why))
}

// reason is why a dial has failed.
func reason(stat *drpc.Status) error {
	if cause := stat.Cause(); cause != nil {
		return cause
	}
	return errors.New(stat.String())
}
