package drpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
)

// Dial connects to addr.
func (e *endpoint) Dial(addr string, protoFunc ...socket.ProtoFunc) (Session, *status.Status) {
	if !e.enter() {
		return nil, newStatus(CodeDialFailed, ErrListenClosed)
	}
	s := e.newSession(addr, protoFunc)
	if !e.remember(s) {
		e.leave()
		return nil, newStatus(CodeDialFailed, ErrListenClosed)
	}
	l, stat := s.dial()
	if stat != nil {
		s.move(stateActiveClosing)
		s.move(stateActiveClosed)
		s.release()
		e.leave()
		return nil, stat
	}
	go s.live(l)
	return s, nil
}

// dial is the first connection of a session.
func (s *session) dial() (*link, *Status) {
	hooks := s.ep.plugins.hooks()
	if stat := runRareStatus(hooks, hookBeforeDial, CodeDialFailed, func(p BeforeDialPlugin) *Status {
		return p.BeforeDial(s.target, false)
	}); stat != nil {
		return nil, stat
	}
	l, err := s.attempts(max(s.ep.cfg.RedialTimes, 1))
	if err != nil {
		s.dialFailed(err, false)
		return nil, dialStatus(err)
	}
	return l, nil
}

func dialStatus(err error) *Status {
	var carried *statusError
	if errors.As(err, &carried) && carried.stat.Cause() != nil {
		err = carried.stat.Cause()
	}
	return newStatus(CodeDialFailed, err)
}

func (s *session) dialFailed(err error, isRedial bool) {
	s.ep.counters.dialsFailed.Add(1)
	s.hooking.Add(1)
	defer s.hooking.Add(-1)
	s.warnHook(hookAfterDialFail, runRareStatus(s.ep.plugins.hooks(), hookAfterDialFail, CodeInternalServerError,
		func(p AfterDialFailPlugin) *Status { return p.AfterDialFail(s, err, isRedial) }))
}

// live reads one connection after the other for as long as the session lasts. A nil link is the end. The endpoint
// counts the goroutine that runs it, until the end.
func (s *session) live(l *link) {
	role, returned := uint32(0), false
	defer func() {
		if !returned && l.reader.held(role) {
			go func() { s.live(l.ended(errReaderEnded)) }() // by a hook, in the middle of something
		}
	}()
	for kept := true; l != nil; {
		role = l.reader.holder()
		if l, kept = l.readLoop(); !kept {
			returned = true
			return
		}
	}
	returned = true
	s.ep.leave()
}

// errReaderEnded is why a connection ended whose reader did.
var errReaderEnded = errors.New("a hook has ended the goroutine that reads")

// RedialError is the cause of the status of calls and pushes over a session that has given up coming back, until a
// later one brings it back.
type RedialError struct {
	// Addr is where the session was dialled to.
	Addr string
	// Attempts is how often it was tried since a connection last held.
	Attempts int
	// Err is what the last attempt failed with, or why there was none.
	Err error
}

// Error says where to, how often, and what failed last.
func (e *RedialError) Error() string {
	return fmt.Sprintf("given up on %s after %d attempts: %v", e.Addr, e.Attempts, e.Err)
}

// Unwrap returns Err.
func (e *RedialError) Unwrap() error { return e.Err }

// redial brings a lost session back, in state Redialing. It returns the new connection, which waits to be read, or nil
// when the session is over. It runs on a goroutine that the endpoint counts.
func (s *session) redial() *link {
	if l := s.awaitHandover(); l != nil {
		return s.adopt(l)
	}
	s.beforeRedial()
	l, err := s.reconnect()
	if err == nil {
		logInfof("redial ok (session %s, peer %s)", s.ID(), s.target)
		return l
	}
	if s.ctx.Err() != nil {
		return nil // Close does the rest
	}
	s.mu.Lock()
	s.failure = err
	s.mu.Unlock()
	logWarnf("redial fail (session %s): %v", s.ID(), err)
	s.dialFailed(err, true)
	s.move(stateRedialFailed)
	s.passiveClosed()
	return nil
}

// beforeRedial tells the hooks, whose word does not count.
func (s *session) beforeRedial() {
	s.hooking.Add(1)
	defer s.hooking.Add(-1)
	runRareStatus(s.ep.plugins.hooks(), hookBeforeDial, CodeDialFailed, func(p BeforeDialPlugin) *Status {
		return p.BeforeDial(s.target, true)
	})
}

// adopt makes a connection that a handover has prepared the one of a session that has lost its own.
func (s *session) adopt(l *link) *link {
	s.ep.hub.nameAfter(s, l.sock.LocalAddr())
	s.move(statePreparing)
	if !s.up(l, true) {
		return nil
	}
	s.countRedial()
	return l
}

// attempts makes the first connection, trying n times.
func (s *session) attempts(n int) (l *link, err error) {
	for i := range n {
		if i > 0 && !s.pause(jitter(i, s.ep.cfg.RedialInterval)) {
			return nil, errSessionEnded
		}
		if l, err = s.connect(false); err == nil || s.ctx.Err() != nil {
			break
		}
	}
	return l, err
}

// reconnect makes the next connection, trying as often as is configured since one last held.
func (s *session) reconnect() (*link, error) {
	err := errFlapping
	if !s.redials() {
		return nil, &RedialError{Addr: s.target, Err: err} // only a handover could have helped
	}
	for {
		pause, ok := s.backoff.next(s.ep.cfg.RedialTimes)
		if !ok {
			return nil, &RedialError{Addr: s.target, Attempts: s.ep.cfg.RedialTimes, Err: err}
		}
		if !s.pause(pause) {
			return nil, errSessionEnded
		}
		var l *link
		if l, err = s.connect(true); err == nil {
			return l, nil
		}
		if s.ctx.Err() != nil {
			return nil, errSessionEnded
		}
		s.attemptFailed(err)
	}
}

// attemptFailed tells those who wait for one attempt only.
func (s *session) attemptFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	s.failure = err
	s.announceLocked()
}

var (
	errSessionEnded = errors.New("closed while dialling")
	errFlapping     = errors.New("no connection has held")
)

// pause waits, unless the session or the endpoint closes meanwhile.
func (s *session) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// connect makes one connection and runs its AfterDial hooks. When it returns no error the session is up, and its
// connection waits to be read.
func (s *session) connect(isRedial bool) (*link, error) {
	l, err := s.prepare(isRedial, func(l *link) bool {
		s.ep.hub.nameAfter(s, l.sock.LocalAddr())
		return !isRedial || s.move(statePreparing)
	})
	if err != nil {
		if isRedial {
			s.move(stateRedialing)
		}
		return nil, err
	}
	defer s.early.CompareAndSwap(l, nil)
	if !s.up(l, isRedial) {
		return nil, errSessionEnded
	}
	if isRedial {
		s.countRedial()
	} else {
		s.ep.counters.dialed.Add(1)
	}
	return l, nil
}

func (s *session) countRedial() {
	s.redialed.Add(1)
	s.ep.counters.redials.Add(1)
}

// prepare makes one connection and runs its AfterDial hooks. begin is called in between, once the connection is the
// early one of the session, which it stays; false is that the session wants none any more.
func (s *session) prepare(isRedial bool, begin func(*link) bool) (*link, error) {
	conn, err := s.open()
	if err != nil {
		return nil, err
	}
	socket.TryOptimize(conn)
	l := s.newLink(conn)
	s.early.Store(l)
	err = errSessionEnded
	if begin(l) {
		stat := s.afterDial(isRedial)
		if stat == nil {
			l.silence.limit(helloAfter, l.hello)
			return l, nil
		}
		err = &statusError{stat}
	}
	s.early.CompareAndSwap(l, nil)
	l.die(nil)
	return nil, err
}

func (s *session) afterDial(isRedial bool) *Status {
	s.hooking.Add(1)
	defer s.hooking.Add(-1)
	return runRareStatus(s.ep.plugins.hooks(), hookAfterDial, CodeDialFailed, func(p AfterDialPlugin) *Status {
		return p.AfterDial(s, isRedial)
	})
}

// open connects and does the TLS handshake.
func (s *session) open() (net.Conn, error) {
	ctx, cfg := s.ctx, &s.ep.cfg
	if cfg.DialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.DialTimeout)
		defer cancel()
	}
	conn, err := netproto.Dial(ctx, cfg.transport, cfg.Network, cfg.localText(), s.target, s.ep.TLSConfig())
	if err != nil {
		return nil, err
	}
	return s.ep.secureClient(ctx, conn, s.target)
}
