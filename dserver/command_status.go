package dserver

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/dserver/internal/instance"
)

func (a *app) statusCommand() *cobra.Command {
	var pidFile string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "say whether the server runs, and what its sandboxes do (exit code 3 if it does not)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.status(cmd, pidFile)
		},
	}
	cmd.Flags().StringVar(&pidFile, "pid", "", "pid file of the server")
	return cmd
}

func (a *app) status(cmd *cobra.Command, pidFile string) error {
	h, err := a.findHolder(pidFile)
	if errors.Is(err, instance.ErrNotRunning) {
		fmt.Fprintf(a.out, "%s is not running\n", a.name)
		return &exitError{code: codeNotRunning}
	}
	if err != nil {
		return err
	}
	defer h.Close()
	fmt.Fprintf(a.out, "%s is running, pid %d\n", a.name, h.PID)
	if !a.server.hasCtl() {
		return nil
	}
	return a.ctl.run(cmd.Context(), ctlInfoCommand, nil)
}
