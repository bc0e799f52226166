package dserver

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/logger"
)

// insistWindow is how soon after a refused stop a further signal is taken as
// insisting on it.
const insistWindow = 5 * time.Second

// catchSignals delivers the signals that concern a server. The channel has room:
// a signal that finds it full would be lost.
func catchSignals() (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, slices.Concat(heldSignals(), reloadSignals(), stopSignals)...)
	return ch, func() { signal.Stop(ch) }
}

// stopSignals ask for a graceful stop.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGABRT}

func isStop(sig os.Signal) bool { return slices.Contains(stopSignals, sig) }

// signalError says that a signal ended a process before it served.
type signalError struct{ sig os.Signal }

func (e *signalError) Error() string { return "ended by signal: " + e.sig.String() }

// untilSignal runs fn with a context that a signal to stop ends. Other signals that come meanwhile have no effect: there
// is nothing to reload yet.
func untilSignal(signals <-chan os.Signal, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case sig := <-signals:
			if isStop(sig) {
				cancel(&signalError{sig})
				continue
			}
			logger.Warningf(context.Background(), "signal %v has no effect: the server is not ready yet", sig)
		}
	}
}

// serve waits for a reason to end, ends, and returns the exit code. A stop that BeforeStop refuses leaves the server at
// work.
func (s *DServer) serve(signals <-chan os.Signal) int {
	var refused time.Time
	for {
		var limit time.Duration
		select {
		case sig := <-signals:
			switch {
			case slices.Contains(reloadSignals(), sig) && s.role == roleWorker:
				return s.finish(signals, s.leave) // another worker serves already
			case slices.Contains(reloadSignals(), sig):
				logger.Noticef(context.Background(), "signal %v: reloading", sig)
				go s.reloadOnSignal()
				continue
			case !isStop(sig):
				if sig != brokenPipe { // saying so might break the next one
					logger.Warningf(context.Background(), "signal %v has no effect on this server", sig)
				}
				continue
			case time.Since(refused) < insistWindow:
				logger.Warningf(context.Background(), "signal %v again: ending without a graceful stop", sig)
				s.model.abandon()
				return exitNow(sig)
			}
			if other := skipEcho(signals, sig); other != nil {
				s.model.abandon()
				return exitNow(other)
			}
			logger.Noticef(context.Background(), "signal %v: stopping", sig)
		case limit = <-s.stopAsked:
			logger.Notice(context.Background(), "the program asked for it: stopping")
		case <-s.up.HandedOver():
			s.handsOver() // the reload is over
			return s.finish(signals, s.leave)
		case <-s.orphaned:
			logger.Warning(context.Background(), "the master is gone: stopping")
			return s.finish(signals, func() stopOutcome { return s.end(orphanLimit) })
		case <-s.failed:
			if !s.nothingLeft() {
				continue
			}
			if s.role == roleWorker {
				logger.Error(context.Background(), "every sandbox has failed: ending, to be started again")
				return codeFailed
			}
			return s.breakDown(signals)
		}
		out, sig := s.unlessCut(signals, 0, func() stopOutcome { return s.stop(limit) })
		if sig != nil {
			return exitNow(sig)
		}
		if !out.refused {
			return out.code()
		}
		refused = time.Now()
		logger.Warningf(context.Background(), "stop refused by BeforeStop; a signal within %v ends the process", insistWindow)
	}
}

// echoTime is how long a signal that comes twice is one request: who ends a group of processes, as timeout(1) does, sends it to the
// process and then to its group.
const echoTime = 10 * time.Millisecond

// skipEcho drops what comes within echoTime of a signal to stop, and returns early with another signal to stop.
func skipEcho(signals <-chan os.Signal, sig os.Signal) (other os.Signal) {
	over := time.NewTimer(echoTime)
	defer over.Stop()
	for {
		select {
		case next := <-signals:
			if isStop(next) && next != sig {
				return next
			}
		case <-over.C:
			return nil
		}
	}
}

// finish ends the server in a way that no signal has asked for, and returns the exit code. The first signal meanwhile
// changes nothing: it asks for what happens already.
func (s *DServer) finish(signals <-chan os.Signal, work func() stopOutcome) int {
	out, sig := s.unlessCut(signals, 1, work)
	if sig != nil {
		return exitNow(sig)
	}
	return out.code()
}

// breakDown ends a server that has nothing left to serve with, so that whoever looks after the process learns of it.
func (s *DServer) breakDown(signals <-chan os.Signal) int {
	err := s.allFailed()
	logger.Errorf(context.Background(), "%v; ending", err)
	code := s.finish(signals, func() stopOutcome { return s.stopUnasked(0) })
	if s.succeeded() {
		return code // another process serves
	}
	s.broken = err
	return max(codeFailed, code)
}

// orphanLimit bounds how long a worker finishes what it has when its master has died: whoever starts the next master
// waits for the addresses.
const orphanLimit = 1200 * time.Millisecond

// nothingLeft reports whether no sandbox is at work, and that not because somebody wants it so.
func (s *DServer) nothingLeft() bool {
	for _, u := range s.allUnits() {
		if u.status().state.active() || u.attended() {
			return false
		}
	}
	return true
}

// allFailed says why nothing is left.
func (s *DServer) allFailed() error {
	var reasons []string
	for _, u := range s.allUnits() {
		if st := u.status(); st.reason != "" {
			reasons = append(reasons, fmt.Sprintf("%s (%s)", u.name, st.reason))
		}
	}
	return fmt.Errorf("every sandbox has failed: %s", strings.Join(reasons, ", "))
}

// unlessCut waits for work that ends the server, and returns early with the signal that says not to wait any longer. The
// first few signals may be spared: a process that leaves anyway gets those that are meant for its successor, too. It is
// in a hurry from then on, because there may be no successor any more.
func (s *DServer) unlessCut(signals <-chan os.Signal, spare int, work func() stopOutcome) (stopOutcome, os.Signal) {
	done := make(chan stopOutcome, 1)
	go func() { done <- work() }()
	orphaned := s.orphaned
	var late <-chan time.Time
	for {
		select {
		case out := <-done:
			return out, nil
		case <-orphaned: // the next master waits for the addresses, whatever this work was allowed to take
			orphaned, late = nil, time.After(orphanLimit)
		case <-late:
			logger.Warningf(context.Background(), "the master is gone: ending now, still at work: [%s]", s.activeNames())
			return stopOutcome{failed: true}, nil
		case sig := <-signals:
			if !isStop(sig) {
				continue
			}
			if spare--; spare >= 0 {
				logger.Noticef(context.Background(), "signal %v: leaving already; once more ends it now", sig)
				s.hurryOnce.Do(func() { close(s.hurry) })
				continue
			}
			logger.Warningf(context.Background(), "signal %v again: ending now, still at work: [%s]", sig, s.activeNames())
			s.model.abandon()
			return stopOutcome{}, sig
		}
	}
}

func (s *DServer) activeNames() string {
	var names []string
	for _, u := range s.activeUnits() {
		names = append(names, u.name)
	}
	return strings.Join(names, ", ")
}

// exitNow is the exit code of a process that a signal ended.
func exitNow(sig os.Signal) int {
	if n, ok := sig.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return codeFailed
}
