package drpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// succession is servers that follow one another at one address. They count what they execute.
type succession struct {
	t     testing.TB
	port  uint16
	setup func(Endpoint)
	now   Endpoint

	mu       sync.Mutex
	executed map[string]int
}

func newSuccession(t testing.TB, setup func(Endpoint)) *succession {
	s := &succession{t: t, setup: setup, executed: make(map[string]int)}
	s.next()
	return s
}

// next starts the next server, once the address is free.
func (s *succession) next() {
	s.t.Helper()
	if s.now != nil {
		waitFor(s.t, "the address to be free", func() bool { return len(s.now.Addrs()) == 0 })
	}
	e := newPeer(s.t, EndpointConfig{LocalIP: "127.0.0.1", ListenPort: s.port})
	HandleCall(e, "/count", func(_ CallCtx, id *string) (string, *Status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.executed[*id]++
		return *id, nil
	})
	HandlePush(e, "/note", func(_ PushCtx, id *string) *Status {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.executed[*id]++
		return nil
	})
	if s.setup != nil {
		s.setup(e)
	}
	serve(s.t, e)
	s.port = uint16(e.Addrs()[0].(*net.TCPAddr).Port)
	s.now = e
}

func (s *succession) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// drain lets the server of the moment leave; the channel gets what Drain returns.
func (s *succession) drain(limit time.Duration) <-chan error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	s.t.Cleanup(cancel)
	done := make(chan error, 1)
	e := s.now
	go func() { done <- e.Drain(ctx) }()
	return done
}

// once checks that each of the messages was executed once, and nothing else.
func (s *succession) once(ids map[string]bool) {
	s.t.Helper()
	waitFor(s.t, "the last pushes to be executed", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.executed) >= len(ids)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range ids {
		if n := s.executed[id]; n != 1 {
			s.t.Errorf("%s was executed %d times", id, n)
		}
	}
	for id := range s.executed {
		if !ids[id] {
			s.t.Errorf("%s was executed and is not known to the caller", id)
		}
	}
}

// callers call and push over sess until stop closes, and note what they have sent.
type callers struct {
	t    testing.TB
	wg   sync.WaitGroup
	stop chan struct{}
	mu   sync.Mutex
	sent map[string]bool
	// each is called after each message, with how many it is for its goroutine.
	each func(n int)
}

func newCallers(t testing.TB) *callers {
	return &callers{t: t, stop: make(chan struct{}), sent: make(map[string]bool)}
}

func (c *callers) run(name string, sess Session, pushes bool) {
	c.wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-c.stop:
				return
			default:
			}
			id := fmt.Sprint(name, " ", n)
			var got string
			stat := sess.Call("/count", id, &got).Status()
			if stat != nil || got != id {
				c.t.Errorf("call %s: %q, %v", id, got, stat)
			}
			c.note(id)
			if pushes {
				id = "push " + id
				if stat = sess.Push("/note", id); stat != nil {
					c.t.Errorf("%s: %v", id, stat)
				}
				c.note(id)
			}
			if c.each != nil {
				c.each(n)
			}
		}
	})
}

func (c *callers) note(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[id] = true
}

func (c *callers) end() map[string]bool {
	close(c.stop)
	c.wg.Wait()
	return c.sent
}

func TestGoawayMovesSessionsWithoutLosingAMessage(t *testing.T) {
	t.Parallel()
	srv := newSuccession(t, nil)
	log := new(dialLog)
	cli := newPeer(t, EndpointConfig{}, log)
	calls := newCallers(t)
	const sessions = 20
	var all []Session
	for i := range sessions {
		sess := dial(t, cli, srv.addr())
		sess.Swap().Set("i", i)
		if i%2 == 0 {
			sess.SetID(fmt.Sprint("mine ", i))
		}
		all = append(all, sess)
		for j := range 3 {
			calls.run(fmt.Sprint(i, " ", j), sess, true)
		}
	}
	for generation := int32(1); generation <= 3; generation++ {
		first := srv.now
		done := srv.drain(time.Minute)
		srv.next()
		if err := eventually(t, "the drain", done); err != nil {
			t.Error(err)
		}
		if n := first.CountSession(); n != 0 {
			t.Errorf("%d sessions are left on a server that has drained", n)
		}
		waitFor(t, "all to be at the next server", func() bool { return srv.now.CountSession() == sessions })
		for _, sess := range all {
			lasts(t, sess) // so that moving on is not delayed
		}
	}
	srv.once(calls.end())
	for i, sess := range all {
		want := sess.LocalAddr().String()
		if i%2 == 0 {
			want = fmt.Sprint("mine ", i)
		}
		if found, ok := cli.GetSession(want); sess.ID() != want || !ok || found != sess || sess.Swap().Get("i") != i {
			t.Errorf("session %d: id %q, want %q, which is in the hub: %v; swap %v", i, sess.ID(), want, ok, sess.Swap().Get("i"))
		}
	}
	if n := cli.CountSession(); n != sessions || log.redials.Load() != 3*sessions || log.disconnects.Load() != 0 {
		t.Errorf("%d sessions, %d hooks of redials, %d of disconnects", n, log.redials.Load(), log.disconnects.Load())
	}
	waitFor(t, "replaced connections to be gone", func() bool {
		for _, sess := range all {
			s := sess.(*session)
			s.mu.Lock()
			n := len(s.departing)
			s.mu.Unlock()
			if n > 0 {
				return false
			}
		}
		return true
	})
}

func TestDrainCutsOffWhatIsLeftAtTheEnd(t *testing.T) {
	t.Parallel()
	entered, release := make(chan bool), make(chan bool)
	var ended atomic.Int32
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/block", func(c CallCtx, _ *string) (string, *Status) {
		entered <- true
		<-c.Context().Done()
		ended.Add(1)
		<-release
		return "", nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for range 3 {
		sess.AsyncCall("/block", nil, nil, nil)
		eventually(t, "a handler to run", entered)
	}
	last := sess.AsyncCall("/block", nil, nil, nil)
	eventually(t, "a handler to run", entered)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := srv.Drain(ctx)
	var cut *DrainError
	if !errors.As(err, &cut) || cut.Calls != 4 || cut.Sessions != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	eventually(t, "the caller to hear of it", last.Done())
	if stat := last.Status(); stat.Code() != CodeConnClosed || NotExecuted(stat) {
		t.Errorf("status %v", stat)
	}
	waitFor(t, "the contexts of the handlers to end", func() bool { return ended.Load() == 4 })
	within(t, "Close after a Drain, which does not wait for handlers that were cut off", func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	close(release)
}
