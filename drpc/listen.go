package drpc

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
)

// maxAcceptPause bounds the pauses after an Accept that failed for lack of something, such as descriptors.
const maxAcceptPause = time.Second

// ListenAndServe listens and serves until Close.
func (e *endpoint) ListenAndServe(protoFunc ...socket.ProtoFunc) error {
	listened, err := e.listenAndServe(protoFunc)
	if listened && errors.Is(err, ErrListenClosed) && e.draining() && !FromHandler() {
		<-e.closed // or the caller would close the endpoint, as one does, before the peers have left
	}
	return err
}

// draining reports whether a Drain has begun.
func (e *endpoint) draining() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drain != nil
}

// listenAndServe also reports whether it got to listen.
func (e *endpoint) listenAndServe(protoFunc []socket.ProtoFunc) (listened bool, err error) {
	if !e.enter() {
		return false, ErrListenClosed
	}
	defer e.leave()
	ln, err := netproto.Listen(e.ctx, e.cfg.transport, e.cfg.Network, e.cfg.listenText(), e.TLSConfig)
	if err != nil {
		return false, fmt.Errorf("listen: %w", err)
	}
	if !e.track(ln) {
		_ = ln.Close() // the endpoint is closed: that counts
		return false, ErrListenClosed
	}
	defer func() {
		_ = ln.Close() // before it leaves the list of what Close closes: accepting may have ended for another reason
		e.untrack(ln)
	}()
	if err = runRare(e.plugins.hooks(), hookAfterListen, func(p AfterListenPlugin) error {
		return p.AfterListen(ln.Addr())
	}); err != nil {
		return false, errors.Join(err, ln.Close())
	}
	logInfof("listening on %s %s", ln.Addr().Network(), ln.Addr())
	return true, e.accept(ln, protoFunc)
}

func (e *endpoint) track(ln net.Listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosing || e.drain != nil {
		return false
	}
	e.listeners[ln] = struct{}{}
	return true
}

func (e *endpoint) untrack(ln net.Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners, ln)
}

// Addrs returns the addresses that the endpoint listens on.
func (e *endpoint) Addrs() []net.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	addrs := make([]net.Addr, 0, len(e.listeners))
	for ln := range e.listeners {
		addrs = append(addrs, ln.Addr())
	}
	return addrs
}

// accept serves what ln accepts until it is closed. An error that will pass, such as too many open files, is waited
// out.
func (e *endpoint) accept(ln net.Listener, protoFunc []socket.ProtoFunc) error {
	var pause time.Duration
	for {
		conn, err := ln.Accept()
		if err == nil {
			pause = 0
			switch err = e.enterAccepted(); err {
			case nil:
				go e.serve(conn, protoFunc)
			case errTooManySessions:
				e.refuse(conn)
			default:
				_ = conn.Close() // refused: nobody is there to tell, until Close gets to the listener
			}
			continue
		}
		if e.leaving() {
			return ErrListenClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept: %w", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
		logWarnf("accept on %s: %v; trying again in %v", ln.Addr(), err, pause)
		select {
		case <-time.After(pause):
		case <-e.ctx.Done():
			return ErrListenClosed
		}
	}
}

// errTooManySessions is why a connection is refused above MaxSessions.
var errTooManySessions = errors.New("too many sessions")

// refuse closes a connection above MaxSessions. Accepting goes on rather than to pause: a client that is turned away at
// once can go elsewhere, or come back later.
func (e *endpoint) refuse(conn net.Conn) {
	e.counters.sessionsRefused.Add(1)
	e.workers.goFunc(func() { _ = conn.Close() }) // refused: nobody is there to tell; some transports take their time
	if n := e.crowd.note(); n > 0 {
		logWarnf("%d connections were refused, the last one of %s: there are %d sessions, as many as MaxSessions allows",
			n, conn.RemoteAddr(), e.cfg.MaxSessions)
	}
}

// serve is the life of an accepted connection.
func (e *endpoint) serve(conn net.Conn, protoFunc []socket.ProtoFunc) {
	l, stat := e.receive(conn, protoFunc)
	if stat != nil {
		logDebugf("connection of %s: %v", conn.RemoteAddr(), stat)
		return
	}
	l.sess.live(l)
}

// ServeConn serves a connection that somebody else accepted.
func (e *endpoint) ServeConn(conn net.Conn, protoFunc ...socket.ProtoFunc) (Session, *status.Status) {
	switch err := e.enterAccepted(); err {
	case nil:
	case errTooManySessions:
		e.refuse(conn)
		return nil, newStatus(CodeBusy, err)
	default:
		_ = conn.Close() // refused: the status says so
		return nil, newStatus(CodeWrongConn, err)
	}
	l, stat := e.receive(conn, protoFunc)
	if stat != nil {
		return nil, stat
	}
	go l.sess.live(l)
	return l.sess, nil
}

// receive makes a session of a connection that was counted by enterAccepted. With a nil status the session is up, and its
// connection waits to be read.
func (e *endpoint) receive(conn net.Conn, protoFunc []socket.ProtoFunc) (*link, *Status) {
	accepted := time.Now()
	secured, err := e.secureServer(conn)
	if err != nil {
		e.leaveAccepted()
		return nil, newStatus(CodeWrongConn, err)
	}
	e.serves.Store(true)
	s := e.newSession("", protoFunc)
	s.accepted = true
	socket.TryOptimize(secured)
	l := s.newLink(secured)
	l.limitSilence(accepted)
	s.early.Store(l)
	e.hub.nameAfter(s, conn.RemoteAddr())
	if !e.remember(s) {
		l.die(nil)
		e.leaveAccepted()
		return nil, newStatus(CodeWrongConn, ErrListenClosed)
	}
	if stat := e.admit(l); stat != nil {
		e.leave()
		return nil, stat
	}
	return l, nil
}

// admit runs the AfterAccept hooks of an accepted connection.
func (e *endpoint) admit(l *link) *Status {
	s := l.sess
	stat := runRareStatus(e.plugins.hooks(), hookAfterAccept, CodeInternalServerError, func(p AfterAcceptPlugin) *Status {
		return p.AfterAccept(s)
	})
	if stat == nil && s.up(l, false) {
		e.counters.accepted.Add(1)
		if e.leaving() {
			s.sayGoaway(0)
		}
		return nil
	}
	if stat == nil {
		stat = newStatus(CodeConnClosed, errors.New("closed while it was accepted"))
	}
	if err := s.close(false); err != nil {
		logDebugf("closing a connection that was not accepted: %v", err)
	}
	return stat
}
