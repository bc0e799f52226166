package graceful

import (
	"net"
	"os"
	"sync"
)

// listener is what Listen hands out.
type listener struct {
	net.Listener
	u    *Upgrader
	sock *socket

	once   sync.Once
	closed chan struct{}
	err    error
}

func newListener(u *Upgrader, s *socket, inner net.Listener) *listener {
	return &listener{Listener: inner, u: u, sock: s, closed: make(chan struct{})}
}

// Accept waits until this process may serve. A connection that was accepted in the moment of a hand-over is returned:
// nobody else has it.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.u.open:
	default:
		select {
		case <-l.u.open:
		case <-l.closed:
			return nil, &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: net.ErrClosed}
		}
	}
	return l.Listener.Accept()
}

// Close closes the socket, and removes its file if it has one. After a hand-over there is nothing left to close.
func (l *listener) Close() error {
	l.end(true)
	return l.err
}

func (l *listener) dup() (*os.File, error) { return dupOf(l.Listener) }
func (l *listener) leave()                 { l.end(false) }
func (l *listener) shut() error            { return l.Close() }

func (l *listener) end(release bool) {
	l.once.Do(func() {
		close(l.closed)
		l.err = l.Listener.Close()
		if release {
			l.u.released(l.sock)
		}
	})
}
