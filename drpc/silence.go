package drpc

import (
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// errSilent is why a connection ends whose peer did not say anything in time.
var errSilent = errors.New("the peer has said nothing in the time for the first message")

// silence is that of the peer of an accepted connection before its first message. Connections cost memory, and one that
// nobody wants anything of is not to be kept for ever.
type silence struct {
	timer *time.Timer // nil where it has no limit
	// over says that a whole message has come.
	over atomic.Bool
	// greeted is how many bytes had been sent when the session came up. Those of the hooks before do not count: to greet
	// a peer that says nothing must not keep it.
	greeted atomic.Uint64
}

// limitSilence ends the connection unless the peer says something until the limit, counted from accepted.
func (l *link) limitSilence(accepted time.Time) {
	if limit := l.sess.ep.cfg.FirstFrameTimeout; limit > 0 {
		l.silence.timer = time.AfterFunc(limit-time.Since(accepted), l.tooSilent)
	}
}

// tooSilent is what happens at the limit. A session that is up, and that this side has something to say to, is of use.
func (l *link) tooSilent() {
	if l.silence.over.Load() {
		return
	}
	if l.sess.getState() != statePreparing && (l.sess.traffic.BytesOut() > l.silence.greeted.Load() || heard(l.sock.Raw())) {
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
	if s.timer != nil {
		s.timer.Stop()
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
