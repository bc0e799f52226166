package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
)

const (
	// maxRounds is how many batches a sender writes for others before it hands the flushing over, so that no caller
	// serves the others for long.
	maxRounds = 4
	// maxHeld is how many frames may wait for goroutines that are coming: enough to share a system call, and few
	// enough that the peer has something to do meanwhile.
	maxHeld = 64
	// maxHeldBytes is the same in bytes.
	maxHeldBytes = 60 << 10
	// maxPassed is how many of those announced may arrive before what waits leaves without the others: where ever new
	// ones are announced, the moment when nobody is coming may never be. It is a power of two.
	maxPassed = 64
)

// ErrNotSent is what an error matches with errors.Is when not a byte of the frame was written, so that sending it over
// another connection cannot do anything twice.
var ErrNotSent = errors.New("not sent")

// ErrFull is what Offer gives where more waits for the peer than it may.
var ErrFull = errors.New("too much waits for the peer to take it")

// outbox collects the frames of concurrent senders and writes all that are waiting with one system call.
//
// Who writes: a sender that finds nobody at it, and nobody coming, does it itself, so a lone caller pays one lock and
// one write and no hand-over. Goroutines that were just woken, and are likely to send as well, are announced with
// expect; while any of them has yet to run, senders only append, and the last one to arrive sees to it that all is
// written by a goroutine that comes after it. As those announced are always runnable, and no frame waits for more than
// a few of them, no frame waits for anything but the processor.
//
// The outbox is bounded in bytes: a full one makes the sender wait. The first write error is final: every frame behind
// it fails with it.
type outbox struct {
	conn    net.Conn
	limit   int           // bytes that may wait, above which senders block
	timeout time.Duration // for a write to make progress; 0 is none
	spawn   func(func())  // runs a function on another goroutine
	onError func(error)   // called once, outside the lock, with the write error that ended the outbox
	traffic *Traffic      // nil counts nothing
	// sequencer is told each frame in the order of the stream; nil for protocols that need not know.
	sequencer proto.Sequencer

	// turns is the number of goroutines that expect announced and that did not arrive yet, in its lower half, and of all
	// that ever arrived in its upper half, which wraps.
	turns atomic.Uint64

	mu       sync.Mutex
	pending  batch
	spare    batch // the other half of the double buffer
	flushing bool
	queued   int           // bytes waiting or being written
	taken    uint64        // frames that were ever handed over
	space    chan struct{} // closed when bytes were written, for senders that wait
	err      error

	// Only the flusher touches these.
	current  batch       // what is being written
	rest     net.Buffers // the bytes of it that were not written yet
	vec      net.Buffers // the memory of rest
	deadline time.Time   // when the armed write deadline ends
	raw      *rawWriter  // nil where the connection cannot write without blocking
}

// send hands frame over, which from now on belongs to the outbox. With wait it returns when the frame was really
// written, else as soon as it is queued. ctx bounds the wait for room and for the outcome.
func (o *outbox) send(ctx context.Context, frame *bufpool.Buf, wait bool) error {
	out, err := o.queue(ctx, frame, o.limit, wait, ctx.Done() == nil)
	if out == nil || err != nil {
		return err
	}
	return out.wait(ctx)
}

// offer is send for who must not wait for the peer to take anything: a frame that would make more than limit bytes wait
// waits for room until ctx ends, and is then refused with ErrFull. With watched it returns the outcome that is to come.
func (o *outbox) offer(ctx context.Context, frame *bufpool.Buf, limit int, watched bool) (*outcome, error) {
	out, err := o.queue(ctx, frame, min(limit, o.limit), watched, false)
	if err != nil && !errors.Is(err, ErrNotSent) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
	}
	return out, err
}

// queue is what send and offer have in common.
func (o *outbox) queue(ctx context.Context, frame *bufpool.Buf, limit int, watched, patient bool) (out *outcome, err error) {
	o.mu.Lock()
	for o.err == nil && err == nil && o.queued > 0 && o.queued+len(frame.B) > limit {
		err = o.waitForSpace(ctx)
	}
	if o.err != nil {
		err = fmt.Errorf("%w: %w", ErrNotSent, o.err)
	}
	if err != nil {
		o.mu.Unlock()
		bufpool.Put(frame)
		return nil, err
	}
	if o.sequencer != nil {
		o.sequencer.Queued(frame.B)
	}
	o.queued += len(frame.B)
	o.taken++
	o.pending.add(frame)
	if watched {
		out = o.pending.watch()
	}
	mine := (o.full() || o.coming() <= 0) && o.claim()
	o.mu.Unlock()

	if mine && !o.flush(maxRounds, patient) {
		o.spawn(o.flushAll)
	}
	return out, nil
}

// sent is how many frames were handed over so far.
func (o *outbox) sent() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken
}

// full reports whether what waits should not wait for others any longer.
func (o *outbox) full() bool {
	return o.pending.frames >= maxHeld || o.pending.size >= min(maxHeldBytes, o.limit/2)
}

// expect announces a goroutine that was made runnable and will call arrive first of all.
func (o *outbox) expect() { o.turns.Add(1) }

// coming is the number of goroutines that expect announced and that did not arrive yet.
func (o *outbox) coming() int { return int(int32(o.turns.Load())) }

// arrive is called by a goroutine that expect announced. The last one, and now and then one before it, leaves what the
// others have appended to a goroutine that is started now and so runs after it: what it is about to send itself goes
// along.
func (o *outbox) arrive() {
	turns := o.turns.Add(1<<32 - 1) // one arrived more, one coming less
	if int32(turns) > 0 && turns>>32%maxPassed != 0 {
		return
	}
	o.mu.Lock()
	mine := o.claim()
	o.mu.Unlock()
	if mine {
		o.spawn(o.flushAll)
	}
}

// claim makes the caller the one who sees to the writing of what waits, if there is anything and nobody is at it. The
// caller holds the lock.
func (o *outbox) claim() bool {
	if o.flushing || o.pending.size == 0 {
		return false
	}
	o.flushing = true
	return true
}

// announceSpace wakes the senders that wait for room.
func (o *outbox) announceSpace() {
	if o.space != nil {
		close(o.space)
		o.space = nil
	}
}

// waitForSpace waits with the lock given up until a batch was written. What waits for others leaves now: the caller may
// be the one that is keeping them.
func (o *outbox) waitForSpace(ctx context.Context) error {
	if o.space == nil {
		o.space = make(chan struct{})
	}
	space, mine := o.space, o.claim()
	o.mu.Unlock()
	defer o.mu.Lock()
	if mine {
		o.spawn(o.flushAll)
	}
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
	o.announceSpace()
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
