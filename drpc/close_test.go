package drpc

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// within fails the test if fn takes a time that only a deadlock can take.
func within(t testing.TB, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	polltest.Receive(t, what, done)
}

func TestCloseFromHandlerOfTheSession(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/bye", func(c CallCtx, _ *string) (string, *Status) {
		if err := c.Session().(Session).Close(); err != nil {
			t.Error(err)
		}
		return "answered nevertheless", nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var got string
	if stat := sess.Call("/bye", nil, &got).Status(); stat != nil || got != "answered nevertheless" {
		t.Errorf("%v, %q", stat, got)
	}
	polltest.Receive(t, "the session to end", sess.CloseNotify())
	polltest.Until(t, "the hub to be empty", func() bool { return srv.CountSession() == 0 })
}

func TestCloseFromHandlersCrosswise(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	var both sync.WaitGroup
	both.Add(2)
	HandleCall(srv, "/close", func(c CallCtx, _ *string) (string, *Status) {
		both.Done()
		both.Wait() // both handlers run now, and each closes the other's session
		srv.RangeSession(func(s Session) bool {
			if s.ID() != c.Session().ID() {
				_ = s.Close()
			}
			return true
		})
		return "", nil
	})
	addr := serve(t, srv)
	within(t, "both calls to be answered", func() {
		var wg sync.WaitGroup
		for range 2 {
			sess := dial(t, cli, addr)
			wg.Go(func() {
				if stat := sess.Call("/close", nil, nil).Status(); stat != nil {
					t.Error(stat)
				}
				<-sess.CloseNotify()
			})
		}
		wg.Wait()
	})
}

func TestEndpointCloseFromHandler(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/down", func(CallCtx, *string) (string, *Status) {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		return "going", nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var got string
	if stat := sess.Call("/down", nil, &got).Status(); stat != nil || got != "going" {
		t.Errorf("%v, %q", stat, got)
	}
	polltest.Receive(t, "the session to end", sess.CloseNotify())
	within(t, "a second Close, which waits for the first", func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(srv.Addrs()) != 0 || srv.CountSession() != 0 {
		t.Errorf("left: %v, %d sessions", srv.Addrs(), srv.CountSession())
	}
}

// closer closes what it gets in a hook.
type closer struct {
	hook string
	mu   sync.Mutex // both sides use one closer
	errs []error
}

func (p *closer) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}

func (*closer) Name() string { return "closer" }

func (p *closer) close(hook string, s any) *Status {
	if hook == p.hook {
		p.failed(s.(Session).Close())
	}
	return nil
}

func (p *closer) AfterAccept(s EarlySession) *Status       { return p.close("AfterAccept", s) }
func (p *closer) AfterDial(s EarlySession, _ bool) *Status { return p.close("AfterDial", s) }
func (p *closer) AfterDisconnect(s BaseSession) *Status    { return p.close("AfterDisconnect", s) }
func (p *closer) AfterReadCallHeader(c ReadCtx) *Status {
	return p.close("AfterReadCallHeader", c.Session())
}
func (p *closer) AfterReadCallBody(c ReadCtx) *Status {
	return p.close("AfterReadCallBody", c.Session())
}
func (p *closer) AfterWriteReply(c WriteCtx) *Status { return p.close("AfterWriteReply", c.Session()) }
func (p *closer) BeforeWriteCall(c WriteCtx) *Status { return p.close("BeforeWriteCall", c.Session()) }
func (p *closer) AfterReadReplyHeader(c ReadCtx) *Status {
	return p.close("AfterReadReplyHeader", c.Session())
}
func (p *closer) BeforeCloseEndpoint(e Endpoint) error {
	return p.closeEndpoint("BeforeCloseEndpoint", e)
}
func (p *closer) AfterCloseEndpoint(e Endpoint, _ error) error {
	return p.closeEndpoint("AfterCloseEndpoint", e)
}
func (p *closer) closeEndpoint(hook string, e Endpoint) error {
	if hook == p.hook {
		p.failed(e.Close())
	}
	return nil
}

func TestCloseFromHook(t *testing.T) {
	t.Parallel()
	for _, hook := range []string{
		"AfterAccept", "AfterDial", "AfterDisconnect", "AfterReadCallHeader", "AfterReadCallBody", "AfterWriteReply",
		"BeforeWriteCall", "AfterReadReplyHeader", "BeforeCloseEndpoint", "AfterCloseEndpoint",
	} {
		t.Run(hook, func(t *testing.T) {
			t.Parallel()
			plugin := &closer{hook: hook}
			srv := newPeer(t, EndpointConfig{}, plugin)
			cli := newPeer(t, EndpointConfig{}, plugin2{plugin})
			HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
			addr := serve(t, srv)
			within(t, "dial, call and close", func() {
				sess, stat := cli.Dial(addr)
				if stat != nil {
					wantStatus(t, stat, CodeDialFailed, "")
					return
				}
				if stat = sess.Call("/echo", "x", nil).Status(); stat != nil {
					wantStatus(t, stat, CodeConnClosed, "")
				}
				if err := sess.Close(); err != nil {
					t.Error(err)
				}
				for _, e := range []Endpoint{cli, srv} {
					if err := e.Close(); err != nil {
						t.Error(err)
					}
				}
			})
			plugin.mu.Lock()
			defer plugin.mu.Unlock()
			if err := errors.Join(plugin.errs...); err != nil || len(plugin.errs) == 0 {
				t.Errorf("closed %d times: %v", len(plugin.errs), err)
			}
			polltest.Until(t, "the hubs to be empty", func() bool { return srv.CountSession()+cli.CountSession() == 0 })
		})
	}
}

// plugin2 gives a plugin that both sides have a name for each.
type plugin2 struct{ *closer }

func TestCloseWaitsForHandlersAndPendingCalls(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"session", "endpoint"} {
		for _, side := range []string{"of the handler", "of the caller"} {
			t.Run(what+" "+side, func(t *testing.T) {
				t.Parallel()
				srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
				began, release := make(chan bool), make(chan bool)
				HandleCall(srv, "/wait", func(CallCtx, *string) (string, *Status) {
					close(began)
					<-release
					return "done", nil
				})
				sess := dial(t, cli, serve(t, srv))
				var got string
				cmd := sess.AsyncCall("/wait", nil, &got, nil)
				polltest.Receive(t, "the handler", began)
				closing, e := sess, cli
				if side == "of the handler" {
					closing, e = onlySession(t, srv), srv
				}
				var answered atomic.Bool
				closed := make(chan error, 1)
				go func() {
					var err error
					if what == "session" {
						err = closing.Close()
					} else {
						err = e.Close()
					}
					if !answered.Load() {
						t.Error("Close has not waited")
					}
					closed <- err
				}()
				polltest.Receive(t, "Close to begin", closing.CloseNotify())
				// Nothing new begins, on either side, and the peer hears that it was not executed.
				wantStatus(t, closing.Call("/wait", nil, nil).Status(), CodeConnClosed, "")
				wantStatus(t, closing.Push("/wait", nil), CodeConnClosed, "")
				if _, found := e.GetSession(closing.ID()); found || e.CountSession() != 0 {
					t.Error("a closing session is in the hub")
				}
				if side == "of the handler" {
					stat := sess.Call("/wait", nil, nil).Status()
					if wantStatus(t, stat, CodeBusy, "not executed"); !NotExecuted(stat) {
						t.Errorf("NotExecuted does not know %v", stat)
					}
				}
				answered.Store(true)
				close(release)
				if err := polltest.Receive(t, "Close to end", closed); err != nil {
					t.Error(err)
				}
				polltest.Receive(t, "the call to end", cmd.Done())
				if stat := cmd.Status(); stat != nil || got != "done" {
					t.Errorf("%v, %q", stat, got)
				}
				if err := closing.Close(); err != nil {
					t.Errorf("second Close: %v", err)
				}
			})
		}
	}
}

func TestCloseIsNotKeptUpByCallsThatAreTurnedAway(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	began, release := make(chan bool), make(chan bool)
	HandleCall(srv, "/wait", func(CallCtx, *string) (string, *Status) { close(began); <-release; return "", nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	first := sess.AsyncCall("/wait", nil, nil, nil)
	polltest.Receive(t, "the handler", began)
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				_ = sess.Call("/none", nil, nil)
			}
		})
	}
	closed := make(chan error, 1)
	go func() { closed <- sess.Close() }()
	close(release)
	if err := polltest.Receive(t, "Close", closed); err != nil {
		t.Error(err)
	}
	polltest.Receive(t, "the call", first.Done())
}

func TestLostConnectionEndsPendingCallsOfItsHandlers(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	asked := make(chan bool)
	ended := make(chan *Status, 1)
	HandleCall(srv, "/ask", func(c CallCtx, _ *string) (string, *Status) {
		close(asked)
		ended <- c.Session().Call("/back", nil, nil).Status() // never answered
		return "", nil
	})
	p := rawDial(t, serve(t, srv))
	p.send(message.TypeCall, 1, "/ask", 'j', `""`)
	polltest.Receive(t, "the handler", asked)
	if m := p.next(); m == nil || m.ServiceMethod() != "/back" {
		t.Fatalf("got %v, want the call back", m)
	}
	_ = p.Close()
	wantStatus(t, polltest.Receive(t, "the handler's call to end", ended), CodeConnClosed, "")
	polltest.Until(t, "the session to leave", func() bool { return srv.CountSession() == 0 })
}

func TestLostConnectionEndsPendingCalls(t *testing.T) {
	t.Parallel()
	const n = 50
	addr := rawListen(t, func(p *rawPeer) {
		for range n {
			_ = p.next()
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { wantStatus(t, sess.Call("/x", nil, nil).Status(), CodeConnClosed, "") })
	}
	within(t, "all calls to end", wg.Wait)
	polltest.Receive(t, "the session to end", sess.CloseNotify())
	if wantStatus(t, sess.Call("/x", nil, nil).Status(), CodeConnClosed, ""); sess.Health() {
		t.Error("a lost session is healthy")
	}
	if s := sess.(*session); !s.IsPassiveClosed() || s.IsActiveClosed() {
		t.Errorf("state %d", s.getState())
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	if s := sess.(*session); s.IsPassiveClosed() || !s.IsActiveClosed() {
		t.Errorf("state %d", s.getState())
	}
}

func TestLossWhileWritingIsClosedConnection(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		net.ErrClosed, errors.Join(errors.New("write"), syscall.EPIPE), &net.OpError{Op: "write", Err: syscall.ECONNRESET},
	} {
		if stat := writeStatus(err); stat.Code() != CodeConnClosed || !IsConnError(stat) {
			t.Errorf("%v is status %v", err, stat)
		}
	}
	if stat := writeStatus(errors.New("no such codec")); stat.Code() != CodeWriteFailed {
		t.Errorf("status %v", stat)
	}
}

func TestCloseReturnsTheErrorOfTheConnection(t *testing.T) {
	t.Parallel()
	srv, err := New(EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	sess, stat := srv.ServeConn(stubborn{near})
	if stat != nil {
		t.Fatal(stat)
	}
	if err := sess.Close(); !errors.Is(err, errStubborn) {
		t.Errorf("Close gives %v", err)
	}
	if err := sess.Close(); err != nil {
		t.Errorf("second Close gives %v", err)
	}
	near2, far2 := net.Pipe()
	defer func() { _ = far2.Close() }()
	if _, stat = srv.ServeConn(stubborn{near2}); stat != nil {
		t.Fatal(stat)
	}
	if err := srv.Close(); !errors.Is(err, errStubborn) {
		t.Errorf("Close of the endpoint gives %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Errorf("second Close of the endpoint gives %v", err)
	}
}

var errStubborn = errors.New("descriptor is stubborn")

type stubborn struct{ net.Conn }

func (c stubborn) Close() error { return errors.Join(errStubborn, c.Conn.Close()) }

func TestClosedEndpointTakesNothing(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.ListenAndServe(); !errors.Is(err, ErrListenClosed) {
		t.Errorf("ListenAndServe: %v", err)
	}
	_, stat := e.Dial("127.0.0.1:1")
	wantStatus(t, stat, CodeDialFailed, ErrListenClosed.Error())
	near, far := net.Pipe()
	_, stat = e.ServeConn(near)
	wantStatus(t, stat, CodeWrongConn, ErrListenClosed.Error())
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the refused connection is open")
	}
}

func TestListenOnTakenAddressIsAnError(t *testing.T) {
	t.Parallel()
	first := newPeer(t, EndpointConfig{})
	_ = serve(t, first)
	second := newPeer(t, EndpointConfig{LocalIP: "127.0.0.1", ListenPort: uint16(first.Addrs()[0].(*net.TCPAddr).Port)})
	if err := second.ListenAndServe(); err == nil || errors.Is(err, ErrListenClosed) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("ListenAndServe: %v", err)
	}
}

func TestListenersComeAndGoWhileTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := e.ListenAndServe(); !errors.Is(err, ErrListenClosed) {
				t.Errorf("ListenAndServe: %v", err)
			}
		})
	}
	polltest.Until(t, "all listeners", func() bool { return len(e.Addrs()) == 8 })
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	within(t, "all listeners to end", wg.Wait)
}

func TestFastDisconnectLeavesNothing(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	for range 200 {
		near, far := net.Pipe()
		go func() { _ = far.Close() }()
		sess, stat := srv.ServeConn(near)
		if stat == nil {
			polltest.Receive(t, "the session to end", sess.CloseNotify())
		}
	}
	polltest.Until(t, "the hub to be empty", func() bool { return srv.CountSession() == 0 })
	e := srv.(*endpoint)
	polltest.Until(t, "the endpoint to forget all sessions", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.sessions) == 0 && e.running == 0
	})
}

func TestRefusedConnectionIsClosed(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, bouncer{})
	near, far := net.Pipe()
	_, stat := srv.ServeConn(near)
	wantStatus(t, stat, 1001, "")
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	if srv.CountSession() != 0 {
		t.Error("a refused session is in the hub")
	}
}

type bouncer struct{}

func (bouncer) Name() string                     { return "bouncer" }
func (bouncer) AfterAccept(EarlySession) *Status { return NewStatus(1001, "not you") }

func TestCallAndPushWhileAnotherCloses(t *testing.T) {
	rounds := 1000
	switch {
	case os.Getenv("DMICRO_SOAK") != "":
		rounds = 10_000
	case testing.Short():
		rounds = 50
	}
	before := runtime.NumGoroutine()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	HandlePush(srv, "/note", func(PushCtx, *string) *Status { return nil })
	cli := newPeer(t, EndpointConfig{})
	addr := serve(t, srv)
	for round := range rounds {
		sess := dial(t, cli, addr)
		closing := sess
		if round%2 == 1 { // the other end closes
			polltest.Until(t, "the other end", func() bool {
				other, ok := srv.GetSession(sess.LocalAddr().String())
				closing = other
				return ok
			})
		}
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				for n := 0; ; n++ {
					var stat *Status
					switch i % 4 {
					case 0:
						stat = sess.Push("/note", "x")
					case 1:
						cmd := sess.AsyncCall("/echo", "x", nil, nil)
						<-cmd.Done()
						stat = cmd.Status()
					default:
						stat = sess.Call("/echo", "x", nil).Status()
					}
					if stat != nil {
						if stat.Code() != CodeConnClosed && !NotExecuted(stat) {
							t.Errorf("status %v", stat)
						}
						return
					}
				}
			})
		}
		if err := closing.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := pendingCalls(sess); n != 0 {
			t.Fatalf("%d calls are left in the table", n)
		}
	}
	polltest.Until(t, "sessions to leave", func() bool { return srv.CountSession()+cli.CountSession() == 0 })
	for _, e := range []Endpoint{cli, srv} {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	polltest.Until(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestCloseWhileDialling(t *testing.T) {
	t.Parallel()
	hold := make(chan bool)
	cli := newPeer(t, EndpointConfig{}, &holdDial{entered: hold})
	addr, _ := silentPeer(t)
	dialled := make(chan *Status, 1)
	go func() {
		_, stat := cli.Dial(addr)
		dialled <- stat
	}()
	polltest.Receive(t, "the dial to be under way", hold)
	within(t, "Close", func() {
		if err := cli.Close(); err != nil {
			t.Error(err)
		}
	})
	wantStatus(t, polltest.Receive(t, "Dial to return", dialled), CodeDialFailed, "")
	if cli.CountSession() != 0 {
		t.Error("a session came up after Close")
	}
}

// holdDial waits in AfterDial for a message that never comes.
type holdDial struct{ entered chan bool }

func (*holdDial) Name() string { return "hold" }
func (p *holdDial) AfterDial(s EarlySession, _ bool) *Status {
	close(p.entered)
	return s.EarlyReceive(nil, context.Background()).Status()
}

func TestSessionCloseDuringEndpointClose(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	addr := serve(t, srv)
	for range 50 {
		cli := newPeer(t, EndpointConfig{})
		sess := dial(t, cli, addr)
		var wg sync.WaitGroup
		for _, c := range []func() error{sess.Close, cli.Close, sess.Close, cli.Close} {
			wg.Go(func() {
				if err := c(); err != nil {
					t.Error(err)
				}
			})
		}
		within(t, "all of them", wg.Wait)
	}
}

func TestHandlersMayOutliveALostConnection(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	began, release := make(chan bool), make(chan bool)
	HandleCall(srv, "/wait", func(CallCtx, *string) (string, *Status) { close(began); <-release; return "", nil })
	p := rawDial(t, serve(t, srv))
	p.send(message.TypeCall, 1, "/wait", 'j', `""`)
	polltest.Receive(t, "the handler", began)
	_ = p.Close()
	polltest.Until(t, "the session to leave", func() bool { return srv.CountSession() == 0 })
	closed := make(chan error, 1)
	go func() { closed <- srv.Close() }()
	select {
	case <-closed:
		t.Error("Close of the endpoint has not waited for the handler")
	case <-time.After(20 * time.Millisecond): // a Close that does not wait has returned long before
	}
	close(release)
	if err := polltest.Receive(t, "Close", closed); err != nil {
		t.Error(err)
	}
}

func TestCloseUnderLoadAnswersWhatItHasExecuted(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	var executed, answered atomic.Int64
	result := make([]byte, 10_000)
	HandleCall(srv, "/work", func(CallCtx, *string) ([]byte, *Status) {
		executed.Add(1)
		return result, nil
	})
	addr := serve(t, srv)
	for range 30 {
		sess := dial(t, cli, addr)
		enough := make(chan struct{})
		var callers sync.WaitGroup
		var calls atomic.Int64
		for range 50 {
			callers.Go(func() {
				for {
					var got []byte
					stat := sess.Call("/work", nil, &got).Status()
					if stat != nil {
						if stat.Code() != CodeConnClosed && !NotExecuted(stat) {
							t.Error(stat)
						}
						return
					}
					answered.Add(1)
					if calls.Add(1) == 200 {
						close(enough)
					}
				}
			})
		}
		polltest.Receive(t, "load", enough)
		srv.RangeSession(func(s Session) bool {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return true
		})
		within(t, "the callers to be told", callers.Wait)
	}
	if e, a := executed.Load(), answered.Load(); e != a {
		t.Errorf("%d calls were executed, %d answered", e, a)
	}
}

func TestCloseDoesNotWaitForeverForAPeerThatStays(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	p := rawDial(t, serve(t, srv)) // never closes its side
	p.send(message.TypeCall, 1, "/echo", codec.JsonId, `"x"`)
	if m := p.next(); m == nil || m.Seq() != 1 {
		t.Errorf("answered by %v", m)
	}
	within(t, "the close", func() { _ = srv.Close() })
	if m := p.next(); m != nil {
		t.Errorf("got %v after the end", m)
	}
}

func TestCloseDoesNotWaitForAPeerThatNeverCalled(t *testing.T) {
	t.Parallel()
	frozen := make(chan struct{})
	defer close(frozen)
	cli, addr := newPeer(t, EndpointConfig{}), rawListen(t, func(*rawPeer) { <-frozen })
	quickest := time.Hour
	for range 5 { // a busy machine may keep one of them as long as that, but a Close that waits keeps all
		sess := dial(t, cli, addr)
		if stat := sess.Push("/note", nil); stat != nil {
			t.Error(stat)
		}
		start := time.Now()
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
		if quickest = min(quickest, time.Since(start)); quickest < lingerTimeout {
			return
		}
	}
	t.Errorf("took %v", quickest)
}

// relay lets a push go on only when the next one has begun, so that there is always one under way.
type relay struct {
	begun atomic.Int64
	end   chan struct{}
	lost  chan struct{}
}

func (*relay) Name() string { return "relay" }

func (p *relay) BeforeWritePush(WriteCtx) *Status {
	mine := p.begun.Add(1)
	for p.begun.Load() == mine {
		select {
		case <-p.end:
			return nil
		default:
			runtime.Gosched()
		}
	}
	return nil
}

func (p *relay) AfterDisconnect(BaseSession) *Status {
	close(p.lost)
	return nil
}

func TestPushesToALostSessionDoNotKeepItAlive(t *testing.T) {
	t.Parallel()
	plugin := &relay{end: make(chan struct{}), lost: make(chan struct{})}
	gone := make(chan struct{})
	addr := rawListen(t, func(*rawPeer) { <-gone })
	sess := dial(t, newPeer(t, EndpointConfig{}, plugin), addr)
	var pushers sync.WaitGroup
	for range 2 {
		pushers.Go(func() {
			for {
				select {
				case <-plugin.end:
					return
				default:
					_ = sess.Push("/note", nil) // fails once the session is lost
				}
			}
		})
	}
	polltest.Until(t, "pushes under way", func() bool { return plugin.begun.Load() > 2 })
	close(gone)
	polltest.Receive(t, "the end of the session", plugin.lost)
	close(plugin.end)
	pushers.Wait()
}

func TestNobodyGetsInWhileHooksOfTheCloseRunOrAfterwards(t *testing.T) {
	t.Parallel()
	knock := func(addr string) error {
		conn, err := net.DialTimeout("tcp", addr, 20*time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection is neither served nor closed")
		}
		return nil
	}
	cfg := EndpointConfig{ListenPort: porttest.Free(t)} // which nobody else gets after the Close
	srv := newPeer(t, cfg, beforeClose(func(e Endpoint) {
		for range 3 { // what was dialled before the listener is closed does not end the accepting, or it would stay open
			if err := knock(e.Addrs()[0].String()); err != nil {
				t.Error(err)
			}
		}
	}))
	addr := serve(t, srv)
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := knock(addr); err == nil {
		t.Error("an endpoint that is closed goes on listening")
	}
}

// beforeClose is called when the endpoint begins to close.
type beforeClose func(Endpoint)

func (beforeClose) Name() string                           { return "before close" }
func (f beforeClose) BeforeCloseEndpoint(e Endpoint) error { f(e); return nil }

// Who calls again after a loss asks first whether this session is one for it.
func TestSessionIsNotHealthyOnceItsConnectionIsLost(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv)).(*session)
	sess.mu.Lock() // the state cannot follow yet
	sess.link.Load().die(errors.New("on purpose"))
	st, healthy := sess.getState(), sess.Health()
	sess.mu.Unlock()
	if st != stateOk || healthy {
		t.Errorf("in state %d it is healthy: %v", st, healthy)
	}
}
