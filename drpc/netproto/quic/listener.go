package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	quicgo "github.com/quic-go/quic-go"
)

// manyHandshakes is from how many unfinished handshakes on clients have to prove their address first.
const manyHandshakes = 32

// greeters is how many goroutines take connections after their handshake. The library refuses those that it has no room
// for, which is for some 30, and a single goroutine may be without a processor for as long as that takes.
const greeters = 16

var errFull = errors.New("quic: too many connections")

// Listener accepts connections on a UDP socket.
type Listener struct {
	cfg    *Config
	socket *udpSocket
	quic   *quicgo.Listener

	ctx     context.Context
	cancel  context.CancelFunc
	accepts chan *Conn
	failed  chan struct{}
	fails   sync.Once
	err     error
	greets  sync.WaitGroup
	once    sync.Once

	live    atomic.Int64 // connections, also in their handshake
	greeted atomic.Int64 // of these, the ones after it
}

var _ net.Listener = (*Listener)(nil)

// ServeConn listens on a packet connection, such as one that was inherited; config is asked for the TLS configuration at
// each handshake. The packet connection belongs to the listener from then on, also where ServeConn fails: it is closed after
// Close and the Close of the last connection.
func ServeConn(pc net.PacketConn, config func() *tls.Config, cfg Config) (*Listener, error) {
	conf := cfg.withDefaults()
	serverConfig, err := serverTLS(func() *tls.Config { return first(config, conf.TLS) })
	if err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	l := &Listener{
		cfg: conf, socket: newSocket(pc),
		accepts: make(chan *Conn, conf.Backlog), failed: make(chan struct{}),
	}
	l.socket.transport.ConnContext = l.admit
	l.socket.transport.VerifySourceAddress = func(net.Addr) bool { return l.live.Load()-l.greeted.Load() >= manyHandshakes }
	if l.quic, err = l.socket.transport.Listen(serverConfig, conf.quic(true)); err != nil {
		return nil, errors.Join(fmt.Errorf("quic: listen: %w", err), l.socket.release())
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for range greeters {
		l.greets.Go(l.greetAll)
	}
	return l, nil
}

// first is the configuration of an endpoint, else fallback.
func first(config func() *tls.Config, fallback *tls.Config) *tls.Config {
	if config != nil {
		if cfg := config(); cfg != nil {
			return cfg
		}
	}
	return fallback
}

// admit counts a connection for as long as it lives.
func (l *Listener) admit(ctx context.Context, _ *quicgo.ClientInfo) (context.Context, error) {
	if l.live.Add(1) > int64(l.cfg.MaxSessions) {
		l.live.Add(-1)
		return nil, errFull
	}
	context.AfterFunc(ctx, func() { l.live.Add(-1) })
	return ctx, nil
}

// greetAll takes connections after their handshake, until Close, and what waits then, too: it would stay open unnoticed.
// None waits for another.
func (l *Listener) greetAll() {
	for {
		conn, err := l.quic.Accept(context.Background())
		if err != nil {
			l.fails.Do(func() {
				l.err = err
				close(l.failed)
			})
			return
		}
		l.socket.hold()
		l.greeted.Add(1)
		l.greets.Go(func() { l.greet(conn) })
	}
}

// greet waits for the stream of a client, and then for Accept.
func (l *Listener) greet(conn *quicgo.Conn) {
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.SilenceTimeout)
	defer cancel()
	stream, err := firstStream(ctx, conn)
	if err == nil {
		c := newConn(l.socket, conn, stream, l.cfg)
		c.onClose = func() { l.greeted.Add(-1) }
		select {
		case l.accepts <- c:
			return
		case <-ctx.Done():
		case <-conn.Context().Done():
		}
	}
	_ = conn.CloseWithError(codeSilent, "no stream was opened in time, or nobody took it")
	l.greeted.Add(-1)
	_ = l.socket.release() // the listener's own release tells what goes wrong
}

// firstStream returns the stream of a client that says that there is one.
func firstStream(ctx context.Context, conn *quicgo.Conn) (*quicgo.Stream, error) {
	stream, err := conn.AcceptStream(ctx)
	if err != nil || conn.ConnectionState().TLS.NegotiatedProtocol != protocol {
		return stream, err
	}
	var greeting [1]byte
	stop := context.AfterFunc(ctx, func() { stream.CancelRead(0) })
	_, err = io.ReadFull(stream, greeting[:])
	if !stop() || err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	if greeting[0] != version {
		return nil, fmt.Errorf("quic: a stream begins with %d", greeting[0])
	}
	return stream, nil
}

// version is the first byte of a stream.
const version = 1

// Accept returns the next connection whose client has opened its stream. It fails with net.ErrClosed after Close, and with
// the error of the socket where that fails.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.ctx.Done():
		return nil, l.failure(net.ErrClosed)
	default:
	}
	select {
	case c := <-l.accepts:
		return c, nil
	case <-l.ctx.Done():
		return nil, l.failure(net.ErrClosed)
	case <-l.failed:
		if l.ctx.Err() != nil {
			return nil, l.failure(net.ErrClosed)
		}
		return nil, l.failure(errors.Join(net.ErrClosed, l.err)) // the socket is of no more use
	}
}

func (l *Listener) failure(err error) error {
	return &net.OpError{Op: "accept", Net: "quic", Addr: l.Addr(), Err: err}
}

// Close stops listening. Connections that were accepted go on; those that were not are ended. A second Close fails with
// net.ErrClosed.
func (l *Listener) Close() error {
	err := l.failure(net.ErrClosed)
	l.once.Do(func() {
		l.cancel()
		err = l.quic.Close()
		l.greets.Wait()
		err = errors.Join(err, l.endUnaccepted(), l.socket.release())
	})
	return err
}

func (l *Listener) endUnaccepted() (err error) {
	for {
		select {
		case c := <-l.accepts:
			c.peerDone.Store(true) // nothing was written: there is nothing to wait for
			err = errors.Join(err, c.Close())
		default:
			return err
		}
	}
}

// Addr is the UDP address of the socket.
func (l *Listener) Addr() net.Addr { return l.socket.pc.LocalAddr() }
