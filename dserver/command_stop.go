package dserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/dserver/internal/instance"
)

// ending is a command that ends the running server by a signal.
type ending struct {
	name   string
	short  string
	signal os.Signal
}

var endings = []ending{
	{"stop", "stop the running server gracefully (SIGTERM) and wait until it is gone", syscall.SIGTERM},
	{"quit", "the same as stop, with SIGQUIT", syscall.SIGQUIT},
}

const (
	goneTimeout  = 30 * time.Second       // default of --timeout
	gonePoll     = 20 * time.Millisecond  // how often a leaving server is looked at
	progressStep = 500 * time.Millisecond // a dot each
)

func (a *app) endCommand(way ending) *cobra.Command {
	var pidFile string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   way.name,
		Short: way.short,
		Args:  cobra.NoArgs, // a name would promise that the others go on
		RunE: func(*cobra.Command, []string) error {
			return a.end(way, pidFile, timeout)
		},
	}
	cmd.Flags().StringVar(&pidFile, "pid", "", "pid file of the server")
	cmd.Flags().DurationVar(&timeout, "timeout", goneTimeout, "how long to wait for the server to be gone")
	return cmd
}

// end asks the server to end and waits until it is gone. When it turns out to have handed over to another process, a reload
// was just going on, and that process is asked as well.
func (a *app) end(way ending, pidFile string, timeout time.Duration) error {
	if !signalsSupported {
		return fmt.Errorf("%s: this system cannot ask another process to stop; press Ctrl-C in its window", way.name)
	}
	h, err := a.findHolder(pidFile)
	if err != nil {
		return err
	}
	began := time.Now()
	deadline := began.Add(timeout)
	var asked []*instance.Holder
	defer func() {
		for _, h := range asked {
			h.Close()
		}
	}()
	for h != nil {
		asked = append(asked, h)
		if h, err = a.endHolder(way, pidFile, h, deadline); err != nil {
			return err
		}
	}
	for _, h := range asked {
		gone, err := a.waitFor(deadline, h.Gone)
		if err != nil {
			return err
		}
		if !gone {
			return fmt.Errorf("%s [%d] is still running after %v", a.name, h.PID, timeout)
		}
		fmt.Fprintf(a.out, "%s [%d] stopped in %v\n", a.name, h.PID, time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// endHolder asks one process to end, and returns when it has ended, has handed over, or the time is up. It returns the
// process that follows, nil if there is none.
func (a *app) endHolder(way ending, pidFile string, h *instance.Holder, deadline time.Time) (*instance.Holder, error) {
	// One that has left already may have a successor that has not put its number into the file yet.
	if err := h.Signal(way.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("%s [%d]: %w", a.name, h.PID, err)
	}
	fmt.Fprintf(a.out, "stopping %s [%d] ", a.name, h.PID)
	_, err := a.waitFor(deadline, func() (bool, error) {
		if h.Successor() != 0 {
			return true, nil
		}
		return h.Gone()
	})
	fmt.Fprintln(a.out)
	if err != nil || h.Successor() == 0 {
		return nil, err
	}
	fmt.Fprintf(a.out, "%s [%d] was reloaded just now: process %d followed\n", a.name, h.PID, h.Successor())
	next, err := a.findHolder(pidFile)
	if errors.Is(err, instance.ErrNotRunning) {
		return nil, nil // it has ended, too
	}
	return next, err
}

// waitFor waits until something has happened, with a dot now and then. It reports false when the time is up.
func (a *app) waitFor(deadline time.Time, happened func() (bool, error)) (bool, error) {
	dot := time.Now().Add(progressStep)
	for {
		if ok, err := happened(); ok || err != nil {
			return ok, err
		}
		now := time.Now()
		if !now.Before(deadline) {
			return false, nil
		}
		if now.After(dot) {
			fmt.Fprint(a.out, ".")
			dot = dot.Add(progressStep)
		}
		time.Sleep(min(gonePoll, deadline.Sub(now)))
	}
}

// findHolder returns the running server: the one that holds pidFile, or the one
// of the run directory if no file is given.
func (a *app) findHolder(pidFile string) (*instance.Holder, error) {
	if pidFile == "" {
		dir, err := a.runDir()
		if err != nil {
			return nil, err
		}
		if err := instance.Check(dir); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, a.notRunning(filepath.Join(dir, a.name+".pid"))
			}
			return nil, err
		}
		pidFile = filepath.Join(dir, a.name+".pid")
	}
	h, err := instance.FindHolder(pidFile)
	if errors.Is(err, instance.ErrNotRunning) {
		return nil, a.notRunning(pidFile)
	}
	return h, err
}

// notRunning names the file, as the run directory may be another one than that of the server.
func (a *app) notRunning(pidFile string) error {
	return fmt.Errorf("server %s is %w: no process holds %s; start it, or set %s as it has it",
		a.name, instance.ErrNotRunning, pidFile, instance.EnvDir)
}
