package socket

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// ErrSlowFrame is what reading returns when the peer did not finish a frame in time.
var ErrSlowFrame = errors.New("peer does not finish what it began to send")

// watchUnit is how many bytes of a frame may take one frame timeout.
const watchUnit = 1 << 20

// frameWatch ends a connection whose peer has begun a frame and does not finish it in time. A reader that is kept busy
// finds an unfinished frame behind nearly each read, so it only notes when that was: the timer is set at most once in a
// timeout, and looks at the note.
type frameWatch struct {
	timeout time.Duration // for each watchUnit or part of one
	cut     func()        // ends the connection

	began atomic.Int64 // clock.Time when the unfinished frame began; 0 is none
	size  atomic.Int64 // of that frame in bytes, as far as it is known
	armed atomic.Bool

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// begin notes that a frame has begun. Only for the reader.
func (w *frameWatch) begin(at clock.Time) {
	w.began.Store(int64(at))
	w.arm()
}

func (w *frameWatch) arm() {
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.again(w.allowed())
	}
}

// allowed is how long the frame may take.
func (w *frameWatch) allowed() time.Duration {
	return w.timeout * time.Duration(max((w.size.Load()+watchUnit-1)/watchUnit, 1))
}

// check is what the timer runs.
func (w *frameWatch) check() {
	began := w.began.Load()
	if began == 0 {
		w.armed.Store(false)
		if w.began.Load() != 0 { // begun in between, by a reader that saw the timer armed
			w.arm()
		}
		return
	}
	if left := w.allowed() - clock.Time(began).Since(); left > 0 {
		w.again(left)
		return
	}
	if w.began.Load() == began {
		w.cut()
		return
	}
	w.again(w.timeout)
}

// again sets the timer, unless the connection is closed.
func (w *frameWatch) again(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
	case w.timer == nil:
		w.timer = time.AfterFunc(d, w.check)
	default:
		w.timer.Reset(d)
	}
}

// stop ends the watch for good. Safe on nil, for connections without one.
func (w *frameWatch) stop() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
