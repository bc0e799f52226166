package control

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"
)

// Child is a process, and the conversation with it.
type Child struct {
	*Line
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Closer
}

// Start starts a program. It is killed when ctx ends.
func Start(ctx context.Context, program string, stderr io.Writer, args []string) (*Child, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = stderr
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	err = cmd.Start()
	_ = w.Close() // the child has its own
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &Child{Line: New(r, stdin), cmd: cmd, stdin: stdin, stdout: r}, nil
}

// patience is how long a child may take to end when nothing is left to do.
const patience = 5 * time.Second

// Stop tells the child that nobody listens any more, and waits until it is gone. One that does not go is killed, which
// is no failure: its figures are there.
func (c *Child) Stop() error {
	_ = c.stdin.Close() // it may be gone
	hurry := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	err := c.cmd.Wait()
	_ = c.stdout.Close()
	if !hurry.Stop() {
		return nil
	}
	return err
}
