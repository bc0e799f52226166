package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gogf/gf/v2/os/gtime"

	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/logger"
	proc "github.com/osgochina/dmicro/supervisor/process"
)

// launch is "start", whatever this process is to be: a server, the command that starts a daemon, or a worker.
func (a *app) launch(o startOptions, args []string) error {
	up, err := graceful.Default()
	if err != nil {
		return err
	}
	s := a.server
	s.up, s.role = up, roleOf(up)
	if o.daemon && s.role == roleFirst {
		return a.daemonise(up)
	}
	if os.Getpid() == 1 {
		proc.ReapZombie() // nobody else does
	}
	run := a.runServer
	if s.role == roleWorker {
		run = a.runWorker
	}
	err = run(o, args)
	if err != nil {
		// Whoever waits for this process learns the reason; once it serves, nobody does.
		err = errors.Join(err, up.Fail(err))
	}
	return errors.Join(err, up.Stop())
}

// runServer is a server from the first check to the exit code.
func (a *app) runServer(o startOptions, args []string) error {
	s := a.server
	signals, release := catchSignals()
	defer release()
	files, err := a.claim(s.up)
	if err != nil {
		return err
	}
	defer files.release()
	units, err := a.prepare(o, args)
	if err != nil {
		return err
	}
	if err := files.addPid(a.pidFileFor(o)); err != nil {
		return a.explainHeld(err)
	}
	chosen, err := a.chooseModel(o)
	if err != nil {
		return err
	}
	if err := s.bindAddresses(); err != nil {
		return err
	}
	s.model = &single{
		server: s, units: units, strict: s.role.strict(s.up),
		before: names(s.up.Value(valueUnits)), unwanted: names(s.up.Value(valueStopped)),
	}
	if chosen == ProcessModelMulti {
		s.model = a.newMaster(files.dir, units)
	}
	s.filed = make(chan struct{})
	if s.hasCtl() {
		if s.ctl, err = s.openCtl(files.socketPath()); err != nil {
			return err
		}
		defer s.ctl.close()
	}
	if err := untilSignal(signals, a.begin); err != nil {
		return a.giveUp(err)
	}
	if err := errors.Join(s.up.Ready(), files.takeOver()); err != nil {
		return a.giveUp(err)
	}
	close(s.filed)
	fmt.Fprint(a.out, a.greeting)
	return a.attend(signals, files)
}

// prepare reads the configuration, lets the program add its sandboxes, and finds those that are to run.
func (a *app) prepare(o startOptions, args []string) ([]*unit, error) {
	if err := a.configure(o); err != nil {
		return nil, err
	}
	if err := a.runStartFuncs(); err != nil {
		return nil, err
	}
	a.server.SetStopTimeout(a.server.limits.stop) // the operator's word goes before the program's
	units, err := a.server.selectUnits(args)
	if err != nil {
		return nil, &exitError{code: codeUsage, err: err}
	}
	return units, nil
}

// begin starts the sandboxes and prepares what is said of it.
func (a *app) begin(ctx context.Context) error {
	s := a.server
	s.mu.Lock()
	s.startTime = gtime.Now()
	s.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, s.limits.ready*9/10, errors.New("the sandboxes were not up in time"))
	defer cancel()
	running, failed, err := s.model.begin(ctx)
	if err != nil {
		return err
	}
	a.greeting = fmt.Sprintf("%s started, pid %d: %s\n", a.name, os.Getpid(), orNone(running))
	if len(failed) > 0 {
		fmt.Fprintf(a.err, "failed: %s\n", strings.Join(failed, ", "))
	}
	logger.Infof(context.Background(), "%d: server ready, %d of %d sandboxes started", os.Getpid(), len(running), len(running)+len(failed))
	return nil
}

// giveUp ends what was begun by a process that will not serve.
func (a *app) giveUp(err error) error {
	err = errors.Join(err, a.server.up.Fail(err)) // nobody has to wait for the rest
	a.server.end(a.server.stopLimit())
	var sig *signalError
	if errors.As(err, &sig) {
		return &exitError{code: exitNow(sig.sig), err: err}
	}
	return err
}

// attend serves until it is time to end.
func (a *app) attend(signals <-chan os.Signal, files *runFiles) error {
	s := a.server
	code := s.serve(signals)
	if s.handsOver() {
		files.leave()
		fmt.Fprintf(a.out, "%s [%d] left to its successor\n", a.name, os.Getpid())
	} else if code == codeOK {
		fmt.Fprintf(a.out, "%s stopped\n", a.name)
	}
	if code != codeOK {
		return &exitError{code: code, err: s.broken}
	}
	return nil
}

// bindAddresses makes transports bind through package graceful, and binds what SetInheritListener names.
func (s *DServer) bindAddresses() error {
	binder, err := bindAll()
	if err != nil {
		return err
	}
	s.binder = binder
	s.mu.Lock()
	addresses := s.inherit
	s.mu.Unlock()
	return hold(addresses)
}
