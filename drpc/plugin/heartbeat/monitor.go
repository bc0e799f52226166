package heartbeat

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
)

// monitor is what is known of one session. Times are counted in looks. Only the goroutine of its watch uses it.
type monitor struct {
	in, out uint64 // bytes at the last look
	// quietIn and quietOut are for how many looks nothing came and nothing went.
	quietIn, quietOut int
	since             int   // looks since the last beat
	beat              *beat // the one under way

	round uint64        // the last look that has seen the session
	rate  time.Duration // what the peer has announced; pong only
}

// beat is a heartbeat under way.
type beat struct {
	looks int // in which the peer had the chance to answer
	// outcome is one of the constants below.
	outcome atomic.Int32
}

// What came of the sending of a heartbeat.
const (
	underWay int32 = iota
	sent           // written or answered
	unanswered
	unknown // the connection was lost, or it cannot carry a heartbeat: that says nothing about the next one
)

// newMonitor returns a monitor whose first heartbeat comes somewhat early, at random: or all that were dialled at the
// same moment would be asked at the same moment for ever.
func newMonitor(sess drpc.Session, perRate int) *monitor {
	m := &monitor{quietIn: rand.IntN(max(perRate/2, 1)), since: perRate}
	m.in, m.out = traffic(sess)
	return m
}

// look takes note of what came and went.
func (m *monitor) look(sess drpc.Session) {
	in, out := traffic(sess)
	m.quietIn, m.quietOut = count(m.quietIn, in == m.in), count(m.quietOut, out == m.out)
	moved := out != m.out
	m.in, m.out = in, out
	m.since++
	if m.beat != nil {
		m.wait(moved && sess.Stats().Queued > 0)
	}
}

// wait takes note of what became of the heartbeat under way. taking says that the peer takes what is sent before it, so
// that it cannot have answered.
func (m *monitor) wait(taking bool) {
	switch outcome := m.beat.outcome.Load(); {
	case outcome == unknown:
		m.beat, m.quietIn = nil, 0
	case outcome == sent, outcome == unanswered && m.quietIn == 0:
		m.beat = nil
	case !taking:
		m.beat.looks++
	}
}

// count returns for how long it has been quiet.
func count(n int, quiet bool) int {
	if quiet {
		return n + 1
	}
	return 0
}

// silent reports whether the peer was asked so many looks ago and has sent nothing since.
func (m *monitor) silent(looks int) bool {
	return m.beat != nil && m.beat.looks >= looks && m.quietIn >= looks
}

// traffic returns the bytes of a session.
func traffic(sess drpc.Session) (in, out uint64) {
	if t, ok := sess.(interface{ Traffic() (in, out uint64) }); ok {
		return t.Traffic()
	}
	st := sess.Stats()
	return st.BytesIn, st.BytesOut
}

// send starts a heartbeat over sess, a call or a push. It does not wait for it: a peer that does not read would hold up
// the looking at all others.
func (w *watch) send(sess drpc.Session, m *monitor, rate time.Duration, call bool) {
	b := new(beat)
	m.beat, m.since = b, 0
	w.beats.Go(func() {
		// Only so that it ends at some time: what becomes of the session is decided by looking.
		ctx, cancel := context.WithTimeout(w.ctx, 4*rate)
		defer cancel()
		settings := []message.MsgSetting{drpc.WithContext(ctx), withDefaultCodec, drpc.WithSetMeta(MetaRate, seconds(rate))}
		outcome := unknown
		if !call {
			outcome = outcomeOf(sess.Push(ServiceMethod, nil, settings...))
		}
		if outcome == unknown { // or the protocol has no pushes
			outcome = outcomeOf(sess.Call(ServiceMethod, nil, nil, settings...).Status())
		}
		b.outcome.Store(outcome)
	})
}

// outcomeOf sorts the status of a heartbeat. Any reply shows that the peer lives.
func outcomeOf(stat *drpc.Status) int32 {
	switch code := stat.Code(); {
	case code == drpc.CodeHandleTimeout, code == drpc.CodeWriteFailed && errors.Is(stat.Cause(), context.DeadlineExceeded):
		return unanswered
	case code == drpc.CodeWriteFailed, drpc.IsConnError(stat):
		return unknown
	}
	return sent
}

// withDefaultCodec names a codec though there is no body, as DMicro 1.x does.
func withDefaultCodec(m message.Message) { m.SetBodyCodec(drpc.DefaultBodyCodec().ID()) }

// seconds is the rate as it is announced.
func seconds(rate time.Duration) string {
	return strconv.Itoa(int(max((rate+time.Second-1)/time.Second, 1)))
}

// bounded brings a number of seconds into the bounds of rates.
func bounded(seconds int64) time.Duration {
	s := min(max(seconds, int64(MinRate/time.Second)), int64(MaxRate/time.Second))
	return time.Duration(s) * time.Second
}
