package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/supervisor/lifeline"
	"github.com/osgochina/dmicro/supervisor/proclog"
)

// drainTime bounds how long the last output of an ended program is waited for.
const drainTime = time.Second

// beatsPerLimit is how many beats a program sends within the time after which it counts as frozen.
const beatsPerLimit = 4

// child is a program that was started. The driving goroutine uses nothing else of the operating system, so that its
// tests need no processes.
type child interface {
	pid() int
	exited() <-chan struct{}      // closed when it has ended
	result() exit                 // how; after exited
	signal(s sigNum) error        // to the program alone
	signalGroup(s sigNum) error   // to its process group
	groupAlive() bool             // whether the group has a member
	beats() <-chan struct{}       // a token for a beat; nil without a life-line
	release()                     // after exited: the rest of the output is kept, all resources given back
	binary() (os.FileInfo, error) // what the program's file looks like now
}

// exit is how a program ended: the code, -1 after a signal, and the text of the system.
type exit struct {
	code int
	text string
}

// outputs are where a program's output goes.
type outputs struct{ stdout, stderr proclog.Logger }

// launch starts a program.
type launch func(o ProcOptions, out outputs) (child, error)

// osChild is a child of this process.
type osChild struct {
	cmd   *exec.Cmd
	ended chan struct{}
	exit  exit
	line  *lifeline.Line
	pumps []*proclog.Pump
}

// started collects what a start opens: what the program inherits is closed here afterwards, the rest only if the start
// fails.
type started struct {
	theirs, ours []*os.File
	pumped       []func() *proclog.Pump
}

func startChild(o ProcOptions, out outputs) (child, error) {
	cmd, err := o.CreateCommand()
	if err != nil {
		return nil, err
	}
	c := &osChild{cmd: cmd, ended: make(chan struct{})}
	var s started
	err = errors.Join(s.redirect(cmd, o, out), c.tie(o))
	if err == nil {
		err = c.start()
	}
	for _, f := range s.theirs {
		_ = f.Close()
	}
	if err != nil {
		for _, f := range s.ours {
			_ = f.Close()
		}
		if c.line != nil {
			_ = c.line.Close()
		}
		return nil, fmt.Errorf("process: %w", err)
	}
	for _, pump := range s.pumped {
		c.pumps = append(c.pumps, pump())
	}
	if c.line != nil {
		c.line.Started()
	}
	out.stdout.SetPid(c.pid())
	out.stderr.SetPid(c.pid())
	return c, nil
}

// redirect gives the program pipes for what is kept of its output; the rest goes to the null device.
func (s *started) redirect(cmd *exec.Cmd, o ProcOptions, out outputs) (err error) {
	if o.StdoutLogfile != "" {
		if cmd.Stdout, err = s.pipe(out.stdout); err != nil {
			return err
		}
	}
	switch {
	case o.RedirectStderr:
		cmd.Stderr = cmd.Stdout
	case o.StderrLogfile != "":
		cmd.Stderr, err = s.pipe(out.stderr)
	}
	return err
}

func (s *started) pipe(to proclog.Logger) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.ours, s.theirs = append(s.ours, r), append(s.theirs, w)
	s.pumped = append(s.pumped, func() *proclog.Pump { return proclog.NewPump(r, to) })
	return w, nil
}

// tie makes the program's end follow ours: by a life-line, or at once and by force.
func (c *osChild) tie(o ProcOptions) (err error) {
	if !o.Lifeline && o.Heartbeat == 0 {
		dieWithUs(c.cmd.SysProcAttr)
		return nil
	}
	if c.line, err = lifeline.New(); err != nil {
		return err
	}
	fd := 3 + len(c.cmd.ExtraFiles) // the caller's own descriptors keep their numbers
	c.cmd.ExtraFiles = append(c.cmd.ExtraFiles, c.line.ChildFile())
	c.cmd.Env = append(c.cmd.Env, lifeline.Environ(fd, o.Heartbeat/beatsPerLimit))
	return nil
}

// start starts the program and waits for its end on a thread that is kept for it: dieWithUs means the thread, not the
// process, and Go ends threads as it likes. Waiting blocks a thread in any case.
func (c *osChild) start() error {
	if len(c.cmd.ExtraFiles) > 0 && !canExtra {
		return fmt.Errorf("descriptors for a program: %w", errors.ErrUnsupported)
	}
	up := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		up <- err
		if err != nil {
			return
		}
		err = c.cmd.Wait()
		if state := c.cmd.ProcessState; state != nil {
			c.exit = exit{code: state.ExitCode(), text: state.String()}
		} else { // somebody else has reaped it
			c.exit = exit{code: -1, text: err.Error()}
		}
		close(c.ended)
	}()
	return <-up
}

func (c *osChild) pid() int                { return c.cmd.Process.Pid }
func (c *osChild) exited() <-chan struct{} { return c.ended }
func (c *osChild) result() exit            { return c.exit }

func (c *osChild) signal(s sigNum) error { return signalProcess(c.cmd.Process, s) }

// signalGroup falls back to the program alone for a kill where there are no groups.
func (c *osChild) signalGroup(s sigNum) error {
	err := signalGroup(c.pid(), s)
	if errors.Is(err, errors.ErrUnsupported) && s == syscall.SIGKILL {
		return signalProcess(c.cmd.Process, s)
	}
	return err
}

func (c *osChild) groupAlive() bool { return groupAlive(c.pid()) }

func (c *osChild) binary() (os.FileInfo, error) {
	path := c.cmd.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.cmd.Dir, path)
	}
	return os.Stat(path)
}

func (c *osChild) beats() <-chan struct{} {
	if c.line == nil {
		return nil
	}
	return c.line.Beats()
}

func (c *osChild) release() {
	var wg sync.WaitGroup
	for _, p := range c.pumps {
		wg.Go(func() { p.Finish(drainTime) })
	}
	wg.Wait()
	if c.line != nil {
		_ = c.line.Close()
	}
}
