package drpc

import (
	"errors"
	"slices"
	"sync"

	"github.com/osgochina/dmicro/drpc/socket"
)

// begin counts a handler or a call as work that the end of the session waits for. Once the session is closed or lost
// for good it counts nothing and returns false: what is turned away, however often it comes, must not keep that end
// waiting.
func (s *session) begin() bool {
	if st := s.getState(); st.closing() || st == statePassiveClosed && !s.redials() {
		return false
	}
	s.work.Add(1)
	return true
}

// end takes back a begin that returned true.
func (s *session) end() {
	if s.work.Add(-1) == 0 {
		if s.getState() == statePassiveClosed {
			s.leaveTable()
		}
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// waitIdle waits until no handler runs and no call is pending, when none begins any more. A token may be late, from a
// moment before the last work began; only the counter tells.
func (s *session) waitIdle() {
	select {
	case <-s.idle: // from before
	default:
	}
	for s.work.Load() > 0 {
		<-s.idle
	}
	select {
	case s.idle <- struct{}{}: // somebody else may wait too
	default:
	}
}

// Close ends the session gracefully.
func (s *session) Close() error {
	return s.close(!FromHandler())
}

func (s *session) close(wait bool) error {
	s.mu.Lock()
	st := s.getState()
	if st.closing() {
		s.mu.Unlock()
		if wait {
			<-s.closed
		}
		return nil
	}
	if !s.moveLocked(stateActiveClosing) {
		// Lost already: there is no connection to close, but handlers may still run.
		s.moveLocked(stateActiveClosed)
		s.mu.Unlock()
		s.stopDialling()
		if wait {
			s.waitIdle()
		}
		s.release()
		return nil
	}
	s.notifyLocked()
	s.mu.Unlock()
	s.stopDialling()
	s.ep.hub.remove(s)
	if !wait {
		go func() { _ = s.finishClose() }() // the caller cannot wait for the error
		return nil
	}
	return s.finishClose()
}

// finishClose waits for what runs and closes the connection.
func (s *session) finishClose() error {
	defer s.release()
	s.waitIdle()
	var wg sync.WaitGroup
	for _, l := range s.links() {
		if l != s.early.Load() && !l.isGone() {
			wg.Go(l.farewell)
		}
	}
	wg.Wait()
	var err error
	for _, l := range s.links() {
		if !l.isGone() { // one that was lost before has had its say
			l.die(socket.ErrProactivelyCloseSocket)
			err = errors.Join(err, ignoreClosed(l.closeErr))
		}
	}
	s.move(stateActiveClosed)
	s.disconnected()
	return err
}

// links returns the connections of the session, also those on their way out.
func (s *session) links() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := slices.Clone(s.departing)
	for _, l := range []*link{s.link.Load(), s.early.Load()} {
		if l != nil {
			links = append(links, l)
		}
	}
	return links
}

// release says that nothing of the session runs any more.
func (s *session) release() {
	s.releaseOnce.Do(func() {
		s.stopDialling()
		s.ep.forget(s)
		close(s.closed)
	})
}

// lost decides what becomes of the session when a connection that was up has ended. It runs on the goroutine that
// read the connection, and returns the one that takes its place, if any.
func (s *session) lost(l *link) *link {
	s.mu.Lock()
	s.forgetDeparted(l)
	if s.getState().closing() || s.link.Load() != l || !s.left && !s.moveLocked(statePassiveLosing) {
		s.mu.Unlock()
		return nil
	}
	moving := s.moving != nil
	s.mu.Unlock()
	s.backoff.ended()
	s.ep.hub.remove(s)
	if (moving || s.redials() && !s.ep.closing()) && s.move(stateRedialing) {
		return s.redial()
	}
	s.passiveClosed()
	return nil
}

// passiveClosed ends a session whose connection is lost for good.
func (s *session) passiveClosed() {
	s.mu.Lock()
	ok := s.moveLocked(statePassiveClosed)
	if ok {
		s.notifyLocked() // under the lock, or a call in between could have brought the session back
	}
	s.mu.Unlock()
	if !ok {
		return // closed actively meanwhile
	}
	if s.redials() {
		// A call may bring the session back at any time, so there is no end of its work to wait for.
		s.disconnected()
		s.leaveTable()
		return
	}
	s.waitIdle()
	s.disconnected()
	s.release()
}

// leaveTable makes the endpoint forget a session that only a call can bring back, once nothing of it runs: a program
// that has given such a session up need not close it.
func (s *session) leaveTable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.getState() == statePassiveClosed && s.work.Load() == 0 {
		s.stop()
		s.ep.forget(s)
	}
}

// notifyLocked tells those who wait for the end of the session.
func (s *session) notifyLocked() {
	if !s.notified {
		s.notified = true
		close(s.closeNotify)
	}
	if s.idleLimit != nil {
		s.idleLimit.Stop()
	}
}

func (s *session) disconnected() {
	s.warnHook(hookAfterDisconnect, runRareStatus(s.ep.plugins.hooks(), hookAfterDisconnect, CodeInternalServerError,
		func(p AfterDisconnectPlugin) *Status { return p.AfterDisconnect(s) }))
}
