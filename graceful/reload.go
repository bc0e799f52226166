package graceful

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// defaultReadyTimeout is how long a new process may take to get ready.
const defaultReadyTimeout = time.Minute

// partingTime is how long the pipe of a process that has ended may take to say so.
const partingTime = 300 * time.Millisecond

// Successor says how Reload starts the new process. The zero value starts this program again as it was started: by the
// same name, which may lead to a new file by now, with the same arguments, in the same directory.
type Successor struct {
	// Path is the program. By default it is looked up as the first argument of this process was, and if that finds
	// nothing, it is the file that this process runs.
	Path string
	// Args are the arguments without the name of the program; nil means those of this process.
	Args []string
	// Dir is the working directory; by default the one in which this process started.
	Dir string
	// Env is added to the environment of this process, as "name=value".
	Env []string
	// ReadyTimeout is the time that the new process has to call Ready; 1 minute by default.
	ReadyTimeout time.Duration
	// Stdout and Stderr are the standard output and error; by default those of this process. The standard input is
	// always that of this process.
	Stdout, Stderr *os.File
	// Values are what the new process gets by Value; 64 KiB in all is plenty.
	Values map[string]string
}

// Reload starts a new process and, when it is ready, hands the sockets over: then this process does not accept any more,
// HandedOver is closed, and Reload returns nil. It is up to the program to finish what it has begun and end.
//
// Otherwise nothing has changed and this process serves on. The error is ErrReloading when another reload goes
// on, which so makes only one new process; ErrNotReady, ErrHandedOver, ErrStopped, ErrInit or ErrUnsupported when this
// process cannot be replaced; or a *StartError that says why the new process did not take over. That process has
// ended when Reload returns: it is asked to with SIGTERM, and killed 2 s later. ctx ends the attempt in the same way.
//
// Until the new process is ready its standard error passes through this one. What it starts itself before it is ready,
// and what outlives this process, should have a standard error of its own.
func (u *Upgrader) Reload(ctx context.Context, s Successor) error {
	if s.ReadyTimeout <= 0 {
		s.ReadyTimeout = defaultReadyTimeout
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := u.beginReload(cancel); err != nil {
		return err
	}
	u.tell(notifyReloading, monotonic())
	pid, err := u.replace(ctx, s)
	if err == nil {
		u.tell(mainPID(pid), notifyReady)
		return nil
	}
	u.mu.Lock()
	u.abort = nil
	resumed := u.phase == reloading
	if resumed {
		u.phase = serving
	}
	u.mu.Unlock()
	if resumed {
		u.tell(notifyReady)
	}
	return err
}

func (u *Upgrader) beginReload(cancel context.CancelCauseFunc) error {
	if !u.sys.supported {
		return ErrUnsupported
	}
	if u.sys.pid() == 1 {
		return ErrInit
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phase != serving {
		return u.phase.refusal()
	}
	u.phase, u.abort = reloading, cancel
	return nil
}

// replace starts a process and hands over to it, or removes it.
func (u *Upgrader) replace(ctx context.Context, s Successor) (pid int, err error) {
	if s.Stderr == nil {
		s.Stderr = os.Stderr
	}
	if s.Stdout == nil {
		s.Stdout = os.Stdout
	}
	u.mu.Lock()
	h, err := u.newHandoff(envelope{Generation: u.generation + 1, Values: s.Values}, u.sockets, s.Stderr)
	u.mu.Unlock()
	if err != nil {
		return 0, &StartError{Err: err}
	}
	defer h.Close()
	words := &lastWords{to: s.Stderr}
	cmd, err := u.command(s, h, words)
	if err != nil {
		return 0, &StartError{Err: err}
	}
	c, err := u.sys.start(cmd)
	if err != nil {
		return 0, &StartError{Err: err}
	}
	h.Started()
	err = u.await(ctx, h, c, s.ReadyTimeout)
	if err == nil && u.handOver() {
		_ = h.GoAhead() // if it has ended just now, there is nobody who could serve instead
		return c.pid(), nil
	}
	if err == nil {
		err = ErrStopped
	}
	c.end()
	return 0, &StartError{PID: c.pid(), State: c.state(), Output: words.String(), Err: err}
}

// await returns nil when the new process is ready.
func (u *Upgrader) await(ctx context.Context, h *Handoff, c child, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w (%v)", ErrTimeout, limit))
	defer cancel()
	ctx, exited := context.WithCancelCause(ctx)
	defer exited(nil)
	// The pipe tells that a process ended, and its parting words, unless something that it started holds the pipe too.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-stop:
			return
		case <-c.exited():
		}
		select {
		case <-stop:
		case <-time.After(partingTime):
			exited(ErrExited)
		}
	}()
	return h.Wait(ctx)
}

// strangers are variables that mean descriptors of this process, or of one before it.
var strangers = []string{envelopeName, ghttpName}

func (u *Upgrader) command(s Successor, h *Handoff, words *lastWords) (command, error) {
	path, err := u.program(s.Path)
	if err != nil {
		return command{}, err
	}
	args := u.args
	if s.Args != nil {
		args = append([]string{u.args[0]}, s.Args...)
	}
	env := slices.DeleteFunc(u.sys.environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(strangers, name)
	})
	dir := s.Dir
	if dir == "" {
		dir = u.dir
	}
	return command{
		path: path, args: args, dir: dir, files: h.Files(), stdout: s.Stdout, stderr: words,
		env: slices.Concat(env, s.Env, h.Env()),
	}, nil
}

// program returns the file of the successor. The name by which this process was started goes before the file that it
// runs: where a deployment moves a link, the name leads to the new version.
func (u *Upgrader) program(path string) (string, error) {
	name := path
	if name == "" {
		name = u.args[0]
	}
	if strings.ContainsRune(name, filepath.Separator) {
		name = u.absolute(name)
	}
	found, err := exec.LookPath(name)
	if err == nil || path != "" {
		return found, err
	}
	self, selfErr := os.Executable()
	if selfErr != nil {
		return "", errors.Join(err, selfErr)
	}
	return self, nil
}
