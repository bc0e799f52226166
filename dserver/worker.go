package dserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/supervisor/lifeline"
)

// runWorker is a worker from the first step to the exit code. Which service it runs, and which of its sandboxes not, it
// was told by its master; names on the command line limit it as they limit the master.
func (a *app) runWorker(o startOptions, args []string) error {
	s := a.server
	signals, release := catchSignals()
	defer release()
	alive, done := context.WithCancel(context.Background())
	defer done()
	gone, err := lifeline.Join(alive) // early: the master counts from the start
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	s.orphaned = gone
	units, err := a.prepare(o, args)
	if err != nil {
		return err
	}
	name := s.up.Value(valueService)
	units = slices.DeleteFunc(units, func(u *unit) bool { return u.service.name != name })
	if len(units) == 0 {
		return fmt.Errorf("the program has no sandbox in service [%s] any more; stop and start the application", name)
	}
	dir, err := a.runDir()
	if err != nil {
		return err
	}
	if err := s.bindAddresses(); err != nil {
		return err
	}
	s.pages = s.holdPages(dir)
	defer s.pages.leave()
	s.binder.waitForOrphans()
	s.model = &single{
		server: s, units: units, strict: s.role.strict(s.up), unwanted: names(s.up.Value(valueStopped)),
	}
	if s.hasCtl() {
		if err := instance.Check(dir); err != nil {
			return err
		}
		if s.ctl, err = s.openCtl(workerSocket(dir, os.Getpid())); err != nil {
			return err
		}
		defer s.ctl.close()
	}
	if err := untilSignal(signals, a.begin); err != nil {
		return a.giveUp(err)
	}
	if err := s.up.Ready(); err != nil {
		return a.giveUp(err)
	}
	logger.Infof(context.Background(), "worker of service [%s]: %s", name, filepath.Base(os.Args[0]))
	if code := s.serve(signals); code != codeOK {
		return &exitError{code: code}
	}
	return nil
}
