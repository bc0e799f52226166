package dserver

import (
	"context"
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
	signal.Notify(ch, append(heldSignals(), stopSignals...)...)
	return ch, func() { signal.Stop(ch) }
}

// stopSignals ask for a graceful stop.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGABRT}

func isStop(sig os.Signal) bool { return slices.Contains(stopSignals, sig) }

// serve waits for a reason to stop, stops, and returns the exit code. A stop
// that BeforeStop refuses leaves the server at work.
func (s *DServer) serve(signals <-chan os.Signal) int {
	var refused time.Time
	for {
		var limit time.Duration
		select {
		case sig := <-signals:
			if !isStop(sig) {
				logger.Warningf(context.Background(), "signal %v has no effect on this server", sig)
				continue
			}
			if time.Since(refused) < insistWindow {
				logger.Warningf(context.Background(), "signal %v again: ending without a graceful stop", sig)
				return exitNow(sig)
			}
			logger.Noticef(context.Background(), "signal %v: stopping", sig)
		case limit = <-s.stopAsked:
			logger.Notice(context.Background(), "the program asked for it: stopping")
		}
		out, sig := s.stopUnlessCut(signals, limit)
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

// stopUnlessCut stops gracefully, and returns early with the signal that says
// not to wait any longer.
func (s *DServer) stopUnlessCut(signals <-chan os.Signal, limit time.Duration) (stopOutcome, os.Signal) {
	done := make(chan stopOutcome, 1)
	go func() { done <- s.stop(limit) }()
	for {
		select {
		case out := <-done:
			return out, nil
		case sig := <-signals:
			if isStop(sig) {
				logger.Warningf(context.Background(), "signal %v again: ending now, still at work: [%s]", sig, s.activeNames())
				return stopOutcome{}, sig
			}
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
