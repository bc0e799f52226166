//go:build !windows

package graceful

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// killDelay is how long a process that is asked to end may take, and how long its output is waited for after its end.
const killDelay = 2 * time.Second

// process is a child of this one.
type process struct {
	cmd  *exec.Cmd
	kill context.CancelFunc
	done chan struct{}
}

func startProcess(c command) (child, error) {
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, c.path)
	cmd.Args = c.args
	cmd.Dir = c.dir
	cmd.Env = c.env
	cmd.ExtraFiles = c.files
	cmd.Stdin = os.Stdin
	cmd.Stdout = c.stdout
	cmd.Stderr = c.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killDelay
	if err := cmd.Start(); err != nil {
		kill()
		return nil, err
	}
	p := &process{cmd: cmd, kill: kill, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // its outcome is in ProcessState
	}()
	return p, nil
}

func (p *process) pid() int                { return p.cmd.Process.Pid }
func (p *process) exited() <-chan struct{} { return p.done }
func (p *process) state() string           { return p.cmd.ProcessState.String() }

func (p *process) end() {
	p.kill()
	<-p.done
}
