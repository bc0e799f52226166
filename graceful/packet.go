package graceful

import (
	"net"
	"os"
	"sync"
	"time"
)

// packetConn is what ListenPacket hands out.
type packetConn struct {
	conn   *net.UDPConn
	u      *Upgrader
	sock   *socket
	once   sync.Once
	closed chan struct{}
	err    error

	reading sync.RWMutex // read-locked by whoever is in conn.ReadFrom

	mu       sync.Mutex
	quiet    bool // a successor reads
	deadline time.Time
	changed  chan struct{} // closed and replaced when quiet or deadline change
}

func newPacketConn(u *Upgrader, s *socket, conn *net.UDPConn) *packetConn {
	return &packetConn{conn: conn, u: u, sock: s, closed: make(chan struct{}), changed: make(chan struct{})}
}

// ReadFrom returns the next packet, in the time in which this process is the one that reads.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if err := p.wait(p.u.open); err != nil {
		return 0, nil, err
	}
	for {
		n, addr, ok, err := p.read(b)
		if !ok {
			return 0, nil, p.wait(nil)
		}
		if err == nil || !p.isQuiet() {
			return n, addr, err
		}
	}
}

// read reads a packet, unless a successor does.
func (p *packetConn) read(b []byte) (n int, addr net.Addr, ok bool, err error) {
	p.reading.RLock()
	defer p.reading.RUnlock()
	if p.isQuiet() {
		return 0, nil, false, nil
	}
	n, addr, err = p.conn.ReadFrom(b)
	return n, addr, true, err
}

func (p *packetConn) isQuiet() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.quiet
}

// wait returns nil once a channel is closed, or the error of a read that the deadline or Close ends before.
func (p *packetConn) wait(until <-chan struct{}) error {
	select {
	case <-until:
		return nil
	default:
	}
	for {
		p.mu.Lock()
		deadline, changed := p.deadline, p.changed
		p.mu.Unlock()
		var timeout <-chan time.Time
		if !deadline.IsZero() {
			timeout = time.After(time.Until(deadline))
		}
		select {
		case <-until:
			return nil
		case <-p.closed:
			return p.fail(net.ErrClosed)
		case <-timeout:
			return p.fail(os.ErrDeadlineExceeded)
		case <-changed:
		}
	}
}

func (p *packetConn) fail(err error) error {
	return &net.OpError{Op: "read", Net: "udp", Source: p.conn.LocalAddr(), Err: err}
}

func (p *packetConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	close(p.changed)
	p.changed = make(chan struct{})
	if p.quiet {
		return nil
	}
	return p.conn.SetReadDeadline(t)
}

func (p *packetConn) SetDeadline(t time.Time) error {
	if err := p.SetReadDeadline(t); err != nil {
		return err
	}
	return p.conn.SetWriteDeadline(t)
}

func (p *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) { return p.conn.WriteTo(b, addr) }
func (p *packetConn) SetWriteDeadline(t time.Time) error           { return p.conn.SetWriteDeadline(t) }
func (p *packetConn) SetReadBuffer(bytes int) error                { return p.conn.SetReadBuffer(bytes) }
func (p *packetConn) SetWriteBuffer(bytes int) error               { return p.conn.SetWriteBuffer(bytes) }
func (p *packetConn) LocalAddr() net.Addr                          { return p.conn.LocalAddr() }

// Close ends reading and writing.
func (p *packetConn) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.err = p.conn.Close()
		p.u.released(p.sock)
	})
	return p.err
}

func (p *packetConn) dup() (*os.File, error) { return dupOf(p.conn) }
func (p *packetConn) shut() error            { return p.Close() }

// leave makes the reads of this process end, and returns when they have: the successor must not be told before, or a
// read that has just begun would take a packet from it.
func (p *packetConn) leave() {
	p.silence()
	p.reading.Lock()
	defer p.reading.Unlock()
}

func (p *packetConn) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = true
	close(p.changed)
	p.changed = make(chan struct{})
	_ = p.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if closed, and then nobody reads
}
