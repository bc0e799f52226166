package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/logger"
)

// successionTime bounds how long a process that has handed over waits for its successor to put its number into the pid
// file, which takes milliseconds.
const successionTime = 2 * time.Second

// runFiles are the files that a running server holds.
type runFiles struct {
	dir  string
	name string
	up   *graceful.Upgrader
	pin  *os.File
	pids []*instance.PidFile
}

// claim makes this process the one that runs under the server's name, or the successor of the one that does.
func (a *app) claim(up *graceful.Upgrader) (*runFiles, error) {
	dir, err := a.prepareDir()
	if err != nil {
		return nil, err
	}
	pin, err := instance.Pin(dir)
	if err != nil {
		// It only keeps cleaners away; a file system without locks must not keep the server from starting.
		logger.Warningf(context.Background(), "start: %v", err)
	}
	f := &runFiles{dir: dir, name: a.name, up: up, pin: pin}
	if err := f.addPid(a.pidPath(dir)); err != nil {
		f.release()
		return nil, a.explainHeld(err)
	}
	return f, nil
}

// prepareDir makes sure that the run directory is there and safe, and returns it.
func (a *app) prepareDir() (string, error) {
	dir, err := a.runDir()
	if err != nil {
		return "", err
	}
	return dir, instance.Prepare(dir)
}

// runDir returns the run directory of the server, which may not be there yet.
func (a *app) runDir() (string, error) {
	return instance.Dir(a.getenv(instance.EnvDir), a.name)
}

func (a *app) pidPath(dir string) string { return filepath.Join(dir, a.name+".pid") }

// addPid locks one more pid file, or takes it over from the predecessor; "" and one that is held already are nothing to
// do.
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
	var p *instance.PidFile
	if inherited := f.up.File(keepName(path)); inherited != nil {
		p = instance.Adopt(inherited, path)
	} else if p, err = instance.Lock(path); err != nil {
		return err
	}
	f.pids = append(f.pids, p)
	return nil
}

// keepName is the name under which a pid file goes to a successor.
func keepName(path string) string { return "pid file " + path }

// takeOver makes the pid files name this process, now that it serves, and hands them to its successors.
func (f *runFiles) takeOver() error {
	var errs []error
	for _, p := range f.pids {
		if !p.Mine() {
			errs = append(errs, p.Claim())
		}
		errs = append(errs, f.up.Keep(keepName(p.Path()), p.File()))
	}
	return errors.Join(errs...)
}

// leave waits until the successor has the pid files: whoever reads them finds a living process at any time. What it
// does not want is removed by release.
func (f *runFiles) leave() {
	for deadline := time.Now().Add(successionTime); !f.allPassed() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	for _, p := range f.pids {
		if !p.Mine() {
			p.Leave()
		}
	}
}

func (f *runFiles) allPassed() bool {
	for _, p := range f.pids {
		if !p.Passed() {
			return false
		}
	}
	return true
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
