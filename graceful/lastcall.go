package graceful

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/internal/unixsocket"
)

const (
	// handshakeTime is how long a connection may be on its way when new ones are refused: its peer takes it for made, and
	// this side does not know it yet.
	handshakeTime = 100 * time.Millisecond
	// lastCall bounds how long a socket stays open for the connections that wait in it.
	lastCall = 3 * time.Second
)

// retiring is a listener that can let those in who have come, and nobody after them.
type retiring interface {
	// retire has new connections refused, and returns when those that were made before have been accepted, by the Accept
	// calls of somebody else, or when ctx ends, or after lastCall. It closes nothing.
	retire(ctx context.Context)
}

// retire does nothing where another process goes on with the socket: what waits in it is for that one.
func (l *listener) retire(ctx context.Context) {
	if !l.u.refuse(l.sock) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastCall)
	defer cancel()
	tick := time.NewTicker(httpPoll)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < handshakeTime || isWaitedFor(l.Listener); {
		select {
		case <-tick.C:
		case <-l.closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *patientListener) retire(ctx context.Context) {
	if r, ok := l.Listener.(retiring); ok {
		r.retire(ctx)
	}
}

// refuse has new connections to a socket refused if that is this process's to decide. It reports whether this process is
// the last one to accept what waits in the socket.
func (u *Upgrader) refuse(s *socket) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phase == reloading || u.phase == handedOver || s.held && u.phase != stopped {
		return false
	}
	s.refuse()
	return true
}

// refuse has new connections refused, in whatever process the socket is. That the system cannot do so is no error: then
// they are refused once the socket is closed.
func (s *socket) refuse() {
	switch {
	case s.lent:
	case isUnix(kinds[s.network]):
		if s.fileID != "" {
			unixsocket.Remove(s.addr, s.fileID)
		}
	case s.file != nil:
		withDescriptor(s.file, refuseTCP)
	default:
		if l, ok := s.user.(*listener); ok {
			withDescriptor(l.Listener, refuseTCP)
		}
	}
}

// Unhold takes every Hold back, in a process that ends for good: a socket on which nobody listens in this process is
// closed, the others go with their listeners. New connections to the former are refused from here on, also where workers
// have the socket, which accept what waits in it, and leave. In a worker, Unhold closes nothing but its own copies.
func (u *Upgrader) Unhold() {
	u.mu.Lock()
	var idle []*socket
	for _, s := range u.sockets {
		if !s.held {
			continue
		}
		s.held = false
		if s.user == nil {
			idle = append(idle, s)
			if u.phase == serving {
				s.refuse()
			}
		}
	}
	u.mu.Unlock()
	for _, s := range idle {
		u.drop(s)
	}
}

// retireAll gives the servers that still accept the time to accept what has come.
func (u *Upgrader) retireAll(sockets []*socket) {
	select {
	case <-u.open:
	default:
		return // nobody has accepted anything
	}
	var all sync.WaitGroup
	for _, s := range sockets {
		u.mu.Lock()
		l, ok := s.user.(*listener)
		u.mu.Unlock()
		if ok {
			all.Go(func() { l.retire(context.Background()) })
		}
	}
	all.Wait()
}

// isWaitedFor reports whether connections wait in a listening socket.
func isWaitedFor(ln net.Listener) (waited bool) {
	withDescriptor(ln, func(fd uintptr) { waited = isReadable(fd) })
	return waited
}

// withDescriptor calls do with the descriptor of something, if it has one.
func withDescriptor(of any, do func(fd uintptr)) {
	conn, ok := of.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(do) // it is closed, and there is nothing to do
	}
}
