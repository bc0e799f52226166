package socket

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
)

// DefaultOutboxSize is how many bytes may wait to be written to one connection until Options says otherwise.
const DefaultOutboxSize = 4 << 20

// Options are the limits of a connection. The zero value means the defaults.
type Options struct {
	// SizeLimit is the largest frame in bytes, both ways; 0 follows message.MsgSizeLimit.
	SizeLimit uint32
	// OutboxSize is how many bytes may wait to be written before senders block; 0 is DefaultOutboxSize.
	OutboxSize int
	// WriteTimeout ends a connection whose peer takes no bytes for that long; 0 is no timeout. Over TCP on Linux it also
	// counts for what the system has taken and the peer has not, from 10 s on.
	WriteTimeout time.Duration
	// FrameTimeout ends a connection whose peer has begun a frame and does not finish it: that long it may take for
	// each MiB or part of one; 0 is no timeout. It needs a protocol with a fast path.
	FrameTimeout time.Duration
	// OnWriteError is called once, from the goroutine that noticed, when a write failed and the connection is of no
	// more use.
	OnWriteError func(error)
	// Go runs f on another goroutine, one that is kept for such work; nil is a go statement.
	Go func(f func())
	// BeforeWait is called whenever the reading goroutine may have to wait: when it has passed on all that came and
	// needs more, and before a protocol writes while it reads. It is also called by a goroutine on which a protocol
	// writes or reads for itself. Nil is nothing.
	BeforeWait func()
	// Traffic counts the bytes; nil makes one.
	Traffic *Traffic
}

// Conn is the [Socket] of a network connection, with the methods of the fast path beside those of the interface.
type Conn struct {
	opts Options

	conn   net.Conn
	proto  proto.Proto
	framer proto.Framer // nil: the protocol knows only Pack and Unpack
	// lowered is the largest frame that is read where LimitRead has said so, else 0.
	lowered atomic.Uint32
	in      frameReader
	out     *outbox
	// frameHint is about how large the last frame was: the next one gets a buffer that holds it without growing.
	frameHint atomic.Uint32

	// packing serialises a protocol without a fast path, whose Pack writes into captured.
	packing  sync.Mutex
	captured *bufpool.Buf

	mu     sync.Mutex // of conn and out where they are replaced, and of these
	id     string
	swap   *gmap.Map
	closed atomic.Bool
	// reason is why Abort closed the connection.
	reason atomic.Pointer[error]
}

var _ Socket = (*Conn)(nil)

// New wraps c. Without a protocol the default one is used; of several only the first counts.
func New(c net.Conn, opts Options, protoFunc ...ProtoFunc) *Conn {
	if opts.OutboxSize <= 0 {
		opts.OutboxSize = DefaultOutboxSize
	}
	if opts.Go == nil {
		opts.Go = func(f func()) { go f() }
	}
	if opts.Traffic == nil {
		opts.Traffic = new(Traffic)
	}
	limitSilence(c, opts.WriteTimeout)
	s := &Conn{opts: opts, conn: c}
	s.in.conn, s.in.beforeWait, s.in.traffic = c, opts.BeforeWait, opts.Traffic
	if opts.FrameTimeout > 0 {
		s.in.watch = &frameWatch{timeout: opts.FrameTimeout, cut: func() { s.Abort(ErrSlowFrame) }}
	}
	s.out = s.newOutbox()
	s.setProto(protoFunc)
	return s
}

func (s *Conn) newOutbox() *outbox {
	return &outbox{
		conn: s.conn, raw: newRawWriter(s.conn), limit: s.opts.OutboxSize, timeout: s.opts.WriteTimeout,
		spawn: s.opts.Go, onError: s.opts.OnWriteError, traffic: s.opts.Traffic,
	}
}

func (s *Conn) setProto(protoFunc []ProtoFunc) {
	pf := DefaultProtoFunc()
	if len(protoFunc) > 0 && protoFunc[0] != nil {
		pf = protoFunc[0]
	}
	s.proto = pf(protoIO{s})
	s.framer, _ = s.proto.(proto.Framer)
	_, s.in.lends = s.proto.(proto.Borrower)
	s.out.sequencer, _ = s.proto.(proto.Sequencer)
}

// protoIO is the connection as the protocol sees it.
type protoIO struct{ s *Conn }

func (p protoIO) Read(b []byte) (int, error) { return p.s.in.Read(b) }

// Write collects what Pack writes; Encode passes it on as one frame. A protocol with a fast path writes for itself.
func (p protoIO) Write(b []byte) (int, error) {
	if p.s.framer != nil {
		p.s.in.wait()
		return p.s.Write(b)
	}
	if p.s.captured == nil {
		return 0, errors.New("a protocol without a fast path may write only while it packs a message")
	}
	p.s.captured.Grow(len(b))
	p.s.captured.B = append(p.s.captured.B, b...)
	return len(b), nil
}

// CloseWrite ends the writing direction of the connection, or all of it.
func (p protoIO) CloseWrite() error {
	if c, ok := p.s.conn.(proto.WriteCloser); ok {
		return c.CloseWrite()
	}
	return p.s.conn.Close()
}

// SizeLimit is the largest frame in bytes that the connection takes.
func (p protoIO) SizeLimit() uint32 { return p.s.readLimit() }

// ends returns the connection and its outbox as they are now; Reset may replace both.
func (s *Conn) ends() (net.Conn, *outbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn, s.out
}

// SizeLimit is the largest frame in bytes that this connection takes or sends, unless LimitRead lets it take less.
func (s *Conn) SizeLimit() uint32 {
	if s.opts.SizeLimit != 0 {
		return s.opts.SizeLimit
	}
	return message.MsgSizeLimit()
}

// Traffic returns what counts the bytes of the connection.
func (s *Conn) Traffic() *Traffic { return s.opts.Traffic }

// ControlFD calls f with the file descriptor.
func (s *Conn) ControlFD(f func(fd uintptr)) error {
	conn := s.Raw()
	sc, ok := within[syscall.Conn](conn)
	if !ok {
		return fmt.Errorf("connection of type %T has no file descriptor", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(f)
}

// LocalAddr returns the local address.
func (s *Conn) LocalAddr() net.Addr { return s.Raw().LocalAddr() }

// RemoteAddr returns the address of the peer.
func (s *Conn) RemoteAddr() net.Addr { return s.Raw().RemoteAddr() }

// SetDeadline sets the deadline of reads and writes. With a write timeout in the options a send that has to
// wait for the peer moves that of writes.
func (s *Conn) SetDeadline(t time.Time) error { return s.Raw().SetDeadline(t) }

// SetReadDeadline sets the deadline of reads.
func (s *Conn) SetReadDeadline(t time.Time) error { return s.Raw().SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of writes; see SetDeadline.
func (s *Conn) SetWriteDeadline(t time.Time) error { return s.Raw().SetWriteDeadline(t) }

// Raw returns the connection underneath.
func (s *Conn) Raw() net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// ID returns what SetID set, else the remote address.
func (s *Conn) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == "" {
		return s.conn.RemoteAddr().String()
	}
	return s.id
}

// SetID sets the id.
func (s *Conn) SetID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = id
}

// Swap returns the values kept with the connection.
func (s *Conn) Swap(newSwap ...*gmap.Map) *gmap.Map {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(newSwap) > 0 && newSwap[0] != nil {
		s.swap = newSwap[0]
	}
	if s.swap == nil {
		s.swap = gmap.New(true)
	}
	return s.swap
}

// SwapLen is the number of values kept.
func (s *Conn) SwapLen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swap == nil {
		return 0
	}
	return s.swap.Size()
}
