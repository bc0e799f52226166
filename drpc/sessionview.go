package drpc

import (
	"net"
	"time"

	"github.com/gogf/gf/v2/container/gmap"
)

// noAddr is the address of a session that never had a connection.
type noAddr struct{}

func (noAddr) Network() string { return "" }

func (noAddr) String() string { return "" }

// LocalAddr returns the local address of the connection.
func (s *session) LocalAddr() net.Addr {
	if l := s.current(); l != nil {
		return l.sock.LocalAddr()
	}
	return noAddr{}
}

// RemoteAddr returns the address of the peer.
func (s *session) RemoteAddr() net.Addr {
	if l := s.current(); l != nil {
		return l.sock.RemoteAddr()
	}
	return noAddr{}
}

// Endpoint returns the endpoint of the session.
func (s *session) Endpoint() Endpoint { return s.ep }

// ID returns the id of the session.
func (s *session) ID() string { return *s.id.Load() }

// SetID renames the session.
func (s *session) SetID(newID string) {
	if old := s.ep.hub.rename(s, newID); old != nil {
		s.ep.evict(old)
	}
}

// Swap returns the values of the session.
func (s *session) Swap() *gmap.Map {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swap == nil {
		s.swap = gmap.New(true)
	}
	return s.swap
}

// copySwap returns a copy of the values of the session for one message.
func (s *session) copySwap() *gmap.Map {
	s.mu.Lock()
	swap := s.swap
	s.mu.Unlock()
	if swap == nil {
		return gmap.New(true)
	}
	return swap.Clone(true)
}

// CloseNotify returns a channel that closes with the session.
func (s *session) CloseNotify() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeNotify
}

// Health reports whether a call has a chance.
func (s *session) Health() bool {
	switch s.getState() {
	case stateOk:
		// Calls that have failed with their connection find this out before the state follows.
		return !s.link.Load().isGone()
	case statePassiveClosed:
		return s.redials() && !s.ep.closing()
	}
	return false
}

// IsActiveClosed reports whether Close has ended the session.
func (s *session) IsActiveClosed() bool { return s.getState() == stateActiveClosed }

// IsPassiveClosed reports whether the session was lost for good.
func (s *session) IsPassiveClosed() bool { return s.getState() == statePassiveClosed }

// SessionAge returns how long the session may live.
func (s *session) SessionAge() time.Duration { return time.Duration(s.sessionAge.Load()) }

// SetSessionAge changes how long the session may live, from now.
func (s *session) SetSessionAge(d time.Duration) {
	s.sessionAge.Store(int64(max(d, 0)))
	if l := s.link.Load(); l != nil {
		s.applyAge(l)
	}
}

// ContextAge returns the bound of calls.
func (s *session) ContextAge() time.Duration { return time.Duration(s.contextAge.Load()) }

// SetContextAge changes the bound of calls.
func (s *session) SetContextAge(d time.Duration) { s.contextAge.Store(int64(max(d, 0))) }
