package drpc

import (
	"context"
	"errors"
)

// acquire returns the connection to use for a call or push. While the session is being redialled it waits as policy
// says, at most until ctx ends, and it starts a redial where an earlier one had given up.
func (s *session) acquire(ctx context.Context, policy RedialPolicy) (*link, *Status) {
	for {
		l, g, stat := s.tryAcquire()
		if l != nil || stat != nil {
			return l, stat
		}
		if policy == RedialFailFast || s.waitsForItself() {
			return nil, notExecuted(CodeConnClosed, errBetween)
		}
		if stat = s.awaitRedial(ctx, policy, g); stat != nil {
			return nil, stat
		}
	}
}

// errBetween is why a call that does not wait fails.
var errBetween = errors.New("the session is between two connections, the message was not sent")

// gap is what to wait for while a session is between two connections.
type gap struct {
	changed  <-chan struct{}
	failures uint64 // attempts to connect that had failed until then
}

// tryAcquire returns the connection, or why there will be none, or what to wait for.
func (s *session) tryAcquire() (*link, gap, *Status) {
	// Without the lock for nearly every call. A link that is lost meanwhile sends nothing and says so.
	if l := s.link.Load(); l != nil && s.getState() == stateOk {
		return l, gap{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.link.Load()
	switch st := s.getState(); {
	case st == stateOk:
		return l, gap{}, nil
	case st.closing():
		return nil, gap{}, notExecuted(CodeConnClosed, nil)
	case l == nil:
		return nil, gap{}, notExecuted(CodeConnClosed, errors.New("session is not up yet"))
	case st == stateRedialing || st == statePreparing:
	case !s.redials():
		return nil, gap{}, notExecuted(CodeConnClosed, nil)
	case st == statePassiveClosed:
		if !s.reviveLocked() {
			return nil, gap{}, notExecuted(CodeConnClosed, ErrListenClosed)
		}
	}
	return nil, gap{s.changed, s.failures}, nil
}

// reviveLocked starts the redial of a session that had been given up. It returns false if the endpoint is closing.
func (s *session) reviveLocked() bool {
	if !s.ep.enter() {
		return false
	}
	if !s.ep.remember(s) {
		s.ep.leave()
		return false
	}
	s.backoff.renew()
	s.startDialling()
	s.moveLocked(stateRedialing)
	go func() { s.live(s.redial()) }()
	return true
}

// awaitRedial waits until the redial that is under way has come to an end, or with RedialOnce the attempt.
func (s *session) awaitRedial(ctx context.Context, policy RedialPolicy, g gap) *Status {
	for {
		select {
		case <-g.changed:
		case <-ctx.Done():
			return unsent(s.endedStatus(CodeHandleTimeout, ctx))
		}
		s.mu.Lock()
		st, failures, failure := s.getState(), s.failures, s.failure
		g.changed = s.changed
		s.mu.Unlock()
		switch st {
		case stateOk:
			return nil
		case stateRedialFailed, statePassiveClosed:
			return notExecuted(CodeConnClosed, failure)
		case stateActiveClosing, stateActiveClosed:
			return notExecuted(CodeConnClosed, nil)
		}
		if policy == RedialOnce && failures != g.failures {
			return notExecuted(CodeConnClosed, failure)
		}
	}
}

// awaitLoss waits until the session has noticed that l is gone, after somebody failed to send over it.
func (s *session) awaitLoss(ctx context.Context, l *link) *Status {
	for {
		s.mu.Lock()
		same, changed := s.link.Load() == l && s.getState() == stateOk, s.changed
		s.mu.Unlock()
		switch {
		case !same:
			return nil
		case s.waitsForItself():
			return notExecuted(CodeConnClosed, errBetween)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unsent(s.endedStatus(CodeHandleTimeout, ctx))
		}
	}
}

// waitsForItself reports whether the caller is a hook on the goroutine that the session needs to get to its next
// connection, or to its end. It must not wait for either.
func (s *session) waitsForItself() bool { return s.hooking.Load() > 0 && calledByConnection() }

// redials reports whether the session comes back after a loss.
func (s *session) redials() bool { return s.target != "" && s.ep.cfg.RedialTimes != 0 }
