package drpc

import (
	"context"
	"errors"
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
