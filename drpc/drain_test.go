package drpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
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
	s := &succession{t: t, setup: setup, port: porttest.Free(t), executed: make(map[string]int)}
	s.next()
	return s
}

// next starts the next server, once the address is free.
func (s *succession) next() {
	s.t.Helper()
	if s.now != nil {
		polltest.Until(s.t, "the address to be free", func() bool { return len(s.now.Addrs()) == 0 })
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
	s.now = e
}

func (s *succession) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// accepted waits until n sessions are up: a connection that was not accepted yet when its listener closes is refused.
func (s *succession) accepted(n int) {
	s.t.Helper()
	polltest.Until(s.t, "the sessions", func() bool { return s.now.CountSession() == n })
}

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
	polltest.Until(s.t, "the last pushes to be executed", func() bool {
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
	srv.accepted(sessions)
	for generation := int32(1); generation <= 3; generation++ {
		first := srv.now
		done := srv.drain(time.Minute)
		srv.next()
		if err := polltest.Receive(t, "the drain", done); err != nil {
			t.Error(err)
		}
		if n := first.CountSession(); n != 0 {
			t.Errorf("%d sessions are left on a server that has drained", n)
		}
		polltest.Until(t, "all to be at the next server", func() bool { return srv.now.CountSession() == sessions })
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
	polltest.Until(t, "replaced connections to be gone", func() bool {
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
		polltest.Receive(t, "a handler to run", entered)
	}
	last := sess.AsyncCall("/block", nil, nil, nil)
	polltest.Receive(t, "a handler to run", entered)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := srv.Drain(ctx)
	var cut *DrainError
	if !errors.As(err, &cut) || cut.Calls != 4 || cut.Sessions != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	polltest.Receive(t, "the caller to hear of it", last.Done())
	if stat := last.Status(); stat.Code() != CodeConnClosed || NotExecuted(stat) {
		t.Errorf("status %v", stat)
	}
	polltest.Until(t, "the contexts of the handlers to end", func() bool { return ended.Load() == 4 })
	within(t, "Close after a Drain, which does not wait for handlers that were cut off", func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	close(release)
}

func TestPeerThatKnowsNothingOfGoawayIsServedToTheEnd(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	echoes(srv)
	p := rawDial(t, serve(t, srv))
	ask := func(seq int32) bool {
		p.send(message.TypeCall, seq, "/echo", 'j', `"x"`)
		for m := p.next(); m != nil; m = p.next() {
			if m.MType() == message.TypePush { // goes into its log, if anywhere
				continue
			}
			if m.Seq() != seq || !m.StatusOK() {
				t.Errorf("the reply to %d: %v", seq, m)
			}
			return true
		}
		return false
	}
	ask(1)
	const limit = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	end, _ := ctx.Deadline()
	drained := make(chan error, 1)
	go func() { drained <- srv.Drain(ctx) }()
	for seq := int32(2); time.Until(end) > limit/5; seq++ {
		if !ask(seq) && time.Until(end) > limit/10 {
			t.Fatal("the connection has ended before its time")
		}
	}
	idle := false // the last handler returns after its reply, and on a busy machine not in time perhaps
	for !idle && time.Now().Before(end) {
		idle = srv.Stats().Serving == 0
	}
	if m := p.next(); m != nil {
		t.Errorf("instead of the end came %v", m)
	}
	var cut *DrainError
	if err := polltest.Receive(t, "the drain", drained); err != nil && (idle || !errors.As(err, &cut)) {
		t.Errorf("nothing was under way: %v", err)
	}
}

func TestDrainOfBothEnds(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	entered, release := make(chan bool), make(chan bool)
	HandleCall(srv, "/wait", func(CallCtx, *string) (string, *Status) {
		entered <- true
		<-release
		return "", nil
	})
	sess := dial(t, cli, serve(t, srv))
	waiting := sess.AsyncCall("/wait", nil, nil, nil)
	polltest.Receive(t, "the handler to run", entered)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	drained := make(chan error, 2)
	go func() { drained <- cli.Drain(ctx) }()
	polltest.Receive(t, "the session to close", sess.CloseNotify())
	go func() { drained <- srv.Drain(ctx) }()
	select {
	case err := <-drained:
		t.Fatalf("drained with a call under way: %v", err)
	case <-waiting.Done():
		t.Fatalf("the call has ended: %v", waiting.Status())
	default:
	}
	close(release)
	polltest.Receive(t, "the call", waiting.Done())
	if stat := waiting.Status(); stat != nil {
		t.Error(stat)
	}
	for range 2 {
		if err := polltest.Receive(t, "a drain", drained); err != nil {
			t.Error(err)
		}
	}
}

func TestHandlersCallOthersWhileTheirEndpointDrains(t *testing.T) {
	t.Parallel()
	last := newPeer(t, EndpointConfig{})
	echoes(last)
	middle := newPeer(t, EndpointConfig{})
	onward := dial(t, middle, serve(t, last))
	entered, release := make(chan bool), make(chan bool)
	HandleCall(middle, "/forward", func(_ CallCtx, s *string) (got string, stat *Status) {
		entered <- true
		<-release
		stat = onward.Call("/echo", *s, &got).Status()
		return got, stat
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, middle))
	var got string
	call := sess.AsyncCall("/forward", "x", &got, nil)
	polltest.Receive(t, "the handler to run", entered)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- middle.Drain(ctx) }()
	polltest.Until(t, "the drain to begin", func() bool { return len(middle.Addrs()) == 0 })
	close(release)
	polltest.Receive(t, "the call", call.Done())
	if stat := call.Status(); stat != nil || got != "x" {
		t.Errorf("%q, %v", got, stat)
	}
	_ = sess.Close()
	if err := polltest.Receive(t, "the drain", drained); err != nil {
		t.Error(err)
	}
}

func TestCloseAndDrainTogether(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (srv Endpoint, drained chan error) {
		srv = newPeer(t, EndpointConfig{})
		echoes(srv)
		p := rawDial(t, serve(t, srv)) // does not go by itself
		p.send(message.TypeCall, 1, "/echo", 'j', `"x"`)
		_ = p.next()
		drained = make(chan error, 1)
		go func() { drained <- srv.Drain(context.Background()) }()
		polltest.Until(t, "the drain to begin", func() bool { return len(srv.Addrs()) == 0 })
		return srv, drained
	}
	t.Run("close ends the waiting", func(t *testing.T) {
		t.Parallel()
		srv, drained := begin(t)
		within(t, "Close", func() {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := polltest.Receive(t, "the drain", drained); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := errors.Join(srv.Close(), srv.Drain(t.Context())); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a second drain waits as long as it may", func(t *testing.T) {
		t.Parallel()
		srv, drained := begin(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := srv.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		select {
		case err := <-drained:
			t.Errorf("the first drain has ended: %v", err)
		default:
		}
		if err := srv.ListenAndServe(); !errors.Is(err, ErrListenClosed) {
			t.Errorf("listening anew: %v", err)
		}
		_ = srv.Close()
	})
}

func TestDrainFromAHandler(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	HandleCall(srv, "/down", func(CallCtx, *string) (string, *Status) {
		if err := srv.Drain(ctx); err != nil {
			t.Error(err)
		}
		return "going", nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var got string
	if stat := sess.Call("/down", nil, &got).Status(); stat != nil || got != "going" {
		t.Errorf("%q, %v", got, stat)
	}
	_ = sess.Close()
	if err := srv.Drain(ctx); err != nil { // waits for the first
		t.Error(err)
	}
	if n := srv.CountSession(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestHooksOfADrain(t *testing.T) {
	t.Parallel()
	log := new(closeLog)
	srv := newPeer(t, EndpointConfig{}, log)
	addr := serve(t, srv)
	_ = dial(t, newPeer(t, EndpointConfig{}), addr).Close()
	if err := srv.Drain(t.Context()); !errors.Is(err, errCloseLog) {
		t.Errorf("the error of the hook is lost: %v", err)
	}
	if log.text != "before after" {
		t.Errorf("%q", log.text)
	}
}

// closeLog notes the hooks around the end of an endpoint.
type closeLog struct{ text string }

var errCloseLog = errors.New("of the hook")

func (*closeLog) Name() string { return "close log" }

func (p *closeLog) BeforeCloseEndpoint(e Endpoint) error {
	p.text += "before"
	if len(e.Addrs()) == 0 {
		p.text += " too late"
	}
	return errCloseLog
}

func (p *closeLog) AfterCloseEndpoint(Endpoint, error) error {
	p.text += " after"
	return nil
}

func TestConnectionsThatCrossTheDrainAreMoved(t *testing.T) {
	t.Parallel()
	accepting, release := make(chan bool, 10), make(chan bool)
	cfg := EndpointConfig{LocalIP: "127.0.0.1", ListenPort: porttest.Free(t)}
	first := newPeer(t, cfg, &slowAccept{accepting, release})
	echoes(first)
	addr := serve(t, first)
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	call := sess.AsyncCall("/echo", "x", nil, nil)
	polltest.Receive(t, "the connection to be accepted", accepting)
	drained := make(chan error, 1)
	go func() { drained <- first.Drain(context.Background()) }()
	polltest.Until(t, "the drain to begin", func() bool { return len(first.Addrs()) == 0 })
	second := newPeer(t, cfg)
	serve(t, second)
	close(release)
	polltest.Receive(t, "the call", call.Done())
	if stat := call.Status(); stat != nil {
		t.Error(stat)
	}
	if err := polltest.Receive(t, "the drain", drained); err != nil {
		t.Error(err)
	}
	polltest.Until(t, "the session to have moved", func() bool { return second.CountSession() == 1 })
}

// slowAccept holds connections up that are being accepted.
type slowAccept struct{ accepting, release chan bool }

func (*slowAccept) Name() string { return "slow accept" }

func (p *slowAccept) AfterAccept(EarlySession) *Status {
	p.accepting <- true
	<-p.release
	return nil
}

// Whoever listens closes the endpoint when the listening has ended, which must not cut a drain short.
func TestListenAndServeLastsUntilTheDrainIsDone(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{LocalIP: "127.0.0.1"})
	entered, release := make(chan struct{}), make(chan struct{})
	HandleCall(e, "/hold", func(CallCtx, *string) (string, *Status) {
		close(entered)
		<-release
		return "done", nil
	})
	returned := make(chan error, 1)
	go func() {
		err := e.ListenAndServe()
		returned <- errors.Join(err, e.Close())
	}()
	polltest.Until(t, "the endpoint to listen", func() bool { return len(e.Addrs()) > 0 })
	client := newPeer(t, EndpointConfig{})
	sess, stat := client.Dial(e.Addrs()[0].String())
	if !stat.OK() {
		t.Fatal(stat)
	}
	var reply string
	call := sess.AsyncCall("/hold", "", &reply, make(chan CallCmd, 1))
	<-entered
	drained := make(chan error, 1)
	go func() { drained <- e.Drain(t.Context()) }()
	polltest.Until(t, "the listener to close", func() bool { return len(e.Addrs()) == 0 || e.(*endpoint).leaving() })
	select {
	case err := <-returned:
		t.Fatalf("ListenAndServe returned %v while the endpoint drains", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if stat := call.Status(); !stat.OK() {
		t.Error(stat)
	}
	_ = client.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := <-returned; !errors.Is(err, ErrListenClosed) {
		t.Error(err)
	}
}
