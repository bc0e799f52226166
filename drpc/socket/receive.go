package socket

import (
	"errors"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/internal/clock"
)

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

// ReleaseReader gives the read buffer back once nobody reads any more. That of a protocol without a fast path, which
// may be reading on a goroutine of its own, is left to the garbage collector.
func (s *Conn) ReleaseReader() {
	if s.framer != nil {
		s.in.release()
	}
}

// Read reads bytes outside of any frame.
func (s *Conn) Read(b []byte) (int, error) { return s.in.Read(b) }
