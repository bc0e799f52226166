package dserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/dserver/internal/instance"
)

// reloadPatience is the default of --timeout: a new process has a minute.
const reloadPatience = 90 * time.Second

func (a *app) reloadCommand() *cobra.Command {
	var pidFile string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reload [NAME]",
		Short: "replace the running server by this program as it is now, without losing a call (SIGUSR2)",
		Long: "Replace the running server by the program as it is now, and wait until the new one serves. If it does not\n" +
			"come up, the old one serves on, and the reason is printed. In the multi-process model a NAME reloads one\n" +
			"service, or the service of one sandbox.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return a.reload(name, pidFile, timeout)
		},
	}
	cmd.Flags().StringVar(&pidFile, "pid", "", "pid file of the server")
	cmd.Flags().DurationVar(&timeout, "timeout", reloadPatience, "how long to wait for the new process")
	return cmd
}

func (a *app) reload(name, pidFile string, timeout time.Duration) error {
	if !signalsSupported {
		return errors.New("reload: this system cannot hand sockets to another process; stop and start the server")
	}
	h, err := a.findHolder(pidFile)
	if err != nil {
		return err
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	replaced := true
	if a.server.hasCtl() && pidFile == "" {
		replaced, err = a.reloadByCtl(ctx, name)
		if err != nil && a.ctl.connection() != nil && a.ctl.isLost() && a.follows(h, pidFile) {
			err = nil // it went so well that there was nobody left to say so
		}
	} else {
		err = a.reloadBySignal(ctx, name, pidFile, h)
	}
	if err != nil {
		return err
	}
	if !replaced {
		fmt.Fprintf(a.out, "%s [%d] reloaded\n", a.name, h.PID)
		return nil
	}
	fmt.Fprintf(a.out, "%s reloaded: process %d follows %d\n", a.name, a.follower(pidFile, h.PID), h.PID)
	return nil
}

// reloadByCtl asks over the control socket, and so learns how it went, and whether another process serves now.
func (a *app) reloadByCtl(ctx context.Context, name string) (replaced bool, err error) {
	if err := a.ctl.connect(); err != nil {
		return false, err
	}
	var r ctlReloaded
	err = a.ctl.call(ctx, methodReload, name, &r, name, msgReloadFailed)
	return r.Replaced || err != nil, err
}

// reloadBySignal sends the signal and sees from the pid file whether a new process takes over. What went wrong is known
// to the log only.
func (a *app) reloadBySignal(ctx context.Context, name, pidFile string, h *instance.Holder) error {
	if name != "" {
		return errors.New("reload: naming what to reload needs the control socket")
	}
	if err := h.Signal(reloadSignal); err != nil {
		return fmt.Errorf("%s [%d]: %w", a.name, h.PID, err)
	}
	for h.Successor() == 0 {
		gone, err := h.Gone()
		switch {
		case err != nil:
			return err
		case gone && a.serving(pidFile) == 0:
			return fmt.Errorf("%s [%d] has ended", a.name, h.PID)
		case gone:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s [%d] was not replaced in time; its log may say why", a.name, h.PID)
		case <-time.After(gonePoll):
		}
	}
	return nil
}

// follows reports whether another process has taken over from the holder.
func (a *app) follows(h *instance.Holder, pidFile string) bool {
	pid := a.serving(pidFile)
	return pid != 0 && pid != h.PID
}

// follower returns the process that serves after the one before. It takes a moment to say that it is the one.
func (a *app) follower(pidFile string, before int) int {
	for range successionTime / gonePoll {
		if pid := a.serving(pidFile); pid == 0 || pid != before {
			return pid
		}
		time.Sleep(gonePoll)
	}
	return before
}

// serving returns the process that serves, 0 if none does.
func (a *app) serving(pidFile string) int {
	h, err := a.findHolder(pidFile)
	if err != nil {
		return 0
	}
	defer h.Close()
	return h.PID
}
