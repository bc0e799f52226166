package drpc

import (
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// watchIdle starts the idle limit of a session that is up, if there is one. The caller holds the lock.
func (s *session) watchIdle() {
	limit := s.ep.cfg.SessionIdleTimeout
	switch {
	case limit <= 0:
	case s.idleLimit == nil:
		busy, from := false, clock.Now()
		s.idleLimit = time.AfterFunc(limit, func() { s.checkIdle(limit, from, &busy) })
	default:
		s.idleLimit.Reset(limit)
	}
}

// checkIdle closes the session if nothing has happened on it for the limit, else it comes back when that may be. busy
// is what it saw the last time: work that has ended meanwhile may have ended just now.
func (s *session) checkIdle(limit time.Duration, from clock.Time, busy *bool) {
	s.mu.Lock()
	was, st := *busy, s.getState()
	*busy = s.work.Load() > 0 || st != stateOk
	rest := limit
	if !*busy && !was {
		rest -= max(from, s.traffic.LastIn(), s.traffic.LastOut()).Since()
	}
	if rest > 0 && !s.notified {
		s.idleLimit.Reset(rest)
	}
	s.mu.Unlock()
	if rest <= 0 && st == stateOk {
		logDebugf("session %s is closed: idle for %v", s.ID(), limit)
		_ = s.close(false) // reports no error
	}
}
