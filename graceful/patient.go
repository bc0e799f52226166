package graceful

import (
	"errors"
	"net"
	"sync"
)

// Patient returns ln with another end: when a successor has taken over, or Stop has closed the socket, Accept does not
// return an error but waits for Close. It is for servers to which the end of Accept is more than the end of accepting:
// ghttp ends the process, and others close what they have. The time to tell such a server to leave is when HandedOver is
// closed.
func Patient(ln net.Listener) net.Listener {
	return &patientListener{Listener: ln, closed: make(chan struct{})}
}

type patientListener struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

func (l *patientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if errors.Is(err, net.ErrClosed) {
		<-l.closed
	}
	return conn, err
}

func (l *patientListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
