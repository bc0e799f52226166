package heartbeat

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

func newTestPing(useCall bool) *ping { return NewPing(3, useCall).(*ping) }

// settle brings a new session past its random beginning.
func settle(b *bench, s *fakeSession) {
	b.looks(1, s.moveIn)
	b.looks(perRate, func() { s.moveIn(); s.moveOut() })
}

func TestIdleSessionIsAskedOnceARate(t *testing.T) {
	t.Parallel()
	s := &fakeSession{answers: true}
	b := newBench(t, newTestPing(true).look, s)
	settle(b, s)
	b.looks(perRate-1, nil)
	if got := s.beats(); got != nil {
		t.Fatalf("%v before the rate was over", got)
	}
	b.looks(1, nil)
	if got := s.beats(); !slices.Equal(got, []string{"CALL"}) {
		t.Fatalf("%v after one rate", got)
	}
	b.looks(10*(perRate+1), nil)
	if got := s.beats(); len(got) != 10 {
		t.Errorf("%d heartbeats in ten rates", len(got))
	}
}

func TestBusySessionIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := new(fakeSession)
	b := newBench(t, newTestPing(true).look, s)
	b.looks(10*perRate, func() { s.moveIn(); s.moveOut() })
	if got := s.beats(); got != nil {
		t.Errorf("%v over a busy session", got)
	}
}

func TestOneWayTrafficDoesNotReplaceHeartbeats(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(*fakeSession){
		"only reads":  (*fakeSession).moveIn, // the peer has to hear that this side lives
		"only writes": (*fakeSession).moveOut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &fakeSession{answers: true}
			b := newBench(t, newTestPing(true).look, s)
			b.looks(3*perRate, func() { move(s) })
			if got := s.beats(); len(got) == 0 {
				t.Error("no heartbeat")
			}
			if !b.watched(s) {
				t.Error("a peer that answers was given up")
			}
		})
	}
}

func TestSilentPeerIsGivenUpWithinTwiceTheRate(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]*drpc.Status{
		"call under way":      nil, // see below
		"call out of time":    drpc.NewStatus(drpc.CodeHandleTimeout, ""),
		"writing out of time": drpc.NewStatus(drpc.CodeWriteFailed, "", context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &fakeSession{status: status}
			b := newBench(t, newTestPing(true).look, s)
			settle(b, s)
			b.looks(perRate, nil)
			if status == nil {
				b.sessions[s].beat.outcome.Store(underWay)
			}
			b.looks(perRate-1, nil)
			if !b.watched(s) {
				t.Fatal("given up too early")
			}
			b.looks(1, nil)
			if b.watched(s) {
				t.Error("not given up")
			}
			if got := s.beats(); !slices.Equal(got, []string{"CALL"}) {
				t.Errorf("heartbeats %v", got)
			}
		})
	}
}

func TestSilentPeerIsGivenUpThoughItIsWrittenTo(t *testing.T) {
	t.Parallel()
	s := &fakeSession{status: drpc.NewStatus(drpc.CodeHandleTimeout, "")}
	b := newBench(t, newTestPing(true).look, s)
	settle(b, s)
	if n := b.givenUp(s, 100, s.moveOut); n != 2*perRate {
		t.Errorf("given up after %d looks", n)
	}
}

func TestPeerThatTakesWhatIsBeforeTheHeartbeatIsNotGivenUp(t *testing.T) {
	t.Parallel()
	s := &fakeSession{status: drpc.NewStatus(drpc.CodeHandleTimeout, ""), queued: 1 << 20}
	b := newBench(t, newTestPing(true).look, s)
	settle(b, s)
	b.looks(10*perRate, s.moveOut)
	if !b.watched(s) {
		t.Error("given up in the middle of a large message")
	}
	s.mu.Lock()
	s.queued = 0
	s.mu.Unlock()
	if n := b.givenUp(s, 100, s.moveOut); n != perRate {
		t.Errorf("given up after %d looks in which it could answer", n)
	}
}

func TestAnswersThatAreErrorsAreAnswers(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{drpc.CodeNotFound, drpc.CodeBusy, drpc.CodeInternalServerError, drpc.CodeConnClosed, drpc.CodeWriteFailed} {
		s := &fakeSession{status: drpc.NewStatus(code, "")}
		b := newBench(t, newTestPing(true).look, s)
		b.looks(20*perRate, func() {
			if len(s.beats()) > 0 && code != drpc.CodeConnClosed && code != drpc.CodeWriteFailed {
				s.moveIn()
			}
		})
		if !b.watched(s) {
			t.Errorf("given up after status %d", code)
		}
	}
}

func TestPushesAskOnlyWhereNothingComes(t *testing.T) {
	t.Parallel()
	p := newTestPing(false)
	s := &fakeSession{answers: true}
	b := newBench(t, p.look, s)
	settle(b, s)
	b.looks(3*perRate, nil)
	if got := s.beats(); !slices.Equal(got, []string{"PUSH", "PUSH", "CALL"}) {
		t.Errorf("heartbeats %v", got)
	}
	b.looks(10*perRate, s.moveIn)
	if got := s.beats(); slices.Contains(got, "CALL") || len(got) < 8 {
		t.Errorf("heartbeats %v to a peer that talks", got)
	}
	s.mu.Lock()
	s.answers, s.status = false, drpc.NewStatus(drpc.CodeHandleTimeout, "")
	s.mu.Unlock()
	if n := b.givenUp(s, 100, nil); n > (patience+1)*perRate+1 {
		t.Errorf("a silent peer is given up after %d looks", n)
	}
}

func TestFormAndRateMayChange(t *testing.T) {
	t.Parallel()
	p := newTestPing(true)
	s := &fakeSession{answers: true}
	b := newBench(t, p.look, s)
	settle(b, s)
	p.UsePush()
	b.looks(perRate, nil)
	p.UseCall()
	b.looks(perRate, nil)
	if got := s.beats(); !slices.Equal(got, []string{"PUSH", "CALL"}) {
		t.Errorf("heartbeats %v", got)
	}
	for seconds, want := range map[int]time.Duration{
		-1: MinRate, 0: MinRate, 2: MinRate, 3: 3 * time.Second, 60: time.Minute, 1 << 40: MaxRate,
	} {
		p.SetRate(seconds)
		if got := time.Duration(p.rate.Load()); got != want {
			t.Errorf("SetRate(%d): %v, want %v", seconds, got, want)
		}
	}
}

func TestSessionsThatAreOverAreForgotten(t *testing.T) {
	t.Parallel()
	s := &fakeSession{answers: true}
	b := newBench(t, newTestPing(true).look, s)
	b.looks(1, nil)
	b.ep.(*fakeEndpoint).sessions = nil
	b.looks(1, nil)
	if b.watched(s) {
		t.Error("a session that is over is watched")
	}
}

// newTestPong returns a pong that looks every second, and a bench for it with one session that has pinged.
func newTestPong(t *testing.T, s *fakeSession, rate time.Duration) *bench {
	p := NewPong().(*pong)
	b := newBench(t, p.look)
	m := &monitor{rate: rate}
	m.in, m.out = traffic(s)
	b.sessions[s] = m
	return b
}

func TestPongGivesUpWhoIsSilentForTwiceTheRate(t *testing.T) {
	t.Parallel()
	s := new(fakeSession)
	b := newTestPong(t, s, 5*time.Second)
	b.looks(10, nil)
	if !b.watched(s) {
		t.Fatal("given up too early")
	}
	b.looks(1, nil)
	if b.watched(s) {
		t.Error("not given up")
	}
	if got := s.beats(); got != nil {
		t.Errorf("heartbeats %v", got)
	}
}

func TestPongAsksWhoMayHaveSeenNoNeedToPing(t *testing.T) {
	t.Parallel()
	s := &fakeSession{answers: true}
	b := newTestPong(t, s, 5*time.Second)
	b.looks(50, s.moveOut)
	if !b.watched(s) || len(s.beats()) == 0 {
		t.Fatal("a peer that answers was given up, or not asked")
	}
	s.mu.Lock()
	s.answers, s.status = false, drpc.NewStatus(drpc.CodeHandleTimeout, "")
	s.mu.Unlock()
	if n := b.givenUp(s, 100, s.moveOut); n > 3*5+2 {
		t.Errorf("a peer that does not answer is given up after %d looks", n)
	}
}

func TestPongForgetsWhoIsGone(t *testing.T) {
	t.Parallel()
	s := &fakeSession{gone: true}
	b := newTestPong(t, s, 5*time.Second)
	b.looks(1, nil)
	if b.watched(s) {
		t.Error("a session that is over is watched")
	}
}

func BenchmarkLookAtTenThousandSessions(b *testing.B) {
	p := newTestPing(true)
	sessions := make([]drpc.Session, 10_000)
	for i := range sessions {
		sessions[i] = &fakeSession{answers: true}
	}
	w := newBench(b, p.look, sessions...)
	for b.Loop() {
		w.looks(1, func() {
			for _, s := range sessions { // busy both ways
				s.(*fakeSession).in++
				s.(*fakeSession).out++
			}
		})
	}
}
