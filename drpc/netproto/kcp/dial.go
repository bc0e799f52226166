package kcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// socketBuffer is what is asked for in bytes: KCP sends without regard to how fast the system of the peer takes it.
const socketBuffer = 2 << 20

// enlarge makes the buffers of a socket larger, as far as the system lets it.
func enlarge(pc net.PacketConn) {
	if c, ok := pc.(interface{ SetReadBuffer(int) error }); ok {
		_ = c.SetReadBuffer(socketBuffer)
	}
	if c, ok := pc.(interface{ SetWriteBuffer(int) error }); ok {
		_ = c.SetWriteBuffer(socketBuffer)
	}
}

// connected is a socket with a single peer, whose system can so tell that nobody has the port.
type connected struct{ *net.UDPConn }

func (c connected) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

// Dial connects to address over network udp, udp4 or udp6, from local where it is not empty. It fails with
// [ErrNoAnswer] when nobody answers before ctx or Config.DialTimeout ends, and with the system's error when nobody has the
// port.
func Dial(ctx context.Context, network, local, address string, cfg Config) (*Conn, error) {
	conf := cfg.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, conf.DialTimeout)
	defer cancel()
	var d net.Dialer
	if local != "" {
		addr, err := net.ResolveUDPAddr(network, local)
		if err != nil {
			return nil, fmt.Errorf("kcp: local address: %w", err)
		}
		d.LocalAddr = addr
	}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("kcp: network %s has no datagrams", network), conn.Close())
	}
	enlarge(udp)
	return newHub(connected{udp}, conf, true).dial(ctx, udp.RemoteAddr().(*net.UDPAddr))
}

// dial begins a conversation. The connection exists before the server knows of it, since the server may speak at once.
func (h *hub) dial(ctx context.Context, peer *net.UDPAddr) (*Conn, error) {
	key := addrKey(peer)
	c, err := newConn(h, newConv(), peer, key)
	if err != nil {
		h.unopen()
		return nil, err
	}
	h.mu.Lock()
	h.conns[key] = c
	failed := h.err
	h.mu.Unlock()
	h.unopen() // the socket goes with the connection
	if failed != nil {
		c.lose(failed)
	}
	if h.cfg.Older {
		return c, nil
	}
	if err = h.enter(ctx, c); err != nil {
		c.abort()
		return nil, &net.OpError{Op: "dial", Net: "kcp", Source: h.pc.LocalAddr(), Addr: peer, Err: err}
	}
	c.begun.Store(true)
	return c, nil
}

// enter proves the address of this side, repeating whatever is not answered.
func (h *hub) enter(ctx context.Context, c *Conn) error {
	say := control{conv: c.conv, kind: hello}
	for pause := firstRepeat; ; pause = min(2*pause, lastRepeat) {
		h.send(say.bytes(), c.port.peer)
		again := time.NewTimer(pause)
		select {
		case answer := <-h.answers:
			if answer.kind == welcome {
				again.Stop()
				return nil
			}
			say = control{conv: c.conv, kind: enter, value: answer.value}
			pause = firstRepeat / 2
		case <-c.done:
			again.Stop()
			return c.lost()
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("%w: %w", ErrNoAnswer, context.Cause(ctx))
		case <-again.C:
		}
		again.Stop()
	}
}

// lost is why the connection is lost.
func (c *Conn) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
