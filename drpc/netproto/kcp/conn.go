package kcp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/osgochina/dmicro/drpc/netproto"
)

// maxWrite is how many bytes KCP gets at a time: it takes any number at once, whatever the window.
const maxWrite = 32 << 10

// Conn is a connection. Close tells the peer, and waits until it has everything, at most as long as Config.Linger says.
type Conn struct {
	netproto.SharedSocket

	hub  *hub
	conv uint32
	key  netip.AddrPort
	port *port
	kcp  *kcpgo.UDPSession

	reading, writing sync.Mutex    // held by the one that reads or writes
	got              atomic.Uint64 // bytes that Read returned; reading
	put              uint64        // bytes that Write took; writing

	baked     time.Duration // when the listener made the cookie of its client; only its reading goroutine looks
	begun     atomic.Bool   // the peer knows of it
	lastHeard atomic.Int64  // nanoseconds since epoch
	pulse     *time.Timer

	mu            sync.Mutex
	closing       bool
	err           error // why the connection is lost
	peerClosing   bool  // the peer reads no more, and wrote peerPut bytes
	peerPut       uint64
	done          chan struct{} // closed when nothing is to be waited for any more
	isDone        bool
	rDead, wDead  time.Time
	epoch         time.Time
	closeFinished chan struct{}
}

var _ net.Conn = (*Conn)(nil)

func newConn(h *hub, conv uint32, peer net.Addr, key netip.AddrPort) (*Conn, error) {
	p := newPort(h, peer)
	s, err := kcpgo.NewConn3(conv, peer, nil, DefaultDataShards, DefaultParityShards, p)
	if err != nil {
		return nil, err
	}
	s.SetMtu(mtu)
	s.SetWindowSize(window, window)
	s.SetNoDelay(1, interval, fastResend, 1)
	c := &Conn{
		SharedSocket: netproto.NewSharedSocket(h.pc),
		hub:          h, conv: conv, key: key, port: p, kcp: s,
		done: make(chan struct{}), epoch: time.Now(), closeFinished: make(chan struct{}),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake()
	c.pulse = time.AfterFunc(h.cfg.Idle/pulses, c.beat)
	return c, nil
}

// pulses is how often in the time of Config.Idle it is looked whether the peer lives: often enough that losses do not
// make a living peer look dead.
const pulses = 8

// heard notes that something came from the peer.
func (c *Conn) heard() { c.lastHeard.Store(int64(time.Since(c.epoch))) }

// beat asks a silent peer whether it lives, and gives up one that has been silent for too long.
func (c *Conn) beat() {
	cfg := c.hub.cfg
	silent, limit := time.Since(c.epoch)-time.Duration(c.lastHeard.Load()), cfg.Idle
	if cfg.Older {
		limit = olderIdle
	}
	if silent >= limit {
		c.lose(&IdleError{After: silent.Round(time.Millisecond)})
		return
	}
	if silent >= cfg.Idle/(2*pulses) && !cfg.Older && c.begun.Load() { // or the peer would say that it is gone
		c.hub.tell(c.port.peer, c.conv, alive, 0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isDone {
		c.pulse.Reset(cfg.Idle / pulses)
	}
}

// finish says that nothing is to be waited for any more. c.mu is held.
func (c *Conn) finish() {
	if !c.isDone {
		c.isDone = true
		close(c.done)
		c.pulse.Stop()
	}
}

// lose ends the connection with an error.
func (c *Conn) lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.finish()
	c.wake()
}

// peerGone is what the peer's system says that knows nothing of the connection: because it is new, or because its side is
// closed, which is fine if this side is closing.
func (c *Conn) peerGone() {
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	if closing {
		c.confirmed()
	} else {
		c.lose(syscall.ECONNRESET)
	}
}

// confirmed says that the peer has everything.
func (c *Conn) confirmed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		c.finish()
	}
}

// peerCloses notes that the peer has closed after so many bytes. It reports whether they are all here, or not wanted any
// more.
func (c *Conn) peerCloses(put uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.peerClosing {
		c.peerClosing, c.peerPut = true, put
		c.wake()
	}
	return c.closing || c.got.Load() >= c.peerPut
}

// wake makes a Read and a Write that wait look at the state again. Whoever changes the state calls it, so that the
// deadlines of KCP always follow from the state. c.mu is held.
func (c *Conn) wake() {
	_ = c.kcp.SetReadDeadline(c.readLimit())
	_ = c.kcp.SetWriteDeadline(c.writeLimit())
}

var (
	past   = time.Unix(1, 0)
	future = time.Hour * 24 * 365
)

// KCP looks at a deadline while it waits only if there was one when it began to wait, so there always is one.

func (c *Conn) readLimit() time.Time {
	if c.closing || c.readErr() != nil {
		return past
	}
	return limit(c.rDead)
}

func (c *Conn) writeLimit() time.Time {
	if c.writeErr() != nil {
		return past
	}
	return limit(c.wDead)
}

func limit(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now().Add(future)
	}
	return t
}

// readErr is why nothing more can be read, apart from deadlines. c.mu is held.
func (c *Conn) readErr() error {
	switch {
	case c.closing:
		return net.ErrClosed
	case c.peerClosing && c.got.Load() >= c.peerPut:
		return io.EOF
	default:
		return c.err
	}
}

// writeErr is why nothing more can be written, apart from deadlines. c.mu is held.
func (c *Conn) writeErr() error {
	switch {
	case c.closing:
		return net.ErrClosed
	case c.err != nil:
		return c.err
	case c.peerClosing:
		return syscall.EPIPE
	default:
		return nil
	}
}

// Read reads what came. It returns io.EOF after the last byte of a peer that has closed.
func (c *Conn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	for {
		if err := c.mayGoOn(c.readErr, &c.rDead); err != nil {
			return 0, c.failure("read", err)
		}
		n, err := c.kcp.Read(b)
		if n > 0 {
			c.count(n)
			return n, nil
		}
		if err != nil && !isTimeout(err) {
			c.lose(err)
		}
	}
}

// count notes how much was read, and tells a peer that waits for it with closing.
func (c *Conn) count(n int) {
	c.mu.Lock()
	got := c.got.Add(uint64(n))
	all := c.peerClosing && got >= c.peerPut
	c.mu.Unlock()
	if all {
		c.hub.tell(c.port.peer, c.conv, closed, 0)
	}
}

// mayGoOn returns the reason not to read or write, which may be a deadline that has passed.
func (c *Conn) mayGoOn(reason func() error, deadline *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := reason(); err != nil {
		return err
	}
	if !deadline.IsZero() && !time.Now().Before(*deadline) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Write sends b. It waits where the peer, or the path to it, is slower.
func (c *Conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	sent := 0
	for sent < len(b) {
		if err := c.mayGoOn(c.writeErr, &c.wDead); err != nil {
			return sent, c.failure("write", err)
		}
		n, err := c.kcp.Write(b[sent:min(sent+maxWrite, len(b))])
		sent += n
		c.put += uint64(n)
		if err != nil && !isTimeout(err) {
			c.lose(err)
		}
	}
	return sent, nil
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// failure names the connection in an error; io.EOF stays what it is.
func (c *Conn) failure(op string, err error) error {
	if err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "kcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// LocalAddr is the UDP address of this side.
func (c *Conn) LocalAddr() net.Addr { return c.hub.pc.LocalAddr() }

// RemoteAddr is the UDP address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.port.peer }

// SetDeadline sets the deadline of reads and writes, also of those that wait; zero is none.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of reads, also of one that waits; zero is none.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.rDead, t) }

// SetWriteDeadline sets the deadline of writes, also of one that waits; zero is none.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.wDead, t) }

func (c *Conn) setDeadline(which *time.Time, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return c.failure("set deadline", net.ErrClosed)
	}
	*which = t
	c.wake()
	return nil
}
