package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
)

const (
	// maxCopy is the frame size up to which frames are joined into one buffer; larger ones are written from their
	// own, because copying them costs more than another element of the write vector.
	maxCopy = 8 << 10
	// chunkSize is the size of the buffers that small frames are joined in.
	chunkSize = 32 << 10
	// maxPiece is how many bytes the peer must take within one write timeout.
	maxPiece = 1 << 20
	// maxRounds is how many batches a sender writes for others before it hands the flushing over, so that no caller
	// serves the others for long.
	maxRounds = 4
)

// ErrNotSent is what an error matches with errors.Is when not a byte of the frame was written, so that sending it over
// another connection cannot do anything twice.
var ErrNotSent = errors.New("not sent")

// ErrStalled is what senders get when the peer did not read for the whole write timeout.
var ErrStalled = errors.New("peer does not read")

// outbox collects the frames of concurrent senders and writes all that are waiting with one system call.
//
// A sender that finds nobody flushing becomes the flusher itself, so a lone caller pays one lock and one write and no
// hand-over. Others append and go back to their own business. The outbox is bounded in bytes: a full one makes the
// sender wait. The first write error is final: every frame behind it fails with it.
type outbox struct {
	conn    net.Conn
	limit   int           // bytes that may wait, above which senders block
	timeout time.Duration // for a write to make progress; 0 is none
	onError func(error)   // called once, outside the lock, with the write error that ended the outbox
	// sequencer is told each frame in the order of the stream; nil for protocols that need not know.
	sequencer proto.Sequencer

	mu       sync.Mutex
	pending  batch
	spare    batch // the other half of the double buffer
	flushing bool
	queued   int           // bytes waiting or being written
	space    chan struct{} // closed when bytes were written, for senders that wait
	err      error

	// Only the flusher touches these.
	deadline time.Time // when the armed write deadline ends
	vec      net.Buffers
}

// batch is what one system call writes.
type batch struct {
	bufs    []*bufpool.Buf
	open    bool // the last buffer is ours to append to
	size    int
	outcome *outcome
}

// outcome tells senders that asked what became of the batch with their frame.
type outcome struct {
	done chan struct{}
	err  error
}

// send hands frame over, which from now on belongs to the outbox. With wait it returns when the frame was really
// written, else as soon as it is queued. eager says that others are about to send too, so that waiting for them by one
// yield saves system calls. ctx bounds the wait for room and for the outcome.
func (o *outbox) send(ctx context.Context, frame *bufpool.Buf, wait, eager bool) error {
	o.mu.Lock()
	for o.err == nil && o.queued > 0 && o.queued+len(frame.B) > o.limit {
		if err := o.waitForSpace(ctx); err != nil {
			o.mu.Unlock()
			bufpool.Put(frame)
			return err
		}
	}
	if o.err != nil {
		err := fmt.Errorf("%w: %w", ErrNotSent, o.err)
		o.mu.Unlock()
		bufpool.Put(frame)
		return err
	}
	if o.sequencer != nil {
		o.sequencer.Queued(frame.B)
	}
	o.queued += len(frame.B)
	o.pending.add(frame)
	if o.flushing {
		if !wait {
			o.mu.Unlock()
			return nil
		}
		out := o.pending.watch()
		o.mu.Unlock()
		return out.wait(ctx)
	}
	o.flushing = true
	var out *outcome
	if wait {
		out = o.pending.watch()
	}
	o.mu.Unlock()

	if eager {
		runtime.Gosched()
	}
	// A write blocks as long as the peer does not read. A sender with a bound of its own lets somebody else do it.
	if bounded := ctx.Done() != nil; bounded || !o.flush(maxRounds) {
		go o.flush(0)
	}
	if out != nil {
		return out.wait(ctx)
	}
	return nil
}

// flush writes batches until nothing waits; after rounds of them (0 is no limit) it returns false with work left.
func (o *outbox) flush(rounds int) bool {
	for n := 1; ; n++ {
		o.mu.Lock()
		if o.pending.size == 0 || o.err != nil {
			o.flushing = false
			o.mu.Unlock()
			return true
		}
		b := o.pending
		o.pending = o.spare
		o.spare = batch{}
		o.mu.Unlock()

		err := o.write(&b)
		o.settle(&b, err)
		if err == nil && n == rounds {
			return !o.more()
		}
	}
}

// more reports whether frames wait; if none do, flushing is over.
func (o *outbox) more() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending.size == 0 {
		o.flushing = false
		return false
	}
	return true
}

// settle tells everybody concerned what became of b.
func (o *outbox) settle(b *batch, err error) {
	// An error is final before anybody learns of it, or they would go on sending.
	first := err != nil && o.fail(err)
	if err != nil && !first {
		err = o.err // ended by Close, which is why the write failed
	}
	b.finish(err)
	o.mu.Lock()
	o.queued -= b.size
	if o.space != nil {
		close(o.space)
		o.space = nil
	}
	b.recycle()
	o.spare = *b
	o.mu.Unlock()
	if first && o.onError != nil {
		o.onError(err)
	}
}

// write sends b, with one system call where it is small enough and the connection can take several buffers at once.
func (o *outbox) write(b *batch) error {
	if b.size > maxPiece {
		return o.writePieces(b)
	}
	if err := o.arm(); err != nil {
		return err
	}
	if len(b.bufs) == 1 {
		_, err := o.conn.Write(b.bufs[0].B)
		return o.explain(err)
	}
	o.vec = o.vec[:0]
	for _, buf := range b.bufs {
		o.vec = append(o.vec, buf.B)
	}
	vec := o.vec // WriteTo moves the slice that it is called on
	_, err := vec.WriteTo(o.conn)
	clear(o.vec)
	return o.explain(err)
}

// writePieces sends much data in pieces, so that the write deadline measures progress and not size.
func (o *outbox) writePieces(b *batch) error {
	for _, buf := range b.bufs {
		for rest := buf.B; len(rest) > 0; {
			if err := o.arm(); err != nil {
				return err
			}
			n, err := o.conn.Write(rest[:min(len(rest), maxPiece)])
			if err != nil {
				return o.explain(err)
			}
			rest = rest[n:]
		}
	}
	return nil
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

func (o *outbox) explain(err error) error {
	var ne net.Error
	if err != nil && o.timeout > 0 && errors.As(err, &ne) && ne.Timeout() {
		return fmt.Errorf("%w: %w", ErrStalled, err)
	}
	return err
}

// waitForSpace waits with the lock given up until a batch was written.
func (o *outbox) waitForSpace(ctx context.Context) error {
	if o.space == nil {
		o.space = make(chan struct{})
	}
	space := o.space
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-space:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fail ends the outbox: what waits and what comes fails with err. Only the first error counts; fail reports whether
// this one was it.
func (o *outbox) fail(err error) bool {
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return false
	}
	o.err = err
	lost := o.pending
	o.pending = batch{}
	o.queued -= lost.size
	if o.space != nil {
		close(o.space)
		o.space = nil
	}
	o.mu.Unlock()
	lost.finish(fmt.Errorf("%w: %w", ErrNotSent, err))
	lost.recycle()
	return true
}

// drain waits until every frame was written, the outbox has failed, or ctx ends.
func (o *outbox) drain(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && o.queued > 0 {
		if err := o.waitForSpace(ctx); err != nil {
			return err
		}
	}
	return o.err
}

// add takes frame over. Small frames in a row are joined in one buffer; the first of them stays in its own until the
// second comes, so that a lone one is not copied.
func (b *batch) add(frame *bufpool.Buf) {
	b.size += len(frame.B)
	last := len(b.bufs) - 1
	if last < 0 || len(frame.B) > maxCopy {
		b.bufs, b.open = append(b.bufs, frame), false
		return
	}
	if !b.open && len(b.bufs[last].B) <= maxCopy {
		chunk := bufpool.Get(chunkSize)
		chunk.B = append(chunk.B, b.bufs[last].B...)
		bufpool.Put(b.bufs[last])
		b.bufs[last], b.open = chunk, true
	}
	if tail := b.bufs[last]; b.open && len(tail.B)+len(frame.B) <= cap(tail.B) {
		tail.B = append(tail.B, frame.B...)
		bufpool.Put(frame)
		return
	}
	b.bufs, b.open = append(b.bufs, frame), false
}

func (b *batch) watch() *outcome {
	if b.outcome == nil {
		b.outcome = &outcome{done: make(chan struct{})}
	}
	return b.outcome
}

func (b *batch) finish(err error) {
	if b.outcome != nil {
		b.outcome.err = err
		close(b.outcome.done)
		b.outcome = nil
	}
}

// recycle gives the buffers back and keeps the slice that held them.
func (b *batch) recycle() {
	for i, buf := range b.bufs {
		bufpool.Put(buf)
		b.bufs[i] = nil
	}
	*b = batch{bufs: b.bufs[:0]}
}

func (out *outcome) wait(ctx context.Context) error {
	select {
	case <-out.done:
		return out.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
