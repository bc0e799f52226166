package socket

import (
	"context"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/bufpool"
)

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

// Sent is how many frames were handed over to be written so far. Safe for concurrent use.
func (s *Conn) Sent() uint64 {
	_, out := s.ends()
	return out.sent()
}

// Drain waits until everything handed to Send was written. It returns the error that ended the writing, or the cause
// of ctx if that ends first. Safe for concurrent use.
func (s *Conn) Drain(ctx context.Context) error {
	_, out := s.ends()
	return out.drain(ctx)
}

// Queued is the number of bytes that wait to be written or are being written. Safe for concurrent use.
func (s *Conn) Queued() int {
	_, out := s.ends()
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.queued
}

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
