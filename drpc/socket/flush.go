package socket

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// maxPiece is how many bytes the peer must take within one write timeout.
const maxPiece = 1 << 20

// ErrStalled is what senders get when the peer did not read for the whole write timeout.
var ErrStalled = errors.New("peer does not read")

func (o *outbox) flushAll() { o.flush(0, true) }

// flush writes batches until nothing waits. After rounds of them (0 is no limit), or when it is not patient and the
// peer takes no more for the moment, it returns false: whoever calls it next goes on. A sender whose time is bounded
// must not be patient with a peer that does not read.
func (o *outbox) flush(rounds int, patient bool) bool {
	o.mu.Lock()
	for n := 0; o.current.size > 0 || o.pending.size > 0 && o.err == nil; n++ {
		if rounds > 0 && n == rounds {
			o.mu.Unlock()
			return false
		}
		if o.current.size == 0 {
			o.next()
		}
		o.mu.Unlock()

		err := o.writeAtOnce()
		if err == nil && len(o.rest) > 0 {
			if !patient {
				return false
			}
			err = o.writeRest()
		}
		if err != nil {
			err = o.broken(err)
		}
		b := &o.current
		size := b.size
		if err == nil && o.traffic != nil {
			o.traffic.out.add(size, clock.Now())
		}
		b.finish(err)
		b.recycle()
		clear(o.vec)

		o.mu.Lock()
		o.spare, o.current = *b, batch{}
		o.queued -= size
		o.announceSpace()
	}
	o.flushing = false
	o.mu.Unlock()
	return true
}

// next makes what is pending the current batch. The caller holds the lock.
func (o *outbox) next() {
	o.current, o.pending, o.spare = o.pending, o.spare, batch{}
	o.vec = o.vec[:0]
	for _, buf := range o.current.bufs {
		o.vec = append(o.vec, buf.B)
	}
	o.rest = o.vec
}

// broken ends the outbox with the error of a write, before anybody else learns of it and goes on sending. It returns
// the error that counts.
func (o *outbox) broken(err error) error {
	if !o.fail(err) {
		return o.err // ended by Close, which is why the write failed
	}
	if o.onError != nil {
		o.onError(err)
	}
	return err
}

// writeAtOnce writes as much as the kernel takes without waiting, for most batches all, with one system call.
func (o *outbox) writeAtOnce() error {
	if o.raw == nil {
		return nil
	}
	n, err := o.raw.write(o.rest)
	o.written(n)
	return err
}

// written takes the first n bytes off rest.
func (o *outbox) written(n int) {
	for len(o.rest) > 0 && n >= len(o.rest[0]) {
		n -= len(o.rest[0])
		o.rest = o.rest[1:]
	}
	if n > 0 {
		o.rest[0] = o.rest[0][n:]
	}
}

// writeRest writes what is left and waits for the peer to take it, in pieces where it is much, so that the write
// deadline measures progress and not size.
func (o *outbox) writeRest() error {
	defer o.disarm()
	for len(o.rest) > 0 {
		if err := o.arm(); err != nil {
			return err
		}
		if o.small() {
			_, err := o.rest.WriteTo(o.conn) // takes off what it has written
			return o.explain(err)
		}
		n, err := o.conn.Write(o.rest[0][:min(len(o.rest[0]), maxPiece)])
		if err != nil {
			return o.explain(err)
		}
		o.written(n)
	}
	return nil
}

// small reports whether the rest goes as one piece.
func (o *outbox) small() bool {
	size := 0
	for _, b := range o.rest {
		size += len(b)
	}
	return size <= maxPiece
}

// arm sets the write deadline. Once set it serves many writes: with half of the timeout added it is only moved when
// that half is gone, and no write ever gets less than the timeout.
func (o *outbox) arm() error {
	if o.timeout <= 0 {
		return nil
	}
	now := time.Now()
	if o.deadline.Sub(now) >= o.timeout {
		return nil
	}
	o.deadline = now.Add(o.timeout + o.timeout/2)
	return o.conn.SetWriteDeadline(o.deadline)
}

// disarm takes the deadline back where later writes begin without setting one.
func (o *outbox) disarm() {
	if o.raw == nil || o.deadline.IsZero() {
		return
	}
	o.deadline = time.Time{}
	_ = o.conn.SetWriteDeadline(o.deadline) // fails on a closed connection, whose writes fail by themselves
}

func (o *outbox) explain(err error) error {
	var ne net.Error
	if err != nil && o.timeout > 0 && errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("%w: %w", ErrStalled, err)
	}
	return err
}
