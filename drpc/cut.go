package drpc

import "errors"

// errCut is the reason of a cut that nobody gave one for.
var errCut = errors.New("the connection was cut")

// Cut ends the connection of a session at once, as if it had been lost: calls that wait end with CodeConnClosed and the
// cause given, contexts of handlers end, and the session redials where it is to redial. It waits for nothing, other than
// Close, which waits for calls that a peer which has stopped will never answer.
//
// It returns false where there is no connection to cut, or sess is no session of this package. A cut session that was not
// cut for good is up again later, so who has doubts looks again before.
func Cut(sess BaseSession, cause error) bool {
	s, ok := sess.(*session)
	if !ok {
		return false
	}
	l := s.link.Load()
	if l == nil || l.isGone() {
		return false
	}
	if cause == nil {
		cause = errCut
	}
	l.die(cause)
	return true
}

// Traffic returns the bytes read from and written to the peer so far, cheaply enough for who looks at every session.
func (s *session) Traffic() (in, out uint64) { return s.traffic.BytesIn(), s.traffic.BytesOut() }
