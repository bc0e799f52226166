package kcp

import "net"

// Listener accepts connections on a UDP socket.
type Listener struct{ hub *hub }

var _ net.Listener = (*Listener)(nil)

// ServeConn listens on a packet connection, such as one that was inherited. From then on it belongs to the listener: it is
// closed after Close and the Close of the last connection. Its addresses must be of type [*net.UDPAddr].
func ServeConn(pc net.PacketConn, cfg Config) *Listener {
	enlarge(pc)
	return &Listener{newHub(pc, cfg.withDefaults(), false)}
}

// Accept returns the next connection whose client has proved its address. It fails with net.ErrClosed after Close, and
// with the error of the socket where that fails.
func (l *Listener) Accept() (net.Conn, error) {
	h := l.hub
	select {
	case <-h.unopened:
		return nil, l.failure(net.ErrClosed)
	case <-h.failed:
		return nil, l.failure(h.err)
	default:
	}
	select {
	case c := <-h.accepts:
		return c, nil
	case <-h.unopened:
		return nil, l.failure(net.ErrClosed)
	case <-h.failed:
		return nil, l.failure(h.err)
	}
}

func (l *Listener) failure(err error) error {
	return &net.OpError{Op: "accept", Net: "kcp", Addr: l.Addr(), Err: err}
}

// Close stops listening. Connections that were accepted go on; those that were not are ended. A second Close fails with
// net.ErrClosed.
func (l *Listener) Close() error {
	if !l.hub.unopen() {
		return l.failure(net.ErrClosed)
	}
	for {
		select {
		case c := <-l.hub.accepts:
			c.abort()
		default:
			return nil
		}
	}
}

// Addr is the UDP address of the socket.
func (l *Listener) Addr() net.Addr { return l.hub.pc.LocalAddr() }
