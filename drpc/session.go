package drpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/clock"
)

// session is what stays when connections come and go: the id, the swap, the sequence numbers and the ages. Its
// connection of the moment is a link.
type session struct {
	ep        *endpoint
	protoFunc []socket.ProtoFunc
	target    string // address to redial; empty for accepted sessions
	accepted  bool   // counts against MaxSessions

	since    clock.Time     // when it was accepted or dialled
	traffic  socket.Traffic // of all its connections
	redialed atomic.Uint64  // how often
	retired  traffic        // what the endpoint has taken over from traffic, under the lock of the endpoint

	id         atomic.Pointer[string]
	addrID     string // the id that an address gave, under the lock of the hub
	seq        atomic.Int32
	sessionAge atomic.Int64 // time.Duration
	contextAge atomic.Int64 // time.Duration

	// state changes under mu and is read without. changed closes at each change, for those who wait for one.
	state   atomic.Int32
	mu      sync.Mutex
	changed chan struct{}
	swap    *gmap.Map

	backoff  backoff
	failures uint64 // attempts to redial that have failed, under mu
	failure  error  // why the last one has, or the session was given up, under mu

	// link is the connection that calls use; early is the one that is being prepared.
	link  atomic.Pointer[link]
	early atomic.Pointer[link]

	moving    *handover // under mu
	departing []*link   // connections that others have replaced and that still answer, under mu
	left      bool      // the peer has moved to another connection, under mu

	// hooking is how many hooks run on goroutines that read or replace a connection; see waitsForItself.
	hooking atomic.Int32

	// work counts running handlers and pending calls; idle gets a token when it drops to zero.
	work atomic.Int64
	idle chan struct{}

	// ctx is of dialling; it ends when Close of the session or of the endpoint begins. Both change under mu when a call
	// brings the session back.
	ctx  context.Context
	stop context.CancelFunc

	// closeNotify closes when the session does, which notified says. One that a call brings back gets another. Both are
	// under mu.
	closeNotify chan struct{}
	notified    bool
	idleLimit   *time.Timer // under mu, nil until the session is up, and without an idle limit

	releaseOnce sync.Once
	closed      chan struct{} // closed when nothing of the session runs any more
}

var (
	_ Session      = (*session)(nil)
	_ EarlySession = (*session)(nil)
)

func (e *endpoint) newSession(target string, protoFunc []socket.ProtoFunc) *session {
	s := &session{
		ep: e, target: target, protoFunc: protoFunc, since: clock.Now(),
		backoff:     backoff{shortest: e.cfg.RedialInterval},
		changed:     make(chan struct{}),
		idle:        make(chan struct{}, 1),
		closeNotify: make(chan struct{}),
		closed:      make(chan struct{}),
	}
	s.sessionAge.Store(int64(e.cfg.DefaultSessionAge))
	s.contextAge.Store(int64(e.cfg.DefaultContextAge))
	s.id.Store(new(string))
	s.startDialling()
	return s
}

// startDialling makes the context of dialling.
func (s *session) startDialling() {
	s.ctx, s.stop = s.ep.ctx, func() {}
	if s.target != "" {
		s.ctx, s.stop = context.WithCancel(s.ep.ctx)
	}
}

// stopDialling ends the context of dialling, which would otherwise stay with that of the endpoint.
func (s *session) stopDialling() {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	stop()
}

func (s *session) getState() state { return state(s.state.Load()) }

// move changes the state if the table allows it from where the session stands.
func (s *session) move(to state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moveLocked(to)
}

func (s *session) moveLocked(to state) bool {
	if !s.getState().allows(to) {
		return false
	}
	s.state.Store(int32(to))
	s.announceLocked()
	return true
}

// announceLocked wakes those who wait for a change.
func (s *session) announceLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// up makes l the connection of the session. The reader is not running yet.
func (s *session) up(l *link, isRedial bool) bool {
	l.silence.greeted.Store(l.sock.Sent())
	s.mu.Lock()
	s.link.Store(l)
	s.early.Store(nil)
	l.sock.LimitRead(0) // see SetEarlyReadLimit
	ok := s.moveLocked(stateOk)
	var old *session
	mine := true
	if ok {
		// Under the lock, or a Close in between would take it out before it is in.
		if old, mine = s.ep.hub.add(s, isRedial); mine {
			s.openLocked()
		}
	}
	s.mu.Unlock()
	switch {
	case !ok:
		l.die(socket.ErrProactivelyCloseSocket)
		return false
	case !mine:
		logInfof("session %s is closed: a newer one took its id while it was away", s.ID())
		l.die(socket.ErrProactivelyCloseSocket) // nobody reads it
		_ = s.close(false)                      // has nothing to wait for
		return false
	}
	s.backoff.connected()
	s.applyAge(l)
	if old != nil {
		s.ep.evict(old)
	}
	return true
}

// openLocked is what a session needs that is up, for the first time or again.
func (s *session) openLocked() {
	if s.notified {
		s.closeNotify, s.notified = make(chan struct{}), false
	}
	s.watchIdle()
}

// applyAge limits how long the connection is read from. It is a hard life, not an idle limit.
func (s *session) applyAge(l *link) {
	var deadline time.Time
	if age := s.SessionAge(); age > 0 {
		now := clock.Now()
		end := now + min(clock.Time(age), 1<<63-1-now) // as far as there is time
		deadline = end.Std()
		l.until.Store(int64(end))
	} else {
		l.until.Store(0)
	}
	if err := l.sock.SetReadDeadline(deadline); err != nil {
		logDebugf("session age: %v (session %s)", err, s.ID())
	}
}

// current returns the connection of the session in whatever state, nil if there never was one. While the next one is being
// prepared that is still the last one, except to the hooks that prepare it: what everybody else sees changes with the swap.
func (s *session) current() *link {
	early, up := s.early.Load(), s.link.Load()
	if early == nil || up != nil && up != early && !calledByConnection() {
		return up
	}
	return early
}

// nextSeq returns the next sequence number. The first is 1; they wrap through the negatives.
func (s *session) nextSeq() int32 { return s.seq.Add(1) }

// fill completes an outgoing message.
func (s *session) fill(m *message.Msg, mtype byte, method string, body any, settings []message.MsgSetting) {
	m.SetSeq(s.nextSeq())
	m.SetMType(mtype)
	m.SetServiceMethod(method)
	m.SetBody(body)
	m.Apply(settings)
	if m.BodyCodec() == 0 && m.Body() != nil {
		m.SetBodyCodec(s.ep.cfg.bodyCodec.ID())
	}
}
