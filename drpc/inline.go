package drpc

import (
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

const (
	// quickRun is how long a quick handler takes at most, with the decoding of its argument. To write the reply does not
	// count: that goes through the one connection whoever does it, and takes long where it wakes another processor.
	quickRun = 100 * time.Microsecond
	// quickScore is what a handler must have before the reader runs it: a point for each quick run, up to twice as many.
	// One that is not quick costs as much, for it may be that the processor was busy with something else; one that kept
	// the reader costs all.
	quickScore = 16
	// maxInline is how long a handler may keep the reader; within a guardPeriod after it another goroutine reads on.
	maxInline = 500 * time.Microsecond
)

// readerRole says who reads a connection. A lone request to a handler that has been quick so far runs on the reader
// itself, since waking another goroutine, and with it perhaps another processor, takes several times as long as such a
// handler. A handler that keeps the reader after all, because it blocks, calls back or just takes longer this time,
// loses the role to another goroutine, which reads on while the handler runs to its end.
//
// The lowest bit says that a handler is running on the reader; the rest counts the goroutines that had the role.
type readerRole struct {
	turn    atomic.Uint32
	run     atomic.Int64 // when the last run of a handler on the reader began, a clock.Time
	guarded atomic.Bool  // by the readerGuard, which takes the role away
}

// busy reports whether a handler runs on the reader.
func (r *readerRole) busy() bool { return r.turn.Load()&1 != 0 }

// take takes the role from a reader that runs a handler. False says that it is reading, or that somebody else took it.
func (r *readerRole) take() bool {
	turn := r.turn.Load()
	return turn&1 != 0 && r.turn.CompareAndSwap(turn, turn+1)
}

// holder tells the goroutines that had the role apart.
func (r *readerRole) holder() uint32 { return r.turn.Load() >> 1 }

// held reports whether the goroutine that was the holder still is.
func (r *readerRole) held(holder uint32) bool { return r.holder() == holder }

// quickness is the score of a handler. Points that are lost between goroutines do not matter.
type quickness struct{ score atomic.Int32 }

func (q *quickness) ok() bool { return q.score.Load() >= quickScore }

func (q *quickness) note(d time.Duration) {
	switch n := q.score.Load(); {
	case d >= maxInline:
		q.score.Store(0)
	case d > quickRun:
		q.score.Store(max(n-quickScore, 0))
	case n < 2*quickScore:
		q.score.Store(n + 1)
	}
}

// alone reports whether nothing but the request just received is on its way from the peer.
func (l *link) alone() bool { return l.running.Load() == 1 && l.sock.Buffered() == 0 }

// begin marks the reader as one that runs a handler from now on. From then on somebody else may have the role.
func (r *readerRole) begin(now clock.Time) (turn uint32) {
	turn = r.turn.Load()
	r.run.Store(int64(now))
	r.turn.Store(turn | 1)
	return turn
}

// finish takes the mark of begin off. False says that the role was lost meanwhile.
func (r *readerRole) finish(turn uint32) (kept bool) { return r.turn.CompareAndSwap(turn|1, turn) }

// lastRun is when the last run of a handler on the reader began.
func (r *readerRole) lastRun() clock.Time { return clock.Time(r.run.Load()) }

// runInline runs c on the reader. False says that the role was lost meanwhile.
func (l *link) runInline(c *handlerCtx) (kept bool) {
	l.beforeWait() // nobody waits for what the handler takes
	c.began = clock.Now()
	turn := l.reader.begin(c.began)
	if !l.reader.guarded.Load() {
		l.sess.ep.guard.watch(l)
	}
	returned := false
	defer func() {
		if !returned {
			l.readOn() // the handler has ended this goroutine
		}
	}()
	c.runNow()
	returned = true
	return l.reader.finish(turn)
}

// readOn lets another goroutine read if the reader is running a handler. It is counted in the reader's place.
func (l *link) readOn() {
	if l.reader.take() {
		go l.sess.live(l)
	}
}
