package process

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/osgochina/dmicro/supervisor/proclog"
)

// run is a process from a Start to the end that no restart follows. Its goroutine is the only one that changes the
// state.
type run struct {
	p    *Process
	plan plan
	out  outputs

	stop    chan struct{} // closed to ask for a stop, and when no restart follows: a Start then waits for the end
	halt    func()        // closes it, once
	settled chan struct{} // closed when the program is up, or will not be
	settle  func()        // closes it, once
	stuck   chan struct{} // closed when the program cannot be killed; made anew for the next one, under Process.mu
	done    chan struct{} // closed when all is over
}

func newRun(p *Process) *run {
	r := &run{
		p: p, stop: make(chan struct{}), settled: make(chan struct{}), stuck: make(chan struct{}), done: make(chan struct{}),
	}
	r.halt = sync.OnceFunc(func() { close(r.stop) })
	r.settle = sync.OnceFunc(func() { close(r.settled) })
	return r
}

// begin begins the run, which the process has already.
func (r *run) begin() {
	r.p.move(Starting, "")
	go r.loop()
}

// loop runs until the program has ended for good. It begins in the state Starting.
func (r *run) loop() {
	defer r.p.ended(r)
	defer r.settle()
	if err := r.prepare(); err != nil {
		r.halt()
		r.p.move(Backoff, err.Error())
		r.p.move(Fatal, err.Error())
		return
	}
	defer r.out.close()
	for again := true; again; {
		w := r.up()
		if w == nil {
			return
		}
		again = r.attend(w)
	}
}

// prepare does what no second try would do better.
func (r *run) prepare() (err error) {
	o := r.p.opts
	if r.plan, err = newPlan(o); err != nil {
		return err
	}
	r.out.stdout, err = openLog(o, o.StdoutLogfile, o.StdoutLogFileMaxBytes, o.StdoutLogFileBackups)
	if err != nil {
		return err
	}
	stderrFile := o.StderrLogfile
	if o.RedirectStderr {
		stderrFile = ""
	}
	r.out.stderr, err = openLog(o, stderrFile, o.StderrLogFileMaxBytes, o.StderrLogFileBackups)
	if err != nil {
		return errors.Join(err, r.out.stdout.Close())
	}
	return nil
}

func openLog(o ProcOptions, spec string, maxBytes, backups int) (proclog.Logger, error) {
	return proclog.Open(spec, proclog.Config{Name: o.Name, MaxBytes: int64(maxBytes), Backups: backups})
}

// close gives the logs back. What they could not write shows in them, not here. One that hangs does not keep the process
// from ending.
func (o outputs) close() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = o.stdout.Close()
		_ = o.stderr.Close()
	}()
	waitFor(done, drainTime)
}

// up starts the program until it stays up. It returns nil when it does not, or shall not; the state says which.
func (r *run) up() *watch {
	for failed := 1; ; failed++ {
		if r.stopped() {
			r.p.move(Stopped, "")
			return nil
		}
		w, err := r.try()
		if err == nil {
			r.p.move(Running, "")
			r.settle()
			return w
		}
		if errors.Is(err, errStopped) {
			return nil
		}
		if failed >= r.plan.starts {
			r.halt()
			r.p.move(Fatal, err.Error())
			return nil
		}
		if !r.pause(r.plan.backoff(failed)) {
			return nil
		}
	}
}

// errStopped is returned by try when the program was stopped before it was up.
var errStopped = errors.New("process: stopped")

// try starts the program once, and waits until it has been up for the start seconds. When it returns an error the state
// is Backoff, or Stopped with errStopped.
func (r *run) try() (*watch, error) {
	c, err := r.p.launch(r.p.opts, r.out)
	if err != nil {
		r.p.move(Backoff, err.Error())
		return nil, err
	}
	r.p.began(c)
	w := newWatch(c, r.plan)
	if r.plan.startTime == 0 {
		return w, nil
	}
	up := time.NewTimer(r.plan.startTime)
	defer up.Stop()
	switch r.next(w, up.C) {
	case eventUp:
		return w, nil
	case eventStop:
		r.end(w)
		return nil, errStopped
	case eventFrozen:
		r.kill(w)
		err = r.frozen()
	default:
		err = fmt.Errorf("process: ended within %v: %s", r.plan.startTime, c.result().text)
	}
	r.over(w, Backoff, err.Error())
	return nil, err
}

func (r *run) frozen() error { return fmt.Errorf("process: no heartbeat within %v", r.plan.heartbeat) }

// attend watches a running program until it ends. It tells whether the program is to be started again; the state is
// Starting then.
func (r *run) attend(w *watch) bool {
	began, why := time.Now(), ""
	switch r.next(w, nil) {
	case eventStop:
		r.end(w)
		return false
	case eventBinary:
		r.end(w)
		return r.pause(0)
	case eventFrozen:
		why = r.frozen().Error()
		r.kill(w)
	}
	again := r.plan.restarts(w.result().code)
	if !again {
		r.halt()
	}
	r.over(w, Exited, why)
	return again && r.pause(r.plan.restartPause(time.Since(began)))
}

// over is called when a program has ended by itself. What it has left in its process group is killed: it would hold the
// ports and locks that the next start needs.
func (r *run) over(w *watch, next State, why string) {
	_ = w.signalGroup(killSignal) // mostly there is nobody
	r.p.exited(w)
	r.p.move(next, why)
	w.release()
}

// pause waits, and the state is Starting afterwards. It returns false, and the state is Stopped, when a stop was asked for.
func (r *run) pause(d time.Duration) bool {
	if waitFor(r.stop, d) {
		if r.p.GetState() != Stopped {
			r.p.move(Stopped, "")
		}
		return false
	}
	r.p.move(Starting, "")
	return true
}

func (r *run) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}
