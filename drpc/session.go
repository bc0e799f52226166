package drpc

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
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

// acquire returns the connection to use for a call or push. While the session is being redialled it waits as policy
// says, at most until ctx ends, and it starts a redial where an earlier one had given up.
func (s *session) acquire(ctx context.Context, policy RedialPolicy) (*link, *Status) {
	for {
		l, g, stat := s.tryAcquire()
		if l != nil || stat != nil {
			return l, stat
		}
		if policy == RedialFailFast || s.waitsForItself() {
			return nil, notExecuted(CodeConnClosed, errBetween)
		}
		if stat = s.awaitRedial(ctx, policy, g); stat != nil {
			return nil, stat
		}
	}
}

// errBetween is why a call that does not wait fails.
var errBetween = errors.New("the session is between two connections, the message was not sent")

// gap is what to wait for while a session is between two connections.
type gap struct {
	changed  <-chan struct{}
	failures uint64 // attempts to connect that had failed until then
}

// tryAcquire returns the connection, or why there will be none, or what to wait for.
func (s *session) tryAcquire() (*link, gap, *Status) {
	// Without the lock for nearly every call. A link that is lost meanwhile sends nothing and says so.
	if l := s.link.Load(); l != nil && s.getState() == stateOk {
		return l, gap{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.link.Load()
	switch st := s.getState(); {
	case st == stateOk:
		return l, gap{}, nil
	case st.closing():
		return nil, gap{}, notExecuted(CodeConnClosed, nil)
	case l == nil:
		return nil, gap{}, notExecuted(CodeConnClosed, errors.New("session is not up yet"))
	case st == stateRedialing || st == statePreparing:
	case !s.redials():
		return nil, gap{}, notExecuted(CodeConnClosed, nil)
	case st == statePassiveClosed:
		if !s.reviveLocked() {
			return nil, gap{}, notExecuted(CodeConnClosed, ErrListenClosed)
		}
	}
	return nil, gap{s.changed, s.failures}, nil
}

// reviveLocked starts the redial of a session that had been given up. It returns false if the endpoint is closing.
func (s *session) reviveLocked() bool {
	if !s.ep.enter() {
		return false
	}
	if !s.ep.remember(s) {
		s.ep.leave()
		return false
	}
	s.backoff.renew()
	s.startDialling()
	s.moveLocked(stateRedialing)
	go func() { s.live(s.redial()) }()
	return true
}

// awaitRedial waits until the redial that is under way has come to an end, or with RedialOnce the attempt.
func (s *session) awaitRedial(ctx context.Context, policy RedialPolicy, g gap) *Status {
	for {
		select {
		case <-g.changed:
		case <-ctx.Done():
			return unsent(s.endedStatus(CodeHandleTimeout, ctx))
		}
		s.mu.Lock()
		st, failures, failure := s.getState(), s.failures, s.failure
		g.changed = s.changed
		s.mu.Unlock()
		switch st {
		case stateOk:
			return nil
		case stateRedialFailed, statePassiveClosed:
			return notExecuted(CodeConnClosed, failure)
		case stateActiveClosing, stateActiveClosed:
			return notExecuted(CodeConnClosed, nil)
		}
		if policy == RedialOnce && failures != g.failures {
			return notExecuted(CodeConnClosed, failure)
		}
	}
}

// awaitLoss waits until the session has noticed that l is gone, after somebody failed to send over it.
func (s *session) awaitLoss(ctx context.Context, l *link) *Status {
	for {
		s.mu.Lock()
		same, changed := s.link.Load() == l && s.getState() == stateOk, s.changed
		s.mu.Unlock()
		switch {
		case !same:
			return nil
		case s.waitsForItself():
			return notExecuted(CodeConnClosed, errBetween)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unsent(s.endedStatus(CodeHandleTimeout, ctx))
		}
	}
}

// waitsForItself reports whether the caller is a hook on the goroutine that the session needs to get to its next
// connection, or to its end. It must not wait for either.
func (s *session) waitsForItself() bool { return s.hooking.Load() > 0 && calledByConnection() }

// redials reports whether the session comes back after a loss.
func (s *session) redials() bool { return s.target != "" && s.ep.cfg.RedialTimes != 0 }

// begin counts a handler or a call as work that the end of the session waits for. Once the session is closed or lost
// for good it counts nothing and returns false: what is turned away, however often it comes, must not keep that end
// waiting.
func (s *session) begin() bool {
	if st := s.getState(); st.closing() || st == statePassiveClosed && !s.redials() {
		return false
	}
	s.work.Add(1)
	return true
}

// end takes back a begin that returned true.
func (s *session) end() {
	if s.work.Add(-1) == 0 {
		if s.getState() == statePassiveClosed {
			s.leaveTable()
		}
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// waitIdle waits until no handler runs and no call is pending, when none begins any more. A token may be late, from a
// moment before the last work began; only the counter tells.
func (s *session) waitIdle() {
	select {
	case <-s.idle: // from before
	default:
	}
	for s.work.Load() > 0 {
		<-s.idle
	}
	select {
	case s.idle <- struct{}{}: // somebody else may wait too
	default:
	}
}

// Close ends the session gracefully.
func (s *session) Close() error {
	return s.close(!calledFromFramework())
}

func (s *session) close(wait bool) error {
	s.mu.Lock()
	st := s.getState()
	if st.closing() {
		s.mu.Unlock()
		if wait {
			<-s.closed
		}
		return nil
	}
	if !s.moveLocked(stateActiveClosing) {
		// Lost already: there is no connection to close, but handlers may still run.
		s.moveLocked(stateActiveClosed)
		s.mu.Unlock()
		s.stopDialling()
		if wait {
			s.waitIdle()
		}
		s.release()
		return nil
	}
	s.notifyLocked()
	s.mu.Unlock()
	s.stopDialling()
	s.ep.hub.remove(s)
	if !wait {
		go func() { _ = s.finishClose() }() // the caller cannot wait for the error
		return nil
	}
	return s.finishClose()
}

// finishClose waits for what runs and closes the connection.
func (s *session) finishClose() error {
	defer s.release()
	s.waitIdle()
	var wg sync.WaitGroup
	for _, l := range s.links() {
		if l != s.early.Load() && !l.isGone() {
			wg.Go(l.farewell)
		}
	}
	wg.Wait()
	var err error
	for _, l := range s.links() {
		if !l.isGone() { // one that was lost before has had its say
			l.die(socket.ErrProactivelyCloseSocket)
			err = errors.Join(err, ignoreClosed(l.closeErr))
		}
	}
	s.move(stateActiveClosed)
	s.disconnected()
	return err
}

// links returns the connections of the session, also those on their way out.
func (s *session) links() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := slices.Clone(s.departing)
	for _, l := range []*link{s.link.Load(), s.early.Load()} {
		if l != nil {
			links = append(links, l)
		}
	}
	return links
}

// release says that nothing of the session runs any more.
func (s *session) release() {
	s.releaseOnce.Do(func() {
		s.stopDialling()
		s.ep.forget(s)
		close(s.closed)
	})
}

// lost decides what becomes of the session when a connection that was up has ended. It runs on the goroutine that
// read the connection, and returns the one that takes its place, if any.
func (s *session) lost(l *link) *link {
	s.mu.Lock()
	s.forgetDeparted(l)
	if s.getState().closing() || s.link.Load() != l || !s.left && !s.moveLocked(statePassiveLosing) {
		s.mu.Unlock()
		return nil
	}
	moving := s.moving != nil
	s.mu.Unlock()
	s.backoff.ended()
	s.ep.hub.remove(s)
	if (moving || s.redials() && !s.ep.closing()) && s.move(stateRedialing) {
		return s.redial()
	}
	s.passiveClosed()
	return nil
}

// passiveClosed ends a session whose connection is lost for good.
func (s *session) passiveClosed() {
	s.mu.Lock()
	ok := s.moveLocked(statePassiveClosed)
	if ok {
		s.notifyLocked() // under the lock, or a call in between could have brought the session back
	}
	s.mu.Unlock()
	if !ok {
		return // closed actively meanwhile
	}
	if s.redials() {
		// A call may bring the session back at any time, so there is no end of its work to wait for.
		s.disconnected()
		s.leaveTable()
		return
	}
	s.waitIdle()
	s.disconnected()
	s.release()
}

// leaveTable makes the endpoint forget a session that only a call can bring back, once nothing of it runs: a program
// that has given such a session up need not close it.
func (s *session) leaveTable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.getState() == statePassiveClosed && s.work.Load() == 0 {
		s.stop()
		s.ep.forget(s)
	}
}

// notifyLocked tells those who wait for the end of the session.
func (s *session) notifyLocked() {
	if !s.notified {
		s.notified = true
		close(s.closeNotify)
	}
	if s.idleLimit != nil {
		s.idleLimit.Stop()
	}
}

func (s *session) disconnected() {
	warnHook(hookAfterDisconnect, runRareStatus(s.ep.plugins.hooks(), hookAfterDisconnect, CodeInternalServerError,
		func(p AfterDisconnectPlugin) *Status { return p.AfterDisconnect(s) }))
}

// up makes l the connection of the session. The reader is not running yet.
func (s *session) up(l *link, isRedial bool) bool {
	l.silence.greeted.Store(l.sock.Sent())
	s.mu.Lock()
	s.link.Store(l)
	s.early.Store(nil)
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
		logDebugf("session age: %v", err)
	}
}

// current returns the connection of the session in whatever state, nil if there never was one.
func (s *session) current() *link {
	if l := s.early.Load(); l != nil {
		return l
	}
	return s.link.Load()
}

// noAddr is the address of a session that never had a connection.
type noAddr struct{}

func (noAddr) Network() string { return "" }
func (noAddr) String() string  { return "" }

// LocalAddr returns the local address of the connection.
func (s *session) LocalAddr() net.Addr {
	if l := s.current(); l != nil {
		return l.sock.LocalAddr()
	}
	return noAddr{}
}

// RemoteAddr returns the address of the peer.
func (s *session) RemoteAddr() net.Addr {
	if l := s.current(); l != nil {
		return l.sock.RemoteAddr()
	}
	return noAddr{}
}

// Endpoint returns the endpoint of the session.
func (s *session) Endpoint() Endpoint { return s.ep }

// ID returns the id of the session.
func (s *session) ID() string { return *s.id.Load() }

// SetID renames the session.
func (s *session) SetID(newID string) {
	if old := s.ep.hub.rename(s, newID); old != nil {
		s.ep.evict(old)
	}
}

// Swap returns the values of the session.
func (s *session) Swap() *gmap.Map {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swap == nil {
		s.swap = gmap.New(true)
	}
	return s.swap
}

// copySwap returns a copy of the values of the session for one message.
func (s *session) copySwap() *gmap.Map {
	s.mu.Lock()
	swap := s.swap
	s.mu.Unlock()
	if swap == nil {
		return gmap.New(true)
	}
	return swap.Clone(true)
}

// CloseNotify returns a channel that closes with the session.
func (s *session) CloseNotify() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeNotify
}

// Health reports whether a call has a chance.
func (s *session) Health() bool {
	switch s.getState() {
	case stateOk:
		return true
	case statePassiveClosed:
		return s.redials() && !s.ep.closing()
	}
	return false
}

// IsActiveClosed reports whether Close has ended the session.
func (s *session) IsActiveClosed() bool { return s.getState() == stateActiveClosed }

// IsPassiveClosed reports whether the session was lost for good.
func (s *session) IsPassiveClosed() bool { return s.getState() == statePassiveClosed }

// SessionAge returns how long the session may live.
func (s *session) SessionAge() time.Duration { return time.Duration(s.sessionAge.Load()) }

// SetSessionAge changes how long the session may live, from now.
func (s *session) SetSessionAge(d time.Duration) {
	s.sessionAge.Store(int64(max(d, 0)))
	if l := s.link.Load(); l != nil {
		s.applyAge(l)
	}
}

// ContextAge returns the bound of calls.
func (s *session) ContextAge() time.Duration { return time.Duration(s.contextAge.Load()) }

// SetContextAge changes the bound of calls.
func (s *session) SetContextAge(d time.Duration) { s.contextAge.Store(int64(max(d, 0))) }

// ControlFD calls f with the file descriptor of the connection.
func (s *session) ControlFD(f func(fd uintptr)) error {
	if l := s.current(); l != nil {
		return l.sock.ControlFD(f)
	}
	return errors.New("session has no connection")
}

// GetProtoFunc returns the protocol of the session.
func (s *session) GetProtoFunc() proto.ProtoFunc {
	protoFunc := s.protoFunc
	if l := s.current(); l != nil {
		protoFunc = *l.protoFunc.Load()
	}
	if len(protoFunc) > 0 && protoFunc[0] != nil {
		return protoFunc[0]
	}
	return socket.DefaultProtoFunc()
}

// ModifySocket puts another connection, another protocol or both in place. What it changes is of this connection: the
// next one begins as this one did, so that AfterDial finds it the same each time.
func (s *session) ModifySocket(fn func(conn net.Conn) (net.Conn, proto.ProtoFunc)) {
	l := s.early.Load()
	if l == nil {
		logWarnf("ModifySocket: the session is up already, nothing was changed (session %s)", s.ID())
		return
	}
	conn, pf := fn(l.sock.Unread())
	if pf != nil {
		l.protoFunc.Store(&[]socket.ProtoFunc{pf}) // a slice of our own: the endpoint's is shared
	}
	if conn != nil || pf != nil {
		l.sock.Reset(conn, *l.protoFunc.Load()...)
		if l.isGone() {
			_ = l.sock.Close() // a Close of meanwhile has closed the connection before, and not this one
		}
	}
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
