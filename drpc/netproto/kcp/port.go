package kcp

import (
	"net"
	"sync"
	"time"
)

// portQueue is how many datagrams wait for a connection before more are dropped, which KCP repairs.
const portQueue = 2 * window

// maxDatagram is the largest datagram in bytes that is taken.
const maxDatagram = 1500

// port is the part of a socket that belongs to one connection: a packet connection with a single peer.
type port struct {
	hub  *hub
	peer net.Addr

	in     chan *datagram
	closed chan struct{}
	once   sync.Once
}

type datagram struct {
	n int
	b [maxDatagram]byte
}

var datagrams = sync.Pool{New: func() any { return new(datagram) }}

func newPort(h *hub, peer net.Addr) *port {
	return &port{hub: h, peer: peer, in: make(chan *datagram, portQueue), closed: make(chan struct{})}
}

// put passes a datagram on, or drops it.
func (p *port) put(b []byte) {
	d := datagrams.Get().(*datagram)
	d.n = copy(d.b[:], b)
	select {
	case p.in <- d:
	default:
		datagrams.Put(d)
	}
}

func (p *port) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-p.closed:
		return 0, nil, net.ErrClosed
	case d := <-p.in:
		n := copy(b, d.b[:d.n])
		datagrams.Put(d)
		return n, p.peer, nil
	}
}

// WriteTo sends a datagram. One that cannot be sent counts as lost: KCP would give up at the first error.
func (p *port) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.hub.send(b, p.peer)
	return len(b), nil
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *port) LocalAddr() net.Addr { return p.hub.pc.LocalAddr() }

// Deadlines are those of the connection, here there are none.
func (p *port) SetDeadline(time.Time) error      { return nil }
func (p *port) SetReadDeadline(time.Time) error  { return nil }
func (p *port) SetWriteDeadline(time.Time) error { return nil }
