package dserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/graceful"
)

const (
	daemonTime   = 2 * time.Minute // for a daemon to serve; it gives up by itself before
	daemonKill   = 3 * time.Second // for one that gave up to end
	daemonWords  = 8 << 10         // bytes of its output that are repeated
	maxDaemonLog = 10 << 20        // bytes above which the next start begins a new file
)

// daemonise starts this program once more, in a session of its own, and returns when that one serves, or with the reason
// why it does not; then it has ended.
func (a *app) daemonise(up *graceful.Upgrader) error {
	dir, err := a.prepareDir()
	if err != nil {
		return err
	}
	log, err := openDaemonLog(filepath.Join(dir, a.name+".out"))
	if err != nil {
		return err
	}
	defer log.Close()
	h, err := up.Detach(map[string]string{valueRole: string(roleDaemon)})
	if err != nil {
		return fmt.Errorf("start --daemon: %w", err)
	}
	defer h.Close()
	cmd, err := daemonCommand(h, log.File)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start --daemon: %w", err)
	}
	h.Started()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its outcome is in ProcessState
	}()
	ctx, cancel := signal.NotifyContext(context.Background(), stopSignals...)
	defer cancel()
	ctx, timeout := context.WithTimeout(ctx, daemonTime)
	defer timeout()
	if err := h.Wait(ctx); err != nil {
		return a.daemonFailed(err, cmd, ended, log)
	}
	// systemd knows this process only. That it is told decides nothing.
	_, _ = graceful.Notify(fmt.Sprintf("MAINPID=%d", cmd.Process.Pid), "READY=1")
	if err := h.GoAhead(); err != nil {
		return a.daemonFailed(err, cmd, ended, log)
	}
	fmt.Fprintf(a.out, "%s started in the background, pid %d, output in %s\n", a.name, cmd.Process.Pid, log.Name())
	return nil
}

// daemonCommand runs the program as this process was run.
func daemonCommand(h *graceful.Handoff, out *os.File) (*exec.Cmd, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		if path, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("start --daemon: %w", err)
		}
	}
	cmd := exec.Command(path)
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), h.Env()...)
	cmd.ExtraFiles = h.Files()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownSession()
	return cmd, nil
}

// daemonFailed makes sure that the daemon has ended, and says why it did not serve.
func (a *app) daemonFailed(err error, cmd *exec.Cmd, ended <-chan struct{}, log *daemonLog) error {
	var told *graceful.RefusedError
	if !errors.As(err, &told) && !errors.Is(err, graceful.ErrExited) {
		_ = cmd.Process.Signal(stopSignals[1]) // it may have ended just now
	}
	select {
	case <-ended:
	case <-time.After(daemonKill):
		_ = cmd.Process.Kill()
		<-ended
	}
	if told != nil {
		return errors.New(told.Reason) // nothing else needs to be said
	}
	err = fmt.Errorf("the daemon did not come up: %w (%v)", err, cmd.ProcessState)
	if words := log.words(); words != "" {
		err = fmt.Errorf("%w; its last words:\n%s", err, words)
	}
	return err
}

// daemonLog is the file in which the output of a daemon ends up.
type daemonLog struct {
	*os.File
	begin int64 // where this daemon's output begins
}

func openDaemonLog(path string) (*daemonLog, error) {
	if info, err := os.Lstat(path); err == nil && info.Size() > maxDaemonLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("output file: %w", err)
		}
	}
	f, err := instance.OpenLog(path)
	if err != nil {
		return nil, fmt.Errorf("output file: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("output file: %w", err), f.Close())
	}
	return &daemonLog{f, end}, nil
}

// words is the end of what the daemon has written.
func (l *daemonLog) words() string {
	end, err := l.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(l.begin, end-daemonWords)
	text := make([]byte, end-from)
	n, _ := l.ReadAt(text, from) // what is there
	return strings.TrimSpace(string(text[:n]))
}
