package socket

import (
	"context"
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
	"github.com/osgochina/dmicro/internal/clock"
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

// SizeLimit is the largest frame in bytes that this connection takes or sends, unless LimitRead lets it take less.
func (s *Conn) SizeLimit() uint32 {
	if s.opts.SizeLimit != 0 {
		return s.opts.SizeLimit
	}
	return message.MsgSizeLimit()
}

// LimitRead lets the connection take frames of n bytes at most from the next one on, as from a peer that is not known yet.
// 0 lifts that again; SizeLimit holds in any case. What is sent is not concerned. Safe for concurrent use.
func (s *Conn) LimitRead(n uint32) { s.lowered.Store(n) }

// readLimit is the largest frame in bytes that the connection takes now.
func (s *Conn) readLimit() uint32 {
	limit := s.SizeLimit()
	if n := s.lowered.Load(); n != 0 {
		return min(n, limit)
	}
	return limit
}

// Encode packs m into one frame, to be passed to Send. Safe for concurrent use; it holds no lock that a slow body
// could make others wait for, unless the protocol has no fast path.
func (s *Conn) Encode(m *message.Msg) (*bufpool.Buf, error) {
	m.SetSizeLimit(s.SizeLimit())
	hint := s.frameHint.Load()
	buf := bufpool.Get(int(hint))
	if s.framer != nil {
		frame, err := s.framer.AppendFrame(buf.B, m)
		buf.B = frame
		if err != nil {
			bufpool.Put(buf)
			return nil, err
		}
		if n := uint32(len(frame)); n > hint || n < hint/4 {
			s.frameHint.Store(n)
		}
		return buf, nil
	}
	s.packing.Lock()
	defer s.packing.Unlock()
	s.captured = buf
	defer func() { s.captured = nil }()
	if err := s.proto.Pack(m); err != nil {
		return nil, err
	}
	if err := message.CheckSize(uint64(len(buf.B)), s.SizeLimit()); err != nil {
		return nil, err
	}
	return buf, nil
}

// Send hands a frame of Encode over to be written; the frame belongs to the socket from then on. With wait it returns
// the outcome of the write that really carried the frame, else nil as soon as the frame is queued. ctx bounds the
// waiting. An empty frame, which a protocol has held back, is sent at once. Safe for concurrent use.
func (s *Conn) Send(ctx context.Context, frame *bufpool.Buf, wait bool) error {
	if len(frame.B) == 0 {
		bufpool.Put(frame)
		return nil
	}
	return s.out.send(ctx, frame, wait)
}

// Offer is Send for who must not wait for the peer to take anything: a frame that would make more than limit bytes wait
// to be written waits for room until ctx ends, and is then refused with ErrFull. With a context that is over from the
// beginning it does not wait at all. With watched it returns a function that waits for the outcome of the write. Safe
// for concurrent use.
func (s *Conn) Offer(ctx context.Context, frame *bufpool.Buf, limit int, watched bool) (written func(context.Context) error, err error) {
	if len(frame.B) == 0 {
		bufpool.Put(frame)
		return func(context.Context) error { return nil }, nil
	}
	out, err := s.out.offer(ctx, frame, limit, watched)
	if out == nil || err != nil {
		return nil, err
	}
	return out.wait, nil
}

// Expect announces that a goroutine was made runnable that is likely to send soon and calls Arrive first of all. Until
// it has, frames of others wait for its own, to be written together with it. Only for goroutines that nothing but the
// processor keeps from running.
func (s *Conn) Expect() { s.out.expect() }

// Arrive is called once by each goroutine that Expect announced, before it sends or waits for anything.
func (s *Conn) Arrive() { s.out.arrive() }

// WriteMessage sends one message and waits until it was written.
func (s *Conn) WriteMessage(m Message) error {
	msg := message.From(m)
	frame, err := s.Encode(msg)
	if err != nil {
		return err
	}
	return s.Send(msg.Context(), frame, true)
}

// Receive reads one frame into m and leaves its body encoded: m.DecodeBody decodes it. The parts of m lie in the
// returned buffer, which goes to bufpool.Put once m is done with. Without a buffer they lie in that of the connection,
// and stay there until Receive is called again; Keep copies them. One goroutine at a time.
func (s *Conn) Receive(m *message.Msg) (*bufpool.Buf, error) {
	m.SetSizeLimit(s.readLimit())
	m.DeferBody()
	if s.framer == nil {
		return s.receiveSlow(m)
	}
	return s.receiveFrame(m)
}

// receiveFrame reads frames until one holds a message.
func (s *Conn) receiveFrame(m *message.Msg) (*bufpool.Buf, error) {
	for {
		frame, own, err := s.in.next(s.framer, m.SizeLimit())
		if err != nil {
			return nil, s.readError(err)
		}
		if err = s.framer.ParseFrame(frame, m); err == nil {
			return own, nil
		}
		bufpool.Put(own)
		if !errors.Is(err, proto.ErrNoMessage) {
			return nil, err
		}
	}
}

// Keep copies the parts of m into a buffer of its own, which goes to bufpool.Put once m is done with: for a message that
// Receive has returned without one.
func (s *Conn) Keep(m *message.Msg) *bufpool.Buf {
	own := bufpool.Get(m.ReceivedLen())
	own.B = m.MoveReceived(own.B)
	return own
}

// receiveSlow reads with Unpack, whose bytes are only valid until the next one.
func (s *Conn) receiveSlow(m *message.Msg) (*bufpool.Buf, error) {
	s.in.wait() // how Unpack waits, and on what, is its own business
	if err := s.proto.Unpack(m); err != nil {
		return nil, s.readError(err)
	}
	body := bufpool.Get(len(m.EncodedBody()))
	body.B = append(body.B, m.EncodedBody()...)
	m.SetEncodedBody(body.B)
	return body, nil
}

// ReadMessage reads one message and decodes its body.
func (s *Conn) ReadMessage(m Message) error {
	msg := message.From(m)
	msg.SetSizeLimit(s.readLimit())
	if s.framer == nil {
		return s.readError(s.proto.Unpack(m))
	}
	frame, err := s.receiveFrame(msg)
	if err != nil {
		return err
	}
	defer bufpool.Put(frame)
	// The caller keeps the message, but not the buffer that these lie in.
	msg.SetServiceMethod(msg.ServiceMethod())
	msg.DetachMeta()
	return nil
}

// readError tells an end that this side caused from all others.
func (s *Conn) readError(err error) error {
	if reason := s.reason.Load(); err != nil && reason != nil {
		return *reason
	}
	if err != nil && s.closed.Load() {
		return ErrProactivelyCloseSocket
	}
	return err
}

// ReceivedAt is when bytes last came in, taken once for all frames of a read. Only for the reading goroutine. A protocol
// without a fast path may read on a goroutine of its own; then it is now.
func (s *Conn) ReceivedAt() clock.Time {
	if s.framer == nil {
		return clock.Now()
	}
	return s.in.at
}

// Buffered is the number of bytes read ahead, 0 for a protocol without a fast path, which knows more about that. Only
// for the reading goroutine.
func (s *Conn) Buffered() int {
	if s.framer == nil {
		return 0
	}
	return s.in.buffered()
}

// Sent is how many frames were handed over to be written so far. Safe for concurrent use.
func (s *Conn) Sent() uint64 {
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	return out.sent()
}

// Drain waits until everything handed to Send was written. It returns the error that ended the writing, or the cause
// of ctx if that ends first. Safe for concurrent use.
func (s *Conn) Drain(ctx context.Context) error { return s.out.drain(ctx) }

// Queued is the number of bytes that wait to be written or are being written. Safe for concurrent use.
func (s *Conn) Queued() int {
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.queued
}

// Traffic returns what counts the bytes of the connection.
func (s *Conn) Traffic() *Traffic { return s.opts.Traffic }

// ReleaseReader gives the read buffer back once nobody reads any more. That of a protocol without a fast path, which
// may be reading on a goroutine of its own, is left to the garbage collector.
func (s *Conn) ReleaseReader() {
	if s.framer != nil {
		s.in.release()
	}
}

// Read reads bytes outside of any frame.
func (s *Conn) Read(b []byte) (int, error) { return s.in.Read(b) }

// Write sends bytes outside of any frame.
func (s *Conn) Write(b []byte) (int, error) {
	s.in.wait() // the reader may be the one who writes, and others may wait for it
	buf := bufpool.Get(len(b))
	buf.B = append(buf.B, b...)
	if err := s.Send(context.Background(), buf, true); err != nil {
		return 0, err
	}
	return len(b), nil
}

// EndSending closes the sending direction: the peer reads an end, and this side reads on. It reports whether the
// connection can do that. Every later Send fails.
func (s *Conn) EndSending() bool {
	half, ok := s.Raw().(proto.WriteCloser)
	if !ok {
		return false
	}
	s.out.fail(ErrProactivelyCloseSocket)
	return half.CloseWrite() == nil
}

// Close closes the connection.
func (s *Conn) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.in.watch.stop()
	return s.shut(ErrProactivelyCloseSocket)
}

// Abort ends the connection because of what the peer does, or does not do: what is read or sent from now on fails with
// reason. It does not wait for the connection to close, and Close is still to be called. Only the first reason counts;
// Abort reports whether this one does. Safe for concurrent use.
func (s *Conn) Abort(reason error) bool {
	if !s.reason.CompareAndSwap(nil, &reason) {
		return false
	}
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	out.fail(reason)                         // at once: whoever sends next shall know
	s.opts.Go(func() { _ = s.shut(reason) }) // its error is of no interest beside the reason
	return true
}

func (s *Conn) shut(reason error) error {
	// First the reason, then the deed: senders shall not learn of it by an error of the connection.
	s.mu.Lock()
	conn, out := s.conn, s.out
	s.mu.Unlock()
	out.fail(reason)
	return conn.Close()
}

// Reset puts another connection, another protocol or both in place.
func (s *Conn) Reset(netConn net.Conn, protoFunc ...ProtoFunc) {
	if netConn != nil && netConn != s.conn {
		s.in.release()
		s.in.conn = netConn
		turns := s.out.turns.Load() // whoever was announced to the old one arrives at this one
		s.mu.Lock()
		s.conn = netConn
		s.out = s.newOutbox()
		s.out.turns.Store(turns)
		s.mu.Unlock()
		s.closed.Store(false)
	}
	if len(protoFunc) > 0 || netConn != nil {
		s.setProto(protoFunc)
	}
	if reason := s.reason.Load(); reason != nil {
		_ = s.shut(*reason) // an Abort of meanwhile has closed the connection before, and not this one
	}
}

// Unread returns the connection for somebody who wants to wrap it: bytes that were read ahead come first from its
// Read. Only before or after frames are read, never meanwhile.
func (s *Conn) Unread() net.Conn {
	n := s.in.buffered()
	if n == 0 {
		return s.conn
	}
	ahead := append(make([]byte, 0, n), s.in.buf.B[s.in.pos:]...)
	return &unreadConn{Conn: s.conn, ahead: ahead}
}

// unreadConn gives back bytes that were read ahead before it reads on.
type unreadConn struct {
	net.Conn
	ahead []byte
}

func (c *unreadConn) Read(b []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.ahead)
	c.ahead = c.ahead[n:]
	return n, nil
}

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
