package process

import (
	"os"
	"sync"
	"time"

	"github.com/osgochina/dmicro/supervisor/proclog"
)

// Process is one program that is looked after. Make it with NewProcess or through a Manager.
type Process struct {
	opts   ProcOptions
	launch launch

	mu     sync.Mutex
	status status
	run    *run // nil when nothing is to happen
	again  bool // a Start waits for the end of run
}

// status is what is known of a process at a moment.
type status struct {
	state       State
	child       child // nil when none lives
	start, stop time.Time
	last        exit
	why         string // of Backoff, Fatal, Unknown, and of Exited when we have killed it
}

// NewProcess makes a process from the defaults with opts applied. Bad options show when it is started: the state is
// then Fatal and Info.SpawnErr says why. Manager.NewProcessByOptions returns them as an error.
func NewProcess(opts ...ProcOption) *Process { return NewProcessByOptions(NewProcOptions(opts...)) }

// NewProcessByOptions makes a process from complete options.
func NewProcessByOptions(options ProcOptions) *Process {
	return &Process{opts: options.own(), launch: startChild}
}

// NewProcessCmd makes a process from a command line, see SplitCommand, and additions to the environment.
func NewProcessCmd(cmd string, environment map[string]string) *Process {
	return NewProcessByOptions(cmdOptions(cmd, environment))
}

func cmdOptions(cmd string, environment map[string]string) ProcOptions {
	o := NewProcOptions(ProcEnvironment(environment))
	words, err := SplitCommand(cmd)
	if err != nil {
		o.errs = append(o.errs, err)
		return o
	}
	o.Command, o.Args = words[0], words[1:]
	return o
}

// Start starts the program unless it is looked after already, as one that is being restarted is. With wait it returns when
// the program that it starts is up (Running) or will not be; GetState tells which. A process that is being stopped, or has
// ended a moment ago, is started when all that is over, unless a Stop comes before.
func (p *Process) Start(wait bool) {
	if !wait && p.startLater() {
		return
	}
	r := p.begin()
	if r != nil && wait {
		<-r.settled
	}
}

// startLater notes that the process is to be started when the run that is ending is over, and tells whether one is. Nobody
// is held up by that end: it may be the driving goroutine that asks, in OnChange.
func (p *Process) startLater() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || !p.run.stopped() {
		return false
	}
	p.again = !waitFor(p.run.stuck, 0)
	return true
}

// begin returns the run that is on, or a new one. It returns nil if the program of the old one cannot be killed.
func (p *Process) begin() *run {
	for {
		p.mu.Lock()
		r := p.run
		if r == nil {
			r = newRun(p)
			p.run = r
			p.mu.Unlock()
			r.begin()
			return r
		}
		stuck := r.stuck
		p.mu.Unlock()
		if !r.stopped() {
			return r
		}
		select {
		case <-r.done:
		case <-stuck:
			return nil
		}
	}
}

// Stop stops the program, and no restart follows. With wait it returns when the program and the rest of its
// process group have ended, or cannot be killed (state Unknown). Each stop signal may take StopWaitSecs, the kill
// KillWaitSecs.
func (p *Process) Stop(wait bool) {
	p.mu.Lock()
	r := p.run
	p.again = false
	if r == nil {
		p.mu.Unlock()
		return
	}
	stuck := r.stuck
	p.mu.Unlock()
	r.halt()
	if wait {
		select {
		case <-r.done:
		case <-stuck:
		}
	}
}

// Signal sends a signal to the program, with sigChildren to its whole process group. After TERM, INT, QUIT and HUP a
// CONT is sent. The error is os.ErrInvalid for a signal that is no syscall.Signal; it wraps os.ErrProcessDone when the program does not live, and errors.ErrUnsupported where there are
// no groups.
func (p *Process) Signal(sig os.Signal, sigChildren bool) error {
	s, ok := sig.(sigNum)
	if !ok {
		return os.ErrInvalid
	}
	p.mu.Lock()
	defer p.mu.Unlock() // or the group's number might be another's by then
	c := p.status.child
	switch {
	case c == nil || waitFor(c.exited(), 0):
		return os.ErrProcessDone
	case sigChildren:
		return c.signalGroup(s)
	}
	return c.signal(s)
}

// Clone returns a process with the same options that was never started. It has the same name, so a Manager that has
// the one does not take the other. The error is always nil.
func (p *Process) Clone() (*Process, error) {
	return &Process{opts: p.opts.own(), launch: p.launch}, nil
}

// Options returns a copy of the options.
func (p *Process) Options() ProcOptions { return p.opts.own() }

// OpenStdoutLog opens the log of the output, to read or clear it. Close it afterwards.
func (p *Process) OpenStdoutLog() (proclog.Logger, error) {
	o := p.opts
	return openLog(o, o.StdoutLogfile, o.StdoutLogFileMaxBytes, o.StdoutLogFileBackups)
}

// OpenStderrLog opens the log of the error output, or that of the output if it goes there.
func (p *Process) OpenStderrLog() (proclog.Logger, error) {
	o := p.opts
	if o.RedirectStderr {
		return p.OpenStdoutLog()
	}
	return openLog(o, o.StderrLogfile, o.StderrLogFileMaxBytes, o.StderrLogFileBackups)
}

// move changes the state and says so. A step that the table of states does not have is a mistake of this package and
// shows as Unknown.
func (p *Process) move(next State, why string) {
	p.mu.Lock()
	if !p.status.state.mayBecome(next) {
		why = "process: " + p.status.state.String() + " cannot become " + next.String()
		next = Unknown
	}
	p.status.state, p.status.why = next, why
	info := p.info()
	p.mu.Unlock()
	if p.opts.OnChange != nil {
		p.opts.OnChange(info)
	}
}

// began notes a program that was started: one that can be killed, as far as is known.
func (p *Process) began(c child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if waitFor(p.run.stuck, 0) {
		p.run.stuck = make(chan struct{})
	}
	p.status.child, p.status.start = c, time.Now()
}

// exited notes how a program ended.
func (p *Process) exited(c child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.child, p.status.stop, p.status.last = nil, time.Now(), c.result()
}

// ended notes that a run is over, and begins another one if a Start has waited for that.
func (p *Process) ended(r *run) {
	p.mu.Lock()
	p.run = nil
	if p.again {
		p.run, p.again = newRun(p), false // at once, or a Stop in between would find nothing to stop
	}
	next := p.run
	p.mu.Unlock()
	close(r.done)
	if next != nil {
		next.begin()
	}
}
