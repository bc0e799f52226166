package quic

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/osgochina/dmicro/drpc/netproto"
)

// The codes that connections are closed with.
const (
	codeClosed quicgo.ApplicationErrorCode = 0
	codeSilent quicgo.ApplicationErrorCode = 1
)

// Conn is a connection: the one stream of a QUIC connection. Close waits until the peer has read to the end, at most as
// long as Config.Linger says.
type Conn struct {
	netproto.SharedSocket

	socket *udpSocket
	quic   *quicgo.Conn
	stream *quicgo.Stream
	linger time.Duration

	peerDone atomic.Bool // the peer writes no more
	closed   atomic.Bool
	once     sync.Once
	err      error
	onClose  func()
}

var _ net.Conn = (*Conn)(nil)

func newConn(s *udpSocket, conn *quicgo.Conn, stream *quicgo.Stream, cfg *Config) *Conn {
	return &Conn{
		SharedSocket: netproto.NewSharedSocket(s.pc), socket: s, quic: conn, stream: stream, linger: cfg.Linger,
	}
}

// Read reads what came. It returns io.EOF when the peer has closed.
func (c *Conn) Read(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, c.failure("read", net.ErrClosed)
	}
	n, err := c.stream.Read(b)
	if err == nil {
		return n, nil
	}
	var app *quicgo.ApplicationError
	if errors.Is(err, io.EOF) || errors.As(err, &app) && app.Remote && app.ErrorCode == codeClosed {
		c.peerDone.Store(true)
		return n, io.EOF
	}
	return n, c.failure("read", err)
}

// Write sends b. It waits where the peer, or the path to it, is slower.
func (c *Conn) Write(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, c.failure("write", net.ErrClosed)
	}
	n, err := c.stream.Write(b)
	if err != nil {
		return n, c.failure("write", err)
	}
	return n, nil
}

// failure names the connection in an error, and says net.ErrClosed where it is closed on this side.
func (c *Conn) failure(op string, err error) error {
	if c.closed.Load() {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: "quic", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Close ends the connection. A second Close waits for the first and has its result.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.closed.Store(true)
		_ = c.stream.SetDeadline(time.Now()) // whoever reads or writes comes back
		_ = c.stream.Close()                 // fails only if a write does not come back; then there is no rest to wait for
		c.wait()
		_ = c.quic.CloseWithError(codeClosed, "") // never fails
		c.err = c.socket.release()
		if c.onClose != nil {
			c.onClose()
		}
	})
	return c.err
}

// wait waits until the peer has ended its side, which it does when it has read to the end of this one.
func (c *Conn) wait() {
	if c.peerDone.Load() || c.quic.Context().Err() != nil {
		return
	}
	_ = c.stream.SetReadDeadline(time.Now().Add(c.linger))
	_, _ = io.Copy(io.Discard, c.stream) // how it ends does not matter
}

// ConnectionState tells what TLS agreed on.
func (c *Conn) ConnectionState() tls.ConnectionState { return c.quic.ConnectionState().TLS }

// LocalAddr is the UDP address of this side.
func (c *Conn) LocalAddr() net.Addr { return c.quic.LocalAddr() }

// RemoteAddr is the UDP address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.quic.RemoteAddr() }

// SetDeadline sets the deadline of reads and writes, also of those that wait; zero is none.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of reads, also of one that waits; zero is none.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(c.stream.SetReadDeadline, t) }

// SetWriteDeadline sets the deadline of writes, also of one that waits; zero is none.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(c.stream.SetWriteDeadline, t)
}

func (c *Conn) setDeadline(set func(time.Time) error, t time.Time) error {
	if c.closed.Load() {
		return c.failure("set deadline", net.ErrClosed)
	}
	return set(t)
}
