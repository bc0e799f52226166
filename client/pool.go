package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/heartbeat"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/backoff"
	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/registry"
)

const (
	// signOfLife is how long a node that was lost has to answer over its new session.
	signOfLife = 2 * time.Second
	// shortestPause and longestPause bound the time after a dial that failed in which the node is not dialled again: calls
	// fail at once meanwhile, or go elsewhere.
	shortestPause = 50 * time.Millisecond
	longestPause  = time.Second
)

// pool is one session for each node, by address.
type pool struct {
	endpoint drpc.Endpoint
	proto    []proto.ProtoFunc
	// failed is told of each node that could not be dialled.
	failed func(node *registry.Node)

	mu     sync.Mutex
	byAddr sync.Map // string to *slot; written under mu
	closed bool
	tasks  sync.WaitGroup // dials, and whatever else spawn has begun
}

// slot is the session of one node.
type slot struct {
	pool *pool
	addr string
	// session is the one that is used; nil while there is none.
	session atomic.Pointer[drpc.Session]

	mu      sync.Mutex
	dialing *dialing // nil while nobody dials
	// suspect says that the last session was lost, or could not be made: the next one has to prove itself, and nobody
	// needs to wait for it who can go elsewhere.
	suspect bool
	gone    bool // the node has left
	node    *registry.Node
	// After a dial that failed: what came of it, and until when there is no other one.
	failure   *drpc.Status
	notBefore clock.Time
	pauses    backoff.Series
}

// dialing is one dial that many may wait for.
type dialing struct {
	done chan struct{}
	sess drpc.Session // after done
	stat *drpc.Status
}

var (
	errClosed   = errors.New("client is closed")
	errNodeLeft = errors.New("the node has left")
	errSuspect  = errors.New("the node is being asked for a sign of life")
)

func newPool(endpoint drpc.Endpoint, pf proto.ProtoFunc, failed func(*registry.Node)) *pool {
	p := &pool{endpoint: endpoint, failed: failed}
	if pf != nil {
		p.proto = []proto.ProtoFunc{pf}
	}
	return p
}

// get returns the session to a node, dialled if need be. With patient false it does not wait for a node that was lost
// before; the status then has errSuspect as its cause.
func (p *pool) get(ctx context.Context, node *registry.Node, patient bool) (drpc.Session, *drpc.Status) {
	s := p.slot(node.Address)
	if s == nil {
		return nil, closedStatus()
	}
	if sess := s.session.Load(); sess != nil && (*sess).Health() {
		return *sess, nil
	}
	d, wait := s.dial(node, patient)
	if !wait {
		return nil, unreachable(errSuspect)
	}
	select {
	case <-d.done:
		return d.sess, d.stat
	case <-ctx.Done():
		return nil, drpc.NewStatus(drpc.CodeHandleTimeout, drpc.CodeText(drpc.CodeHandleTimeout),
			errors.Join(drpc.ErrNotExecuted, context.Cause(ctx)))
	}
}

func unreachable(cause error) *drpc.Status {
	return drpc.NewStatus(drpc.CodeDialFailed, drpc.CodeText(drpc.CodeDialFailed), cause)
}

// slot returns the slot of an address; nil once the pool is closed.
func (p *pool) slot(addr string) *slot {
	if s, ok := p.byAddr.Load(addr); ok {
		return s.(*slot)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	s, _ := p.byAddr.LoadOrStore(addr, &slot{pool: p, addr: addr, pauses: backoff.Series{First: shortestPause, Last: longestPause}})
	return s.(*slot)
}

// dial returns the dial that is under way, begun if need be, and whether to wait for it.
func (s *slot) dial(node *registry.Node, patient bool) (d *dialing, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return failedDial(unreachable(errNodeLeft)), true
	}
	if sess := s.session.Load(); sess != nil {
		if (*sess).Health() { // another one has dialled meanwhile
			d = &dialing{done: make(chan struct{}), sess: *sess}
			close(d.done)
			return d, true
		}
		s.session.Store(nil)
		s.suspect = true
	}
	wait = patient || !s.suspect
	if s.dialing == nil {
		if s.failure != nil && clock.Now() < s.notBefore {
			return failedDial(s.failure), true
		}
		begun, suspect := &dialing{done: make(chan struct{})}, s.suspect
		if !s.pool.spawn(func() { s.run(begun, suspect) }) {
			return failedDial(closedStatus()), true
		}
		s.node, s.dialing = node, begun
	}
	return s.dialing, wait
}

func failedDial(stat *drpc.Status) *dialing {
	d := &dialing{done: make(chan struct{}), stat: stat}
	close(d.done)
	return d
}

// spawn runs a task on a goroutine that Close waits for, unless the pool is closed.
func (p *pool) spawn(task func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.tasks.Go(task)
	}
	return !p.closed
}

// run dials.
func (s *slot) run(d *dialing, suspect bool) {
	sess, stat := s.pool.endpoint.Dial(s.addr, s.pool.proto...)
	if stat == nil && suspect {
		stat = alive(sess)
	}
	if stat != nil && sess != nil {
		drpc.Cut(sess, stat.Cause())
		sess = nil
	}
	s.mu.Lock()
	s.dialing = nil
	s.note(stat)
	left, node := s.gone, s.node
	if stat == nil && !left {
		sess.SetID(s.addr)
		s.session.Store(&sess)
	}
	s.mu.Unlock()
	if stat == nil && left {
		_ = sess.Close() // nobody uses it
		sess, stat = nil, unreachable(errNodeLeft)
	}
	if stat != nil && !left {
		s.pool.failed(node)
	}
	d.sess, d.stat = sess, stat
	close(d.done)
}

// note remembers how a dial went. The caller holds the lock.
func (s *slot) note(stat *drpc.Status) {
	s.suspect, s.failure = stat != nil, stat
	if stat == nil {
		s.pauses.Reset()
		return
	}
	s.notBefore = clock.Now() + clock.Time(s.pauses.Next())
}

// alive asks a peer for an answer, whatever it is: a process that has stopped still accepts connections.
func alive(sess drpc.Session) *drpc.Status {
	ctx, cancel := context.WithTimeout(context.Background(), signOfLife)
	defer cancel()
	stat := sess.Call(heartbeat.ServiceMethod, nil, nil, drpc.WithContext(ctx)).Status()
	if ctx.Err() != nil || drpc.IsConnError(stat) {
		return unreachable(stat.Cause())
	}
	return nil
}

// retain closes the sessions of all nodes that keep says no to, each after its last reply. It does not wait for them.
func (p *pool) retain(keep func(addr string) bool) {
	p.byAddr.Range(func(key, value any) bool {
		if !keep(key.(string)) {
			p.drop(value.(*slot))
		}
		return true
	})
}

// drop closes the session of a node that has left.
func (p *pool) drop(s *slot) {
	p.mu.Lock()
	p.byAddr.CompareAndDelete(s.addr, s)
	p.mu.Unlock()
	s.mu.Lock()
	s.gone = true
	sess := s.session.Swap(nil)
	s.mu.Unlock()
	if sess != nil {
		go func() { _ = (*sess).Close() }() // after its last reply; the endpoint waits for it when it closes
	}
}

// close refuses new sessions. Those that are there close with the endpoint.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.byAddr.Clear()
}
