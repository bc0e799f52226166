package process

import (
	"fmt"
	"time"
)

// Info is what is known of a process at a moment. Times are Unix seconds, 0 for never.
type Info struct {
	Name string `json:"name"` // see ProcName
	// Description is a line for people: pid and uptime, or since when it does not run.
	Description string `json:"description"`
	Start       int    `json:"start"`
	Stop        int    `json:"stop"`
	Now         int    `json:"now"`
	State       int    `json:"state"`
	StateName   string `json:"statename"`
	// SpawnErr says why the state is Backoff, Fatal or Unknown, or why a frozen program was ended.
	SpawnErr string `json:"spawnerr"`
	// ExitStatus is that of the last end: 0 if there was none, -1 after a signal.
	ExitStatus    int    `json:"exitstatus"`
	Logfile       string `json:"logfile"`
	StdoutLogfile string `json:"stdout_logfile"`
	StderrLogfile string `json:"stderr_logfile"`
	// Pid is 0 when the program does not run.
	Pid int `json:"pid"`
}

// GetProcessInfo returns everything below as of one moment.
func (p *Process) GetProcessInfo() *Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info()
}

// info needs the lock.
func (p *Process) info() *Info {
	s := p.status
	return &Info{
		Name:          p.opts.Name,
		Description:   s.describe(),
		Start:         unixTime(s.start),
		Stop:          unixTime(s.stop),
		Now:           unixTime(time.Now()),
		State:         int(s.state),
		StateName:     s.state.String(),
		SpawnErr:      s.why,
		ExitStatus:    s.last.code,
		Logfile:       p.opts.StdoutLogfile,
		StdoutLogfile: p.opts.StdoutLogfile,
		StderrLogfile: p.stderrLogfile(),
		Pid:           s.pid(),
	}
}

func (s status) pid() int {
	if s.child == nil {
		return 0
	}
	return s.child.pid()
}

func (s status) describe() string {
	switch {
	case s.state == Running && s.child != nil:
		up := int(time.Since(s.start) / time.Second)
		clock := fmt.Sprintf("%d:%02d:%02d", up/3600%24, up/60%60, up%60)
		if days := up / 86400; days > 0 {
			return fmt.Sprintf("pid %d, uptime %d days, %s", s.pid(), days, clock)
		}
		return fmt.Sprintf("pid %d, uptime %s", s.pid(), clock)
	case s.state == Stopped || s.stop.IsZero():
		return ""
	}
	return s.stop.Format(time.DateTime)
}

func unixTime(t time.Time) int {
	if t.IsZero() {
		return 0
	}
	return int(t.Unix())
}

// GetName returns the name.
func (p *Process) GetName() string { return p.opts.Name }

// GetDescription returns "pid 17, uptime 0:00:02" or "pid 17, uptime 3 days, 0:00:02" for a running program, nothing for a
// stopped one, and otherwise when it last ended, if it ever did.
func (p *Process) GetDescription() string { return p.GetProcessInfo().Description }

// GetState returns the state.
func (p *Process) GetState() State { return State(p.GetProcessInfo().State) }

// GetStartTime returns when the program was last started, the zero time if never.
func (p *Process) GetStartTime() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status.start
}

// GetStopTime returns when the program last ended, the zero time if never.
func (p *Process) GetStopTime() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status.stop
}

// GetExitStatus returns the exit code of the last end, 0 if there was none, -1 after a signal.
func (p *Process) GetExitStatus() int { return p.GetProcessInfo().ExitStatus }

// Pid returns the pid of the program, 0 when it does not run.
func (p *Process) Pid() int { return p.GetProcessInfo().Pid }

// GetStdoutLogfile returns where the output goes, as it was given.
func (p *Process) GetStdoutLogfile() string { return p.opts.StdoutLogfile }

// GetStderrLogfile returns where the error output goes.
func (p *Process) GetStderrLogfile() string { return p.stderrLogfile() }

func (p *Process) stderrLogfile() string {
	if p.opts.RedirectStderr {
		return p.opts.StdoutLogfile
	}
	return p.opts.StderrLogfile
}

// GetStatus returns how the program last ended, in the system's words ("exit status 1", "signal: killed"), "running" while
// it lives, and nothing before it was first started.
func (p *Process) GetStatus() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.child != nil {
		return "running"
	}
	return p.status.last.text
}
