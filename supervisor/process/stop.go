package process

import (
	"errors"
	"syscall"
	"time"
)

const (
	killSignal = syscall.SIGKILL
	// groupInterval is how often it is looked whether a group is gone: the system tells us of our own children only.
	groupInterval = 20 * time.Millisecond
)

// end stops a program because it was asked for: the stop signals in turn, each with its time, then a kill, and all that
// with the process group as well.
func (r *run) end(w *watch) {
	r.p.move(Stopping, "")
	for _, s := range r.plan.stopSignals {
		send := w.signal
		if r.plan.stopAsGroup || s == killSignal {
			send = w.signalGroup
		}
		if err := send(s); errors.Is(err, errors.ErrUnsupported) { // there are no groups here
			_ = w.signal(s)
		} // any other error: it may have ended this moment
		if waitFor(w.exited(), r.plan.stopTime) {
			break
		}
	}
	r.kill(w)
	r.endGroup(w)
	r.p.exited(w)
	w.release()
	r.p.move(Stopped, "")
}

// kill kills a program that has not ended with its process group. A program that is not gone within the kill seconds makes
// the state Unknown, and is waited for all the same.
func (r *run) kill(w *watch) {
	if waitFor(w.exited(), 0) {
		return
	}
	_ = w.signalGroup(killSignal) // it may have ended this moment
	if !waitFor(w.exited(), r.plan.killTime) {
		r.lost()
		<-w.exited()
	}
}

// endGroup ends what a stopped program has left in its process group: with the first stop signal, and if that
// does not help with a kill.
func (r *run) endGroup(w *watch) {
	if !w.groupAlive() {
		return
	}
	_ = w.signalGroup(r.plan.stopSignals[0])
	for until := time.Now().Add(r.plan.stopTime); w.groupAlive() && time.Now().Before(until); {
		waitFor(nil, groupInterval)
	}
	_ = w.signalGroup(killSignal)
}

// lost makes the state Unknown and lets those go who wait for the end.
func (r *run) lost() {
	select {
	case <-r.stuck: // once is enough
		return
	default:
	}
	if r.p.GetState() != Stopping { // a frozen program that was to be replaced
		r.p.move(Stopping, "")
	}
	r.p.move(Unknown, "process: killed, but not gone")
	r.settle()
	close(r.stuck)
}

// waitFor waits for a channel to be closed, at most for d, and tells whether it is.
func waitFor(c <-chan struct{}, d time.Duration) bool {
	select {
	case <-c:
		return true
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}
