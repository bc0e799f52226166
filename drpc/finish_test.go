package drpc

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

// slots is a plugin that takes a slot for each request.
type slots struct {
	mu    sync.Mutex
	taken int
	order []int
	late  bool // a registration after the end was taken
}

func (*slots) Name() string { return "slots" }

func (s *slots) BeforeReadCallBody(ctx ReadCtx) *Status { return s.take(ctx) }

func (s *slots) BeforeReadPushBody(ctx ReadCtx) *Status { return s.take(ctx) }

func (s *slots) BeforeWriteReply(ctx WriteCtx) *Status {
	if OnFinish(ctx, func() {}) {
		s.late = true
	}
	return nil
}

func (s *slots) take(ctx ReadCtx) *Status {
	s.add(1)
	for i := range 2 {
		OnFinish(ctx, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.order = append(s.order, i)
		})
	}
	OnFinish(ctx, func() { panic("on purpose") })
	OnFinish(ctx, func() { s.add(-1) })
	return nil
}

func (s *slots) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken += n
}

func (s *slots) free() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken == 0
}

// refuser is a plugin that refuses what comes.
type refuser struct{}

func (refuser) Name() string { return "refusal" }

func (refuser) BeforeReadCallBody(ReadCtx) *Status { return NewStatus(1001, "no") }

func TestOnFinishRunsWhateverBecomesOfTheRequest(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(CallCtx, *string) (string, *Status){
		"success": func(CallCtx, *string) (string, *Status) { return "", nil },
		"failure": func(CallCtx, *string) (string, *Status) { return "", NewStatus(1001, "no") },
		"panic":   func(CallCtx, *string) (string, *Status) { panic("on purpose") },
		"refused": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := new(slots)
			srv := newPeer(t, EndpointConfig{}, s)
			if handler == nil {
				HandleCall(srv, "/x", func(CallCtx, *string) (string, *Status) { return "", nil }, refuser{})
			} else {
				HandleCall(srv, "/x", handler)
			}
			sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
			for range 2 * quickScore { // on a worker, and on the reader
				sess.Call("/x", "", new(string))
				if !s.free() {
					t.Fatal("a reply came before the slot was free")
				}
			}
			if want := slices.Repeat([]int{1, 0}, 2*quickScore); !slices.Equal(s.order, want) {
				t.Errorf("order %v", s.order)
			}
			if s.late {
				t.Error("OnFinish took a function after the end")
			}
		})
	}
}

func TestOnFinishRunsForPushesAndGoexit(t *testing.T) {
	t.Parallel()
	s := new(slots)
	srv := newPeer(t, EndpointConfig{}, s)
	done := make(chan struct{}, 2)
	HandlePush(srv, "/push", func(PushCtx, *string) *Status {
		done <- struct{}{}
		return nil
	})
	HandlePush(srv, "/goexit", func(PushCtx, *string) *Status {
		done <- struct{}{}
		runtime.Goexit()
		return nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, method := range []string{"/push", "/goexit"} {
		if stat := sess.Push(method, ""); stat != nil {
			t.Fatal(stat)
		}
		polltest.Receive(t, "the handler", done)
		polltest.Until(t, "a free slot after "+method, s.free)
	}
	if OnFinish(sess.Call("/none", "", nil).(EarlyCtx), func() {}) {
		t.Error("OnFinish took a function for a call to the peer")
	}
}

func TestCutEndsCallsAtOnceAndRedials(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	running := make(chan struct{}, 1)
	HandleCall(srv, "/never", func(c CallCtx, _ *string) (string, *Status) {
		running <- struct{}{}
		<-c.Context().Done()
		return "", nil
	})
	HandleCall(srv, "/ok", func(CallCtx, *string) (string, *Status) { return "", nil })
	sess := dial(t, newPeer(t, EndpointConfig{RedialTimes: -1}), serve(t, srv))
	cmd := sess.AsyncCall("/never", "", nil, nil)
	polltest.Receive(t, "the handler", running)
	if !Cut(sess, errors.New("the peer is silent")) {
		t.Fatal("nothing was cut")
	}
	polltest.Receive(t, "the end of the call", cmd.Done())
	wantStatus(t, cmd.Status(), CodeConnClosed, "the peer is silent")
	if stat := sess.Call("/ok", "", new(string)).Status(); stat != nil {
		t.Errorf("after the redial: %v", stat)
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	if Cut(sess, nil) || Cut(nil, nil) {
		t.Error("something was cut that is no more")
	}
}
