package drpc

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/clock"
)

const (
	// goawayPush asks the peer to move: this side is leaving. Its body is over how many milliseconds the peer shall
	// spread its dialling, as it is not the only one who is told.
	goawayPush = reservedPrefix + "goaway"
	// movedPush says that this side sends no more calls over the connection and waits for no reply on it. The side that
	// has dialled says it first, the other one answers with it once it is done, too; then the first one closes.
	movedPush = reservedPrefix + "moved"
)

const (
	// maxSpread bounds what a goaway asks for.
	maxSpread = 30 * time.Second
	// maxDeparting is how many connections of a session may be on their way out before the next goaway is ignored.
	maxDeparting = 4
	// departTimeout is how long a side that has moved waits for the other one, while nothing is at work.
	departTimeout = 5 * time.Second
)

// handover is the next connection of a session in the making, while the last one still serves.
type handover struct {
	done chan struct{}
	// next is the connection, if it is ready and the last one was lost meanwhile: the redial takes it. Readable once
	// done is closed.
	next *link
	// lasted says that the last connection was not one of a series of short ones.
	lasted bool
}

// onGoaway begins to move the session to a new connection.
func (l *link) onGoaway(m *message.Msg) {
	s := l.sess
	s.ep.counters.goawaysReceived.Add(1)
	h := s.beginHandover(l)
	if h == nil {
		logDebugf("the peer is leaving (session %s)", s.ID())
		return
	}
	go s.handOver(l, h, spreadOf(m.EncodedBody(), s.ep.cfg.RedialInterval))
}

// spreadOf is what the body of a goaway asks for.
func spreadOf(body []byte, otherwise time.Duration) time.Duration {
	ms, err := strconv.ParseUint(string(body), 10, 32)
	if err != nil {
		return min(otherwise, maxSpread)
	}
	return min(time.Duration(ms)*time.Millisecond, maxSpread)
}

// beginHandover makes the caller the one who moves the session, if it is to be moved: it was dialled, l is its
// connection, and nobody is at it.
func (s *session) beginHandover(l *link) *handover {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.target == "" || s.link.Load() != l || s.getState() != stateOk || s.moving != nil || len(s.departing) >= maxDeparting {
		return nil
	}
	if !s.ep.enter() {
		return nil
	}
	s.moving = &handover{done: make(chan struct{})}
	return s.moving
}

// handOver replaces old by a new connection to the same address, on a goroutine that the endpoint counts. Where that
// fails it tries again for as long as old serves.
func (s *session) handOver(old *link, h *handover, spread time.Duration) {
	next := s.successor(old, h, spread)
	if !s.replace(old, next, h) {
		s.ep.leave()
		return
	}
	logInfof("moved to a new connection, as the peer asked for (session %s, peer %s)", s.ID(), s.target)
	next.sendReserved(helloPush, "null") // what goes over old is not taken for a sign of life of next
	s.ep.spawn(func() { s.depart(old) }) // if the endpoint is closing that ends old, too
	s.live(next)
}

// successor makes the next connection. It returns nil once old is of no more use, which is for the redial to mend, or
// when the session closes.
func (s *session) successor(old *link, h *handover, spread time.Duration) *link {
	var pause time.Duration
	settled := false
	if h.lasted, settled = s.backoff.sentAway(); !settled {
		pause = s.backoff.nextFree() // a peer that sends away those who have only just come is not followed at once
	}
	pause = max(pause, rand.N(spread+1))
	for first := true; s.pauseWhile(old, pause); pause = s.backoff.nextFree() {
		if first {
			s.beforeRedial()
			first = false
		}
		next, err := s.prepare(true, func(*link) bool { return !s.getState().closing() })
		if err == nil {
			return next
		}
		if s.ctx.Err() != nil {
			return nil
		}
		logDebugf("the peer is leaving, and cannot be dialled anew: %v (session %s, peer %s)", err, s.ID(), s.target)
	}
	return nil
}

// pauseWhile waits while l serves and the session is open; false is that either has ended.
func (s *session) pauseWhile(l *link, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.gone:
	case <-s.ctx.Done():
	}
	return false
}

// replace ends the handover and makes next, if there is one, the connection of the session. If old is lost already it
// leaves that to the redial. It reports whether next waits to be read by the caller.
func (s *session) replace(old, next *link, h *handover) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(h.done)
	switch st := s.getState(); {
	case next == nil:
		return false // who waits for it dials
	case st.closing():
		s.early.CompareAndSwap(next, nil)
		next.die(socket.ErrProactivelyCloseSocket)
		return false
	case st != stateOk || s.link.Load() != old:
		h.next = next
		return false
	}
	s.moving = nil
	s.departing = append(s.departing, old)
	s.link.Store(next)
	s.early.Store(nil)
	next.sock.LimitRead(0)
	if addr := next.sock.LocalAddr(); addr.String() != "" && addr.String() != "@" {
		s.ep.hub.nameAfter(s, addr)
	}
	s.announceLocked()
	s.backoff.connected()
	s.countRedial()
	s.applyAge(next)
	return true
}

// awaitHandover returns the connection that a handover has made for a session that has lost its own meanwhile, nil if
// there is none.
func (s *session) awaitHandover() *link {
	s.mu.Lock()
	h := s.moving
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	<-h.done
	s.mu.Lock()
	s.moving = nil
	s.mu.Unlock()
	if h.next == nil && h.lasted {
		s.backoff.renew() // attempts made while the last connection served are none to come back after its loss
	}
	return h.next
}

// depart ends a connection that the session has moved away from: when the last reply has come it tells the peer, and
// when the peer is done as well it closes. Until then calls of the peer are answered over it.
func (s *session) depart(l *link) {
	select {
	case <-l.pending.seal():
	case <-l.gone:
		return
	}
	l.sendReserved(movedPush, "0")
	patience := time.NewTimer(departTimeout)
	defer patience.Stop()
	select {
	case <-l.moved:
	case <-patience.C: // it may know nothing of this, and have nothing to say
	case <-l.gone:
		return
	}
	if l.awaitRest(l.gone) {
		l.farewell()
		l.die(socket.ErrProactivelyCloseSocket)
	}
}

// onMoved takes the word of the peer that it is done with this connection.
func (l *link) onMoved(*message.Msg) {
	s := l.sess
	first := false
	l.movedOnce.Do(func() { first = true; close(l.moved) })
	if first && s.target == "" && s.beginLeave(l) {
		s.ep.spawn(func() { s.letGo(l) })
	}
}

// beginLeave takes an accepted session out of use whose peer has moved: what is under way goes on, and nothing new
// begins.
func (s *session) beginLeave(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link.Load() != l || !s.moveLocked(statePassiveLosing) {
		return false
	}
	l.movedAt.Store(int64(clock.Now()))
	s.left = true
	s.ep.hub.remove(s)
	return true
}

// errMoved is why a peer is not served that has said it is done.
var errMoved = errors.New("the peer has moved to another connection, this was not executed")

// over reports whether the peer has said that it sends nothing of the kind any more. Its session is in no list by
// then, and what nobody can find must not be served for ever. Pushes may have been about to be sent.
func (l *link) over(kind *requestKind) bool {
	at := clock.Time(l.movedAt.Load())
	return at != 0 && (kind.answered || at.Since() > departTimeout)
}

// letGo tells a peer that has moved when this side is done with the connection as well, and waits for it to close.
func (s *session) letGo(l *link) {
	select {
	case <-l.pending.seal():
	case <-l.gone:
		return
	}
	if !l.awaitRest(l.gone) {
		return
	}
	l.sendReserved(movedPush, "0")
	patience := time.NewTimer(departTimeout)
	defer patience.Stop()
	select {
	case <-patience.C:
		l.die(socket.ErrProactivelyCloseSocket)
	case <-l.gone:
	}
}

// forgetDeparted takes a link out of those on their way. The caller holds the lock.
func (s *session) forgetDeparted(l *link) {
	s.departing = slices.DeleteFunc(s.departing, func(d *link) bool { return d == l })
}
