package process

import (
	"os"
	"time"
)

// event is what may happen to a program that was started.
type event int

const (
	eventExit   event = iota // it has ended
	eventStop                // a stop was asked for
	eventUp                  // it has been up for the start seconds
	eventFrozen              // its heartbeat has stopped
	eventBinary              // its file has changed
)

// binaryInterval is how often the program's file is looked at.
const binaryInterval = time.Second

// watch is a program with what is watched of it.
type watch struct {
	child
	heartbeat time.Duration
	warned    bool // the heartbeat is overdue and the last grace runs

	pulse  *time.Timer  // nil without a heartbeat
	looks  *time.Ticker // nil unless the file is watched
	loaded os.FileInfo  // the file that runs
	seen   os.FileInfo  // as it was at the last look
}

func newWatch(c child, p plan) *watch {
	w := &watch{child: c, heartbeat: p.heartbeat}
	if p.heartbeat > 0 {
		w.pulse = time.NewTimer(p.heartbeat)
	}
	if p.watchBinary {
		w.loaded, _ = c.binary() // nil when it is gone already; then the next one is a change
		w.seen = w.loaded
		w.looks = time.NewTicker(binaryInterval)
	}
	return w
}

// next waits for an event; up fires eventUp.
func (r *run) next(w *watch, up <-chan time.Time) event {
	var pulse, looks <-chan time.Time
	if w.pulse != nil {
		pulse = w.pulse.C
	}
	if w.looks != nil && up == nil { // while it starts, a new file makes no difference
		looks = w.looks.C
	}
	for {
		select {
		case <-w.exited():
			return eventExit
		case <-r.stop:
			return eventStop
		case <-up:
			return eventUp
		case <-w.beats():
			w.beat()
		case <-pulse:
			if w.silent() {
				return eventFrozen
			}
		case <-looks:
			if w.replaced() {
				return eventBinary
			}
		}
	}
}

func (w *watch) beat() {
	w.warned = false
	if w.pulse != nil {
		w.pulse.Reset(w.heartbeat)
	}
}

// silent is called when a beat is overdue. It may be us who slept, with the beats still to be read, so there is a last
// grace.
func (w *watch) silent() bool {
	if w.warned {
		return true
	}
	w.warned = true
	w.pulse.Reset(w.heartbeat / beatsPerLimit)
	return false
}

// replaced tells whether the file is another one than the program was started from, and has not changed since the last
// look: half a copy is not to be started.
func (w *watch) replaced() bool {
	now, err := w.binary()
	if err != nil {
		return false // between the old and the new
	}
	quiet := sameFile(now, w.seen)
	w.seen = now
	return quiet && !sameFile(now, w.loaded)
}

func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
