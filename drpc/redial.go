package drpc

import "fmt"

// RedialError is the cause of the status of calls and pushes over a session that has given up coming back, until a
// later one brings it back.
type RedialError struct {
	// Addr is where the session was dialled to.
	Addr string
	// Attempts is how often it was tried since a connection last held.
	Attempts int
	// Err is what the last attempt failed with, or why there was none.
	Err error
}

// Error says where to, how often, and what failed last.
func (e *RedialError) Error() string {
	return fmt.Sprintf("given up on %s after %d attempts: %v", e.Addr, e.Attempts, e.Err)
}

// Unwrap returns Err.
func (e *RedialError) Unwrap() error { return e.Err }

// redial brings a lost session back, in state Redialing. It returns the new connection, which waits to be read, or nil
// when the session is over. It runs on a goroutine that the endpoint counts.
func (s *session) redial() *link {
	if l := s.awaitHandover(); l != nil {
		return s.adopt(l)
	}
	s.beforeRedial()
	l, err := s.reconnect()
	if err == nil {
		logInfof("redial ok (session %s, peer %s)", s.ID(), s.target)
		return l
	}
	if s.ctx.Err() != nil {
		return nil // Close does the rest
	}
	s.mu.Lock()
	s.failure = err
	s.mu.Unlock()
	logWarnf("redial fail (session %s): %v", s.ID(), err)
	s.dialFailed(err, true)
	s.move(stateRedialFailed)
	s.passiveClosed()
	return nil
}

// beforeRedial tells the hooks, whose word does not count.
func (s *session) beforeRedial() {
	s.hooking.Add(1)
	defer s.hooking.Add(-1)
	runRareStatus(s.ep.plugins.hooks(), hookBeforeDial, CodeDialFailed, func(p BeforeDialPlugin) *Status {
		return p.BeforeDial(s.target, true)
	})
}

// adopt makes a connection that a handover has prepared the one of a session that has lost its own.
func (s *session) adopt(l *link) *link {
	s.ep.hub.nameAfter(s, l.sock.LocalAddr())
	s.move(statePreparing)
	if !s.up(l, true) {
		return nil
	}
	s.countRedial()
	return l
}

// reconnect makes the next connection, trying as often as is configured since one last held.
func (s *session) reconnect() (*link, error) {
	err := errFlapping
	if !s.redials() {
		return nil, &RedialError{Addr: s.target, Err: err} // only a handover could have helped
	}
	for {
		pause, ok := s.backoff.next(s.ep.cfg.RedialTimes)
		if !ok {
			return nil, &RedialError{Addr: s.target, Attempts: s.ep.cfg.RedialTimes, Err: err}
		}
		if !s.pause(pause) {
			return nil, errSessionEnded
		}
		var l *link
		if l, err = s.connect(true); err == nil {
			return l, nil
		}
		if s.ctx.Err() != nil {
			return nil, errSessionEnded
		}
		s.attemptFailed(err)
	}
}

// attemptFailed tells those who wait for one attempt only.
func (s *session) attemptFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	s.failure = err
	s.announceLocked()
}

func (s *session) countRedial() {
	s.redialed.Add(1)
	s.ep.counters.redials.Add(1)
}
