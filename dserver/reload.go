package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/logger"
)

// errBusy says that another reload goes on; that one decides.
var errBusy = errors.New("a reload is in progress already")

// reload replaces this process by a new one: see model. The error says why the new one did not take over, with its last
// words; this process serves on then.
func (s *DServer) reload(ctx context.Context) error {
	if err := s.waitFiled(ctx); err != nil {
		return err
	}
	if !s.reloadMu.TryLock() {
		return errBusy
	}
	defer s.reloadMu.Unlock()
	if os.Getpid() == 1 {
		return graceful.ErrInit // before anybody is asked
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !s.beginReload(func() { cancel(errStopping) }) {
		return errStopping
	}
	err := errVetoed
	if s.mayStop() {
		err = s.up.Reload(ctx, graceful.Successor{ReadyTimeout: s.limits.ready, Values: s.inheritance()})
	}
	s.endReload(err == nil)
	if err == nil {
		logger.Notice(context.Background(), "reload: a new process serves")
	}
	return err
}

// waitFiled waits until the pid files are this process's, which is moments after it serves: a successor that started before
// would find them locked by a stranger.
func (s *DServer) waitFiled(ctx context.Context) error {
	if s.filed == nil {
		return nil
	}
	select {
	case <-s.filed:
		return nil
	case <-s.ctx.Done():
		return errStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inheritance is what a successor is told.
func (s *DServer) inheritance() map[string]string {
	units := s.allUnits()
	return map[string]string{
		valueStopped: joinNames(units, (*unit).stoppedByHand),
		valueUnits:   joinNames(units, func(u *unit) bool { return u.status().state.active() }),
	}
}

func (s *DServer) beginReload(abort context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.reloading, s.abortReload = make(chan struct{}), abort
	return true
}

func (s *DServer) endReload(handedOver bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handedOver = handedOver
	close(s.reloading)
	s.reloading, s.abortReload = nil, nil
}

// handsOver reports whether a successor has taken over. While a reload goes on it waits for the outcome.
func (s *DServer) handsOver() bool {
	s.mu.Lock()
	going := s.reloading
	s.mu.Unlock()
	if going != nil {
		<-going
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handedOver
}

// cancelReload ends a reload that goes on, and returns when it is over. It reports whether the server is still the one
// that serves.
func (s *DServer) cancelReload() bool {
	s.mu.Lock()
	if s.abortReload != nil {
		s.abortReload()
	}
	s.mu.Unlock()
	return !s.handsOver()
}

// reloadOnSignal reloads because a signal asks for it, and tells the log how it went.
func (s *DServer) reloadOnSignal() {
	if err := s.model.reload(context.Background(), ""); err != nil {
		logger.Errorf(context.Background(), "reload failed, serving on: %v", explainReload(err))
	}
}

// explainReload adds what to do to an error that has an answer.
func explainReload(err error) error {
	if errors.Is(err, graceful.ErrInit) {
		return fmt.Errorf("%w (--model=1)", err)
	}
	return err
}

// noteFailure tells the main loop that a sandbox has failed.
func (s *DServer) noteFailure() {
	select {
	case s.failed <- struct{}{}:
	default: // it will look at all of them
	}
}
