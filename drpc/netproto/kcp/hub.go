package kcp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	// maxReadFailures is after how many failures in a row a socket is given up, and readPause what lies between them.
	maxReadFailures = 100
	readPause       = 10 * time.Millisecond
	// anyDatagram has room for whatever is sent: on Windows reading fails where a datagram is longer than the buffer, and
	// anybody could so make a listener fail.
	anyDatagram = 64 << 10
)

// hub shares a socket out among connections. The socket of a listener stays open until the last of its connections is
// closed; the socket of a client has one connection.
type hub struct {
	pc    net.PacketConn
	cfg   *Config
	baker *baker
	// client: the socket has a single peer, and an error of it, such as a closed port, is the peer's.
	client  bool
	answers chan control // what a dial waits for

	accepts chan *Conn

	mu       sync.Mutex
	conns    map[netip.AddrPort]*Conn
	open     bool // the listener, or the dial
	unopened chan struct{}
	err      error
	failed   chan struct{}
}

func newHub(pc net.PacketConn, cfg *Config, client bool) *hub {
	h := &hub{
		pc: pc, cfg: cfg, baker: newBaker(), client: client,
		answers: make(chan control, 4), accepts: make(chan *Conn, cfg.Backlog),
		conns: make(map[netip.AddrPort]*Conn), open: true,
		unopened: make(chan struct{}), failed: make(chan struct{}),
	}
	go h.read()
	return h
}

// read takes what comes in, for as long as the socket is open.
func (h *hub) read() {
	size := anyDatagram
	if h.client {
		size = maxDatagram + 1 // only its server is heard, and there may be very many clients
	}
	b := make([]byte, size)
	failures := 0
	for {
		n, from, err := h.pc.ReadFrom(b)
		if err == nil {
			failures = 0
			if addr, ok := from.(*net.UDPAddr); ok && n <= maxDatagram {
				h.take(b[:n], addr)
			}
			continue
		}
		failures++
		if h.client || errors.Is(err, net.ErrClosed) || failures > maxReadFailures {
			h.fail(err)
			return
		}
		select {
		case <-time.After(readPause): // such as a message of the system about some peer
		case <-h.failed:
			return
		}
	}
}

// fail ends everything on the socket. Only the first failure counts.
func (h *hub) fail(err error) {
	h.mu.Lock()
	if h.err != nil {
		h.mu.Unlock()
		return
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // connections and listeners put their own names to it
	}
	h.err = err
	close(h.failed)
	conns := make([]*Conn, 0, len(h.conns))
	for _, c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, c := range conns {
		c.lose(err)
	}
}

// send sends a datagram. What goes wrong counts as loss, but a client learns here, too, that nobody has the port.
func (h *hub) send(b []byte, to net.Addr) {
	if _, err := h.pc.WriteTo(b, to); err != nil && h.client && errors.Is(err, syscall.ECONNREFUSED) {
		h.fail(err)
	}
}

func (h *hub) tell(to net.Addr, conv uint32, k kind, value uint64) {
	h.send(control{conv: conv, kind: k, value: value}.bytes(), to)
}

// take passes a datagram on to whom it is for.
func (h *hub) take(b []byte, from *net.UDPAddr) {
	key := addrKey(from)
	c := h.conn(key)
	if ctl, ok := parseControl(b); ok {
		if c != nil && c.conv != ctl.conv {
			c = nil
		}
		h.control(ctl, c, from, key)
		return
	}
	s, ok := parseSegment(b)
	if !ok {
		return
	}
	if c == nil || s.named && s.conv != c.conv {
		if c = h.stray(s, from, key); c == nil {
			return
		}
	}
	c.heard()
	c.port.put(b)
}

// stray is asked about a segment of no known conversation, and returns a new one where that is allowed.
func (h *hub) stray(s segment, from *net.UDPAddr, key netip.AddrPort) *Conn {
	if !s.named {
		return nil
	}
	if h.cfg.Older && s.first && !h.client {
		return h.admit(s.conv, from, key, h.baker.now())
	}
	h.tell(from, s.conv, gone, 0)
	return nil
}

// control answers a datagram of this package. c is the connection it is about, or nil.
func (h *hub) control(ctl control, c *Conn, from *net.UDPAddr, key netip.AddrPort) {
	if c != nil {
		c.heard()
	}
	switch ctl.kind {
	case hello:
		if !h.client {
			h.tell(from, ctl.conv, cookie, h.baker.bake(key, ctl.conv))
		}
	case enter:
		if h.client {
			return
		}
		baked, ok := h.baker.check(key, ctl.conv, ctl.value)
		if ok && (c != nil || h.admit(ctl.conv, from, key, baked) != nil) {
			h.tell(from, ctl.conv, welcome, 0)
		}
	case cookie, welcome:
		if h.client && c != nil {
			select {
			case h.answers <- ctl:
			default: // a repetition
			}
		}
	case alive:
		if c != nil {
			h.tell(from, ctl.conv, here, 0)
		} else {
			h.tell(from, ctl.conv, gone, 0)
		}
	case closing:
		if c == nil || c.peerCloses(ctl.value) {
			h.tell(from, ctl.conv, closed, 0)
		}
	case closed:
		if c != nil {
			c.confirmed()
		}
	case gone:
		if c != nil {
			c.peerGone()
		}
	}
}

func (h *hub) conn(key netip.AddrPort) *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[key]
}

// admit makes a connection of a client that got its cookie at the time baked. It waits to be accepted. It returns nil
// where there is no room; the client asks again. Only the goroutine that reads calls it.
func (h *hub) admit(conv uint32, from *net.UDPAddr, key netip.AddrPort, baked time.Duration) *Conn {
	if old := h.conn(key); old != nil {
		if baked < old.baked {
			return nil // what an earlier client at this address has said comes late
		}
		// The same address begins anew, so the old conversation is over.
		old.lose(syscall.ECONNRESET)
		h.remove(old)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open || len(h.conns) >= h.cfg.MaxSessions || len(h.accepts) == cap(h.accepts) {
		return nil
	}
	c, err := newConn(h, conv, from, key)
	if err != nil {
		return nil // KCP refuses its own defaults: never
	}
	c.baked = baked
	c.begun.Store(true)
	h.conns[key] = c
	h.accepts <- c
	return c
}

// remove forgets a connection, and closes the socket after the last one.
func (h *hub) remove(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns[c.key] == c {
		delete(h.conns, c.key)
	}
	h.closeIfUnused()
}

// unopen makes the socket close with its last connection, and refuses new ones. It reports whether it was open.
func (h *hub) unopen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open {
		return false
	}
	h.open = false
	close(h.unopened)
	h.closeIfUnused()
	return true
}

func (h *hub) closeIfUnused() {
	if !h.open && len(h.conns) == 0 {
		_ = h.pc.Close() // nothing was promised to anybody any more
	}
}

// addrKey is an address as the key of a map: an IPv4 address is the same in either form.
func addrKey(a *net.UDPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
