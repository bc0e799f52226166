package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gogf/gf/v2/os/gcfg"
	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/logger"
)

// startOptions are the flags of "start". What was not given is left to the
// configuration.
type startOptions struct {
	config   string
	env      string
	pid      string
	model    int
	daemon   bool
	envSet   bool
	debugSet bool
	modelSet bool
}

func (a *app) startCommand() *cobra.Command {
	var o startOptions
	cmd := &cobra.Command{
		Use:   "start [sandbox ...]",
		Short: "start the server with all sandboxes, or with those that are named",
		Long: "Start the server, with all sandboxes or with those that are named.\n" +
			"Names may be given as \"a b\" or \"a,b\"; case does not matter.\n" +
			"With --daemon it runs in the background; the command returns when it serves, or fails with the reason.",
		Example: "  start\n  start user,admin --env=dev --config=conf/app.toml\n  start -d",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.envSet, o.modelSet = cmd.Flags().Changed("env"), cmd.Flags().Changed("model")
			o.debugSet = cmd.Flags().Changed("debug")
			return a.launch(o, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.config, "config", "c", "", "configuration file")
	flags.StringVarP(&o.env, "env", "e", "product", "environment: dev, test or product")
	flags.BoolVarP(&o.daemon, "daemon", "d", false, "run in the background")
	flags.StringVar(&o.pid, "pid", "", "keep a pid file at this place too")
	flags.IntVarP(&o.model, "model", "m", 0, "process model: 0 single process, 1 a process a service")
	return cmd
}

// configure reads the configuration and sets the log up.
func (a *app) configure(o startOptions) error {
	path, err := findConfig(o.config, configDirs())
	if err != nil {
		return err
	}
	c := a.server.config
	if path != "" {
		content, err := loadConfig(path)
		if err != nil {
			return err
		}
		c.SetAdapter(content)
		gcfg.Instance().SetAdapter(content) // what GoFrame's own parts read
	}
	top := c.table("")
	env, debug := strings.ToLower(o.env), a.debug
	if !o.envSet {
		env = strings.ToLower(top.text("ENV_NAME", env))
	}
	if !o.debugSet {
		debug = top.flag("Debug", false)
	}
	limits, err := c.limits()
	a.server.limits = limits
	if err := errors.Join(top.err, err, c.checkSandboxes()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := planLog(c, env, debug).apply(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := errors.Join(os.Setenv("ENV_NAME", env), os.Setenv("DEBUG", strconv.FormatBool(debug))); err != nil {
		return err
	}
	if a.server.role == roleWorker {
		return nil // its master has said the rest
	}
	for _, remark := range c.typos() {
		logger.Warningf(context.Background(), "%s: %s", path, remark)
	}
	return nil
}

func (a *app) runStartFuncs() error {
	for _, f := range a.start {
		err := guard("the start function", func() error {
			f(a.server)
			return nil
		})
		var p *panicError
		if errors.As(err, &p) {
			return fmt.Errorf("%w\n%s", err, p.stack)
		}
	}
	return nil
}

// chooseModel decides how the sandboxes are run.
func (a *app) chooseModel(o startOptions) (ProcessModel, error) {
	chosen := a.server.processModel()
	if o.modelSet {
		chosen = ProcessModel(o.model)
	}
	switch {
	case chosen != ProcessModelSingle && chosen != ProcessModelMulti:
		return 0, &exitError{code: codeUsage, err: fmt.Errorf("there is no process model %d; 0 is a single process, 1 a process a service", chosen)}
	case chosen == ProcessModelMulti && !multiSupported:
		return 0, errors.New("the multi-process model (--model=1, ProcessModelMulti) needs a Unix system; use --model=0")
	}
	return chosen, nil
}

func (s *DServer) processModel() ProcessModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chosen
}

func (a *app) pidFileFor(o startOptions) string {
	if o.pid != "" {
		return o.pid
	}
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	return a.server.pidFile
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no sandbox"
	}
	return strings.Join(names, ", ")
}
