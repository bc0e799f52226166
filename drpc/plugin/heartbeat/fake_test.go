package heartbeat

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	if frozenServer() {
		return
	}
	logger.SetLevel(logger.LevelCritical) // peers fall silent on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// soon is a time that only a hang can take.
const soon = 20 * time.Second

// fakeSession is a session whose bytes a test counts. Everything that is not defined panics.
type fakeSession struct {
	drpc.Session
	mu      sync.Mutex
	in, out uint64
	queued  int
	gone    bool
	sent    []string     // heartbeats: CALL or PUSH
	status  *drpc.Status // what calls end with
	answers bool         // whether the peer answers calls
}

func (s *fakeSession) ID() string { return "fake" }

func (s *fakeSession) Traffic() (in, out uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in, s.out
}

func (s *fakeSession) Stats() drpc.SessionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return drpc.SessionStats{Queued: s.queued}
}

func (s *fakeSession) Health() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.gone
}

func (s *fakeSession) Call(_ string, arg, _ any, _ ...message.MsgSetting) drpc.CallCmd {
	return drpc.NewFakeCallCmd(ServiceMethod, arg, nil, s.beat("CALL"))
}

func (s *fakeSession) Push(string, any, ...message.MsgSetting) *drpc.Status { return s.beat("PUSH") }

func (s *fakeSession) beat(form string) *drpc.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, form)
	s.out += 50
	if form == "PUSH" {
		return nil
	}
	if s.answers {
		s.in += 50
	}
	return s.status
}

func (s *fakeSession) moveIn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in++
}

func (s *fakeSession) moveOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out++
}

// beats takes what was sent.
func (s *fakeSession) beats() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// fakeEndpoint is an endpoint with these sessions.
type fakeEndpoint struct {
	drpc.Endpoint
	sessions []drpc.Session
}

func (e *fakeEndpoint) RangeSession(fn func(drpc.Session) bool) {
	for _, s := range e.sessions {
		if !fn(s) {
			return
		}
	}
}

// bench is a watch that looks when the test says so.
type bench struct {
	*watch
	look func(*watch)
}

func newBench(t testing.TB, look func(*watch), sessions ...drpc.Session) *bench {
	w := newWatch(&fakeEndpoint{sessions: sessions})
	t.Cleanup(w.cancel)
	return &bench{w, look}
}

// looks looks n times, each time after everything that was sent has come to its end and before has run.
func (b *bench) looks(n int, before func()) {
	for range n {
		if before != nil {
			before()
		}
		b.mu.Lock()
		b.round++
		b.look(b.watch)
		b.mu.Unlock()
		b.beats.Wait()
	}
}

// watched reports whether the session is watched.
func (b *bench) watched(sess drpc.Session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sessions[sess] != nil
}

// givenUp returns after how many looks the session is given up, at most limit.
func (b *bench) givenUp(sess drpc.Session, limit int, before func()) int {
	for n := 1; n < limit; n++ {
		if b.looks(1, before); !b.watched(sess) {
			return n
		}
	}
	return limit
}
