package dserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/logger"
)

// stopOutcome says how a graceful stop went.
type stopOutcome struct {
	refused bool     // BeforeStop said no: nothing was done
	failed  bool     // a Shutdown returned an error, or calls were cut off
	cut     []string // sandboxes that did not end within the limit
}

// code is the exit code of the process after this stop.
func (o stopOutcome) code() int {
	if o.failed || len(o.cut) > 0 {
		return codeFailed
	}
	return codeOK
}

// stop is a graceful stop, from the question to the last sandbox. A limit of 0
// means the configured one.
func (s *DServer) stop(limit time.Duration) stopOutcome {
	if !s.mayStop() && s.role != roleWorker { // the answer is the master's to hear
		return stopOutcome{refused: true}
	}
	return s.stopUnasked(limit)
}

// stopUnasked is a graceful stop that nobody can refuse.
func (s *DServer) stopUnasked(limit time.Duration) stopOutcome {
	s.mu.Lock()
	s.stopping = true // no reload begins any more
	s.mu.Unlock()
	if !s.cancelReload() {
		return s.leave()
	}
	if limit <= 0 {
		limit = s.stopLimit()
	}
	if s.role != roleWorker {
		_, _ = graceful.Notify("STOPPING=1") // decides nothing
	}
	return s.end(limit)
}

// leave ends what this process still does when a successor serves.
func (s *DServer) leave() stopOutcome {
	s.mu.Lock()
	s.hasSuccessor = true
	s.mu.Unlock()
	if s.role == roleWorker {
		s.up.Withdraw()
	}
	if s.ctl != nil && s.role != roleWorker { // of a worker, the master wants the figures
		s.ctl.close() // who watches this process shall watch its successor
	}
	return s.end(s.drainLimit())
}

// succeeded reports whether another process serves in place of this one, which leaves.
func (s *DServer) succeeded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasSuccessor
}

func (s *DServer) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// drainLimit bounds what a process may take to finish when another one serves in its place.
func (s *DServer) drainLimit() time.Duration {
	if s.limits.drain > 0 {
		return s.limits.drain
	}
	return s.stopLimit()
}

// end ends everything within the limit.
func (s *DServer) end(limit time.Duration) stopOutcome {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if s.up != nil {
		s.up.Unhold() // or new connections would wait for nobody
	}
	out := s.model.end(ctx)
	s.cancel()
	if len(out.cut) > 0 {
		logger.Warningf(context.Background(), "stop: cut after %v: %s", limit, strings.Join(out.cut, ", "))
	}
	return out
}

// mayStop asks BeforeStop. One that panics is broken, not opposed.
func (s *DServer) mayStop() bool {
	s.mu.Lock()
	ask := s.beforeStop
	s.mu.Unlock()
	if ask == nil {
		return true
	}
	ok := true
	err := guard("BeforeStop", func() error {
		ok = ask(s)
		return nil
	})
	if err != nil {
		logger.Errorf(context.Background(), "stop: %v", err)
		return true
	}
	return ok
}

// activeUnits lists what a stop must end, the last started first.
func (s *DServer) activeUnits() []*unit {
	units := slices.DeleteFunc(s.allUnits(), func(u *unit) bool { return !u.status().state.active() })
	slices.Reverse(units)
	return units
}

// stopUnits stops one sandbox after the other. One that takes longer than its
// share of the remaining time goes on beside the next ones, so that a sandbox
// that hangs does not take the others' chance to end in order.
func stopUnits(ctx context.Context, units []*unit) (out stopOutcome) {
	var wg sync.WaitGroup
	errs := make([]error, len(units))
	for i, u := range units {
		done := make(chan struct{})
		wg.Go(func() {
			defer close(done)
			errs[i] = u.stop(ctx)
		})
		select {
		case <-done:
		case <-time.After(shareOf(ctx, len(units)-i)):
		}
	}
	wg.Wait()
	for i, err := range errs {
		switch {
		case err == nil || errors.Is(err, errNotRunning):
		case errors.Is(err, errOverran):
			out.cut = append(out.cut, units[i].name)
		default:
			out.failed = true
			logger.Warningf(context.Background(), "stop: %v", err)
		}
	}
	return out
}

func shareOf(ctx context.Context, left int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return time.Until(deadline) / time.Duration(left)
}

// stopLimit is the limit of a graceful stop.
func (s *DServer) stopLimit() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopTimeout
}
