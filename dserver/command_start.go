package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gogf/gf/v2/os/gcfg"
	"github.com/gogf/gf/v2/os/gtime"
	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/logger"
)

// settleTime is how long "start" watches for a Setup that fails at once, before
// it says what runs.
const settleTime = 200 * time.Millisecond

// startOptions are the flags of "start". What was not given is left to the
// configuration.
type startOptions struct {
	config   string
	env      string
	pid      string
	model    int
	envSet   bool
	debugSet bool
	modelSet bool
}

func (a *app) startCommand() *cobra.Command {
	var o startOptions
	cmd := &cobra.Command{
		Use:   "start [sandbox ...]",
		Short: "start the server with all sandboxes, or with those that are named",
		Long: "Start the server in the foreground, with all sandboxes or with those that are named.\n" +
			"Names may be given as \"a b\" or \"a,b\"; case does not matter.",
		Example: "  start\n  start user,admin --env=dev --config=conf/app.toml",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.envSet, o.modelSet = cmd.Flags().Changed("env"), cmd.Flags().Changed("model")
			o.debugSet = cmd.Flags().Changed("debug")
			return a.launch(o, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.config, "config", "c", "", "configuration file")
	flags.StringVarP(&o.env, "env", "e", "product", "environment: dev, test or product")
	flags.StringVar(&o.pid, "pid", "", "keep a pid file at this place too")
	flags.IntVarP(&o.model, "model", "m", 0, "process model: 0 single process, 1 a process a service")
	return cmd
}

// launch is "start", from the first check to the exit code.
func (a *app) launch(o startOptions, args []string) error {
	files, err := a.claim()
	if err != nil {
		return err
	}
	defer files.release()
	if err := a.configure(o); err != nil {
		return err
	}
	if err := a.runStartFuncs(); err != nil {
		return err
	}
	a.server.SetStopTimeout(a.stopTimeout) // the operator's word goes before the program's
	if err := a.checkModel(o); err != nil {
		return err
	}
	units, err := a.server.selectUnits(args)
	if err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	if err := files.addPid(a.pidFileFor(o)); err != nil {
		return a.explainHeld(err)
	}
	signals, release := catchSignals()
	defer release()
	if a.server.hasCtl() {
		ctl, err := a.server.openCtl(files.socketPath())
		if err != nil {
			return err
		}
		defer ctl.close()
	}
	a.startUnits(units)
	if code := a.server.serve(signals); code != codeOK {
		return &exitError{code: code}
	}
	fmt.Fprintf(a.out, "%s stopped\n", a.name)
	return nil
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
	own := c.table("dserver")
	a.stopTimeout = own.duration("StopTimeout", 0)
	if err := errors.Join(top.err, own.err, c.checkSandboxes()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return errors.Join(
		os.Setenv("ENV_NAME", env),
		os.Setenv("DEBUG", strconv.FormatBool(debug)),
		planLog(c, env, debug).apply(),
	)
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

func (a *app) checkModel(o startOptions) error {
	model := a.server.processModel()
	if o.modelSet {
		model = ProcessModel(o.model)
	}
	switch model {
	case ProcessModelSingle:
		return nil
	case ProcessModelMulti:
		return errors.New("the multi-process model (--model=1, ProcessModelMulti) is not available in this version; use --model=0")
	}
	return &exitError{code: codeUsage, err: fmt.Errorf("there is no process model %d", model)}
}

func (s *DServer) processModel() ProcessModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model
}

func (a *app) pidFileFor(o startOptions) string {
	if o.pid != "" {
		return o.pid
	}
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	return a.server.pidFile
}

// startUnits starts the sandboxes and says what came of it. One that fails does
// not keep the others from running.
func (a *app) startUnits(units []*unit) {
	a.server.mu.Lock()
	a.server.startTime = gtime.Now()
	a.server.mu.Unlock()
	for _, u := range units {
		if err := a.server.startUnit(u); err != nil {
			logger.Warningf(context.Background(), "start: %v", err)
		}
	}
	deadline := time.Now().Add(settleTime)
	var running, failed []string
	for _, u := range units {
		if err := u.outcome(time.Until(deadline)); err != nil {
			failed = append(failed, fmt.Sprintf("%s (%v)", u.name, err))
			continue
		}
		running = append(running, u.name)
	}
	fmt.Fprintf(a.out, "%s started, pid %d: %s\n", a.name, os.Getpid(), orNone(running))
	if len(failed) > 0 {
		fmt.Fprintf(a.err, "failed: %s\n", strings.Join(failed, ", "))
	}
	logger.Infof(context.Background(), "%d: server ready, %d of %d sandboxes started", os.Getpid(), len(running), len(units))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no sandbox"
	}
	return strings.Join(names, ", ")
}

// runFiles are the files that a running server holds.
type runFiles struct {
	dir  string
	name string
	pin  *os.File
	pids []*instance.PidFile
}

// claim makes this process the one that runs under the server's name.
func (a *app) claim() (*runFiles, error) {
	dir, err := a.runDir()
	if err != nil {
		return nil, err
	}
	if err := instance.Prepare(dir); err != nil {
		return nil, err
	}
	pin, err := instance.Pin(dir)
	if err != nil {
		// It only keeps cleaners away; a file system without locks must not keep the server from starting.
		logger.Warningf(context.Background(), "start: %v", err)
	}
	f := &runFiles{dir: dir, name: a.name, pin: pin}
	if err := f.addPid(filepath.Join(dir, a.name+".pid")); err != nil {
		return nil, a.explainHeld(err)
	}
	return f, nil
}

// addPid locks one more pid file; "" and one that is held already are nothing
// to do.
func (f *runFiles) addPid(path string) error {
	if path == "" {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	for _, p := range f.pids {
		if p.Path() == path {
			return nil
		}
	}
	p, err := instance.Lock(path)
	if err != nil {
		return err
	}
	f.pids = append(f.pids, p)
	return nil
}

func (f *runFiles) socketPath() string { return filepath.Join(f.dir, f.name+".sock") }

func (f *runFiles) release() {
	for _, p := range f.pids {
		if err := p.Release(); err != nil {
			logger.Warningf(context.Background(), "stop: pid file: %v", err)
		}
	}
	_ = f.pin.Close() // nothing was written; nil is fine
}

// explainHeld turns the error of a second start into one for its user.
func (a *app) explainHeld(err error) error {
	var held *instance.HeldError
	if errors.As(err, &held) {
		return fmt.Errorf("server %s [%d] is already running (pid file %s); to run another copy beside it set %s to another directory",
			a.name, held.PID, held.Path, instance.EnvDir)
	}
	return err
}

// runDir returns the run directory of the server, which may not be there yet.
func (a *app) runDir() (string, error) {
	return instance.Dir(a.getenv(instance.EnvDir), a.name)
}
