package drpc

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// errSilent is why a connection ends whose peer did not say anything in time.
var errSilent = errors.New("the peer has said nothing in the time for the first message")

// helloPush says that there is somebody, and nothing else.
const helloPush = reservedPrefix + "hello"

// helloAfter is how long a peer that has dialled says nothing before it says hello: well before others lose their
// patience, and long enough that hardly any connection ever does.
const helloAfter = 3 * time.Second

// silence is that before the first message of a connection. Connections cost memory, and one whose peer may want nothing
// is not kept for ever: who has accepted one waits for a limited time only, and who has dialled one says hello unless
// something else was to be said.
type silence struct {
	timer atomic.Pointer[time.Timer] // nil where it has no limit
	// over says that a whole message has come.
	over atomic.Bool
	// greeted is how many frames had been sent when the session came up. Those of the hooks before do not count: to greet
	// a peer that says nothing must not keep it.
	greeted atomic.Uint64
}

// limitSilence ends the connection unless the peer says something until the limit, counted from accepted.
func (l *link) limitSilence(accepted time.Time) {
	if limit := l.sess.ep.cfg.FirstFrameTimeout; limit > 0 {
		l.silence.limit(limit-time.Since(accepted), l.tooSilent)
	}
}

// limit calls f after d, unless the silence is over.
func (s *silence) limit(d time.Duration, f func()) {
	s.timer.Store(time.AfterFunc(d, f))
	if s.over.Load() {
		s.stop()
	}
}

// hello breaks the silence of this side.
func (l *link) hello() {
	if l.sock.Sent() == l.silence.greeted.Load() && !l.isGone() {
		l.sendReserved(helloPush, "null")
	}
}

// tooSilent is what happens at the limit. A session that is up, and that this side has something to say to, is of use.
func (l *link) tooSilent() {
	if l.silence.over.Load() {
		return
	}
	if l.sess.getState() != statePreparing && (l.sock.Sent() > l.silence.greeted.Load() || heard(l.sock.Raw())) {
		return
	}
	l.sock.Abort(errSilent)
}

// broken notes that a message has come.
func (s *silence) broken() {
	if !s.over.Load() {
		s.over.Store(true)
		s.stop()
	}
}

func (s *silence) stop() {
	if t := s.timer.Load(); t != nil {
		t.Stop()
	}
}

// heard reports whether the peer has answered in a way that only the transport sees.
func heard(conn net.Conn) bool {
	for {
		switch c := conn.(type) {
		case interface{ Heard() bool }:
			return c.Heard()
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return false
		}
	}
}
