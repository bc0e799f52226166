package drpc

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
)

// maxAcceptPause bounds the pauses after an Accept that failed for lack of something, such as descriptors.
const maxAcceptPause = time.Second

// ListenAndServe listens and serves until Close.
func (e *endpoint) ListenAndServe(protoFunc ...socket.ProtoFunc) error {
	if !e.enter() {
		return ErrListenClosed
	}
	defer e.leave()
	ln, err := netproto.Listen(e.ctx, e.cfg.transport, e.cfg.Network, e.cfg.listenText(), e.TLSConfig)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if !e.track(ln) {
		_ = ln.Close() // the endpoint is closed: that counts
		return ErrListenClosed
	}
	defer e.untrack(ln)
	if err = runRare(e.plugins.hooks(), hookAfterListen, func(p AfterListenPlugin) error {
		return p.AfterListen(ln.Addr())
	}); err != nil {
		return errors.Join(err, ln.Close())
	}
	logInfof("listening on %s %s", ln.Addr().Network(), ln.Addr())
	return e.accept(ln, protoFunc)
}

func (e *endpoint) track(ln net.Listener) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosing {
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
			if !e.enter() {
				_ = conn.Close() // refused: nobody is there to tell
				return ErrListenClosed
			}
			go e.serve(conn, protoFunc)
			continue
		}
		if e.closing() {
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

// serve is the life of an accepted connection.
func (e *endpoint) serve(conn net.Conn, protoFunc []socket.ProtoFunc) {
	secured, err := e.secureServer(conn)
	if err != nil {
		logDebugf("connection of %s: %v", conn.RemoteAddr(), err)
		e.leave()
		return
	}
	if l, stat := e.admit(secured, protoFunc); stat == nil {
		l.sess.live(l)
	} else {
		e.leave()
	}
}

// ServeConn serves a connection that somebody else accepted.
func (e *endpoint) ServeConn(conn net.Conn, protoFunc ...socket.ProtoFunc) (Session, *status.Status) {
	if !e.enter() {
		_ = conn.Close() // refused: the status says so
		return nil, newStatus(CodeWrongConn, ErrListenClosed)
	}
	secured, err := e.secureServer(conn)
	if err != nil {
		e.leave()
		return nil, newStatus(CodeWrongConn, err)
	}
	l, stat := e.admit(secured, protoFunc)
	if stat != nil {
		e.leave()
		return nil, stat
	}
	go l.sess.live(l)
	return l.sess, nil
}

// admit makes a session of an accepted connection and runs its AfterAccept hooks. With a nil status the session is up
// and its connection waits to be read.
func (e *endpoint) admit(conn net.Conn, protoFunc []socket.ProtoFunc) (*link, *Status) {
	e.serves.Store(true)
	socket.TryOptimize(conn)
	s := e.newSession("", protoFunc)
	l := s.newLink(conn)
	s.early.Store(l)
	s.setAddrID(conn.RemoteAddr())
	if !e.remember(s) {
		l.die(nil)
		return nil, newStatus(CodeWrongConn, ErrListenClosed)
	}
	stat := runRareStatus(e.plugins.hooks(), hookAfterAccept, CodeInternalServerError, func(p AfterAcceptPlugin) *Status {
		return p.AfterAccept(s)
	})
	if stat == nil && s.up(l) {
		e.counters.accepted.Add(1)
		return l, nil
	}
	if stat == nil {
		stat = newStatus(CodeConnClosed, errors.New("closed while it was accepted"))
	} else {
		logDebugf("connection of %s was not accepted: %v", conn.RemoteAddr(), stat)
	}
	if err := s.close(false); err != nil {
		logDebugf("closing a connection that was not accepted: %v", err)
	}
	return nil, stat
}

var anonymous atomic.Uint64

// setAddrID names the session after an address. Sockets without one, such as unix clients, get a number.
func (s *session) setAddrID(addr net.Addr) {
	id := addr.String()
	if id == "" || id == "@" {
		id = addr.Network() + "#" + decimal(anonymous.Add(1))
	}
	s.id.Store(&id)
}
