package drpc

import (
	"sync/atomic"
	"time"
)

// SessionStats is what a session has done since it began and what it is doing. Its connections follow one another with
// each redial; the numbers are those of all of them.
type SessionStats struct {
	// ID is the id of the session, Remote and Local are its addresses with their port.
	ID, Remote, Local string
	// Dialed says that this side has dialled.
	Dialed bool
	// Since is when the session was accepted or dialled, LastActive when bytes last came or went.
	Since, LastActive time.Time
	// BytesIn and BytesOut are the bytes read and written, as they are on the wire inside TLS.
	BytesIn, BytesOut uint64
	// Serving is the number of calls and pushes of the peer that are not done yet, Waiting how many of them wait for a
	// worker to begin.
	Serving, Waiting int
	// Calling is the number of calls to the peer that wait for their reply.
	Calling int
	// Queued is how many bytes wait for the peer to take them.
	Queued int
	// Redials is how often the session came back after a loss.
	Redials uint64
}

// EndpointStats is what an endpoint has done since it was made and what it is doing.
type EndpointStats struct {
	// Sessions is the number of sessions that are up.
	Sessions int
	// Accepted, Dialed and Redials count the connections that came up, each in its way; DialsFailed those that were given
	// up after the last attempt.
	Accepted, Dialed, Redials, DialsFailed uint64
	// Refused counts the calls and pushes that were over a limit, SessionsRefused the connections.
	Refused, SessionsRefused uint64
	// GoawaysSent counts the peers that were asked to move, GoawaysReceived those that have asked this side.
	GoawaysSent, GoawaysReceived uint64
	// BytesIn and BytesOut are the bytes of all sessions, also of those that are over.
	BytesIn, BytesOut uint64
	// Serving, Waiting, Calling and Queued are the sums of SessionStats.
	Serving, Waiting, Calling, Queued int
	// Workers is the number of goroutines that the endpoint runs handlers on, IdleWorkers how many of them wait for
	// work. Quick handlers run without one.
	Workers, IdleWorkers int
}

// counters are what an endpoint counts outside of the path of a message.
type counters struct {
	accepted, dialed, redials, dialsFailed, refused, sessionsRefused, goawaysSent, goawaysReceived atomic.Uint64
}

// traffic is bytes both ways.
type traffic struct{ in, out uint64 }

// Stats returns what the session has done and is doing.
func (s *session) Stats() SessionStats {
	st := SessionStats{
		ID: s.ID(), Remote: s.RemoteAddr().String(), Local: s.LocalAddr().String(), Dialed: s.target != "",
		Since: s.since.Std(), Redials: s.redialed.Load(),
		BytesIn: s.traffic.BytesIn(), BytesOut: s.traffic.BytesOut(),
	}
	st.LastActive = max(s.since, s.traffic.LastIn(), s.traffic.LastOut()).Std()
	s.stats(&st)
	return st
}

// stats adds what all connections of a session are doing, also those that it is moving away from.
func (s *session) stats(st *SessionStats) {
	for _, l := range s.links() {
		l.stats(st)
	}
}

// stats adds what one connection is doing.
func (l *link) stats(st *SessionStats) {
	st.Serving += int(l.running.Load())
	st.Waiting += l.backlog.len()
	st.Calling += l.pending.len()
	st.Queued += l.sock.Queued()
}

// Stats returns what the endpoint has done and is doing.
func (e *endpoint) Stats() EndpointStats {
	n := &e.counters
	st := EndpointStats{
		Sessions: e.CountSession(), Accepted: n.accepted.Load(), Dialed: n.dialed.Load(), Redials: n.redials.Load(),
		DialsFailed: n.dialsFailed.Load(), Refused: n.refused.Load(), SessionsRefused: n.sessionsRefused.Load(),
		GoawaysSent: n.goawaysSent.Load(), GoawaysReceived: n.goawaysReceived.Load(),
		Workers: int(e.workers.alive.Load()), IdleWorkers: int(e.workers.idle.Load()),
	}
	sessions, total := e.counted()
	st.BytesIn, st.BytesOut = total.in, total.out
	var sum SessionStats
	for _, s := range sessions {
		s.stats(&sum)
	}
	st.Serving, st.Waiting, st.Calling, st.Queued = sum.Serving, sum.Waiting, sum.Calling, sum.Queued
	return st
}

// counted returns the sessions of the endpoint, and the bytes of these and of those that are over. Both come from under
// one lock, or a session that ends meanwhile would count twice or not at all.
func (e *endpoint) counted() ([]*session, traffic) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sessions, total := make([]*session, 0, len(e.sessions)), e.retired
	for s := range e.sessions {
		sessions = append(sessions, s)
		total.in += s.traffic.BytesIn() - s.retired.in
		total.out += s.traffic.BytesOut() - s.retired.out
	}
	return sessions, total
}

// retire takes over the bytes of a session that is over; should it come back, only what is new counts. The caller holds
// the lock.
func (e *endpoint) retire(s *session) {
	now := traffic{s.traffic.BytesIn(), s.traffic.BytesOut()}
	e.retired.in += now.in - s.retired.in
	e.retired.out += now.out - s.retired.out
	s.retired = now
}
