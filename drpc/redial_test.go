package drpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// flakyServer is a server that can be taken away and come back under the same address.
type flakyServer struct {
	t     testing.TB
	setup func(Endpoint)
	port  uint16
	e     Endpoint
}

func newFlakyServer(t testing.TB, setup func(Endpoint)) *flakyServer {
	f := &flakyServer{t: t, setup: setup, port: porttest.Free(t)}
	f.start()
	return f
}

func (f *flakyServer) start() {
	f.t.Helper()
	e := newPeer(f.t, EndpointConfig{LocalIP: "127.0.0.1", ListenPort: f.port})
	if f.setup != nil {
		f.setup(e)
	}
	serve(f.t, e)
	f.port = uint16(e.Addrs()[0].(*net.TCPAddr).Port)
	f.e = e
}

func (f *flakyServer) addr() string { return f.e.Addrs()[0].String() }

// stop takes the server away, once it has accepted whoever dialled it: who has not been accepted is turned away while the
// server still listens, and gets one more connection that comes to nothing.
func (f *flakyServer) stop() {
	f.t.Helper()
	polltest.Until(f.t, "a session", func() bool { return f.e.CountSession() > 0 })
	if err := f.e.Close(); err != nil {
		f.t.Error(err)
	}
}

// cut breaks all connections and goes on listening.
func (f *flakyServer) cut() {
	polltest.Until(f.t, "a connection to break", func() bool { return f.e.CountSession() > 0 })
	f.e.RangeSession(func(s Session) bool {
		_ = s.(*session).link.Load().sock.Raw().Close()
		return true
	})
}

// lasts waits until the connection of sess has lasted, so that the next outage is a new one.
func lasts(t testing.TB, sess Session) {
	t.Helper()
	b := &sess.(*session).backoff
	polltest.Until(t, "the connection to last", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.up != 0 && b.up.Since() >= ceiling(b.n, b.shortest)
	})
}

func echoes(e Endpoint) {
	HandleCall(e, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
}

// dialLog is a plugin that counts dials and refuses connections on demand.
type dialLog struct {
	before, dials, redials, fails, disconnects atomic.Int32
	refuse                                     atomic.Int32 // redials to refuse
	afterDial                                  func(s EarlySession, isRedial bool) *Status
}

func (*dialLog) Name() string { return "dial log" }

func (p *dialLog) BeforeDial(_ string, isRedial bool) *Status {
	p.before.Add(1)
	if isRedial {
		return NewStatus(1001, "which does not count")
	}
	return nil
}

func (p *dialLog) AfterDial(s EarlySession, isRedial bool) *Status {
	if !isRedial {
		p.dials.Add(1)
	} else if p.redials.Add(1); p.refuse.Add(-1) >= 0 {
		return NewStatus(1002, "refused")
	}
	if p.afterDial != nil {
		return p.afterDial(s, isRedial)
	}
	return nil
}

func (p *dialLog) AfterDialFail(s EarlySession, err error, isRedial bool) *Status {
	// A session without a connection must be harmless to look at.
	_ = fmt.Sprint(s.LocalAddr(), s.RemoteAddr(), s.SessionAge(), err)
	p.fails.Add(1)
	return nil
}

func (p *dialLog) AfterDisconnect(BaseSession) *Status {
	p.disconnects.Add(1)
	return nil
}

func redialling(times int) EndpointConfig {
	return EndpointConfig{LocalIP: "127.0.0.1", RedialTimes: times, RedialInterval: time.Millisecond}
}

func TestRedialKeepsTheSession(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	for _, custom := range []bool{false, true} {
		log := new(dialLog)
		cli := newPeer(t, redialling(-1), log)
		sess := dial(t, cli, srv.addr())
		if custom {
			sess.SetID("mine")
		}
		sess.Swap().Set("k", "v")
		for outage := int32(1); outage <= 5; outage++ {
			srv.cut()
			polltest.Until(t, "the redial", func() bool { return log.redials.Load() == outage && sess.Health() })
			var got string
			if stat := sess.Call("/echo", "x", &got).Status(); stat != nil || got != "x" {
				t.Fatalf("%v, %q", stat, got)
			}
			want := sess.LocalAddr().String()
			if custom {
				want = "mine"
			}
			if found, ok := cli.GetSession(want); sess.ID() != want || !ok || found != sess || cli.CountSession() != 1 {
				t.Errorf("id %q, want %q, which is in the hub: %v", sess.ID(), want, ok)
			}
			if sess.Swap().Get("k") != "v" {
				t.Error("the swap is lost")
			}
		}
		select {
		case <-sess.CloseNotify():
			t.Error("CloseNotify closed on a loss that was redialled")
		default:
		}
		if n := log.disconnects.Load(); n != 0 {
			t.Errorf("AfterDisconnect ran %d times for losses that were redialled", n)
		}
		_ = cli.Close()
		polltest.Until(t, "the server to see the client leave", func() bool { return srv.e.CountSession() == 0 })
	}
}

func TestHookOfRedialComesBeforeCalls(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var first []string // method of the first message of each connection
	addr := rawListen(t, func(p *rawPeer) {
		for n := 0; ; n++ {
			m := p.next()
			if m == nil {
				return
			}
			if n == 0 {
				mu.Lock()
				first = append(first, m.ServiceMethod())
				mu.Unlock()
			}
			if m.MType() == message.TypeCall && !p.reply(m, "1") || n == 5 {
				return // and the client has to come back
			}
		}
	})
	log := &dialLog{afterDial: func(s EarlySession, _ bool) *Status {
		return s.EarlyCall("/login", nil, nil)
	}}
	sess := dial(t, newPeer(t, redialling(-1), log), addr)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for log.redials.Load() < 8 {
				if stat := sess.Call("/x", nil, nil).Status(); stat != nil && stat.Code() != CodeConnClosed {
					t.Errorf("status %v", stat)
				}
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	for _, method := range first {
		if method != "/login" {
			t.Errorf("the first message of a connection was %s", method)
		}
	}
}

func TestCallsWaitForTheRedial(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	sess := dial(t, newPeer(t, redialling(-1), log), srv.addr())
	srv.stop()
	polltest.Until(t, "the loss", func() bool { return !sess.Health() })

	hasty := func(limit time.Duration) *Status {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return sess.Call("/echo", "x", nil, WithContext(ctx)).Status()
	}
	limit := 10 * time.Millisecond
	stat := hasty(limit)
	for ; tooShort(limit, stat); stat = hasty(limit) {
		limit *= 2
	}
	wantStatus(t, stat, CodeHandleTimeout, "deadline exceeded")
	var patient []CallCmd
	for range 50 {
		patient = append(patient, sess.AsyncCall("/echo", "x", nil, nil)) // which does not block
	}
	ctx, pass := newLimit()
	given := sess.AsyncCall("/echo", "x", nil, nil, WithContext(ctx))
	pass()
	polltest.Receive(t, "the call that is given up", given.Done())
	wantStatus(t, given.Status(), CodeHandleTimeout, "deadline exceeded")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
				t.Errorf("a call that waited: %v", stat)
			}
			if stat := sess.Push("/echo", "x"); stat != nil {
				t.Errorf("a push that waited: %v", stat)
			}
		})
	}
	srv.start()
	wg.Wait()
	for _, cmd := range patient {
		polltest.Receive(t, "an asynchronous call", cmd.Done())
		if stat := cmd.Status(); stat != nil {
			t.Errorf("an asynchronous call that waited: %v", stat)
		}
	}
	if n, m := log.redials.Load(), srv.e.CountSession(); n != 1 || m != 1 {
		t.Errorf("%d connections were made, %d sessions are there", n, m)
	}
	if n := pendingCalls(sess); n != 0 {
		t.Errorf("%d calls are left in the table", n)
	}
}

// lingering is a connection that closes when it is let go.
type lingering struct {
	net.Conn
	letGo <-chan struct{}
}

func (c lingering) Close() error { <-c.letGo; return c.Conn.Close() }

func TestCallThatFindsItsConnectionGoneWaitsForTheNext(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	letGo := make(chan struct{})
	release := sync.OnceFunc(func() { close(letGo) })
	defer release() // or the end of a test that fails would wait
	sess := dial(t, newPeer(t, redialling(-1), &early{dial: func(s EarlySession, isRedial bool) *Status {
		if !isRedial {
			s.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) { return lingering{conn, letGo}, nil })
		}
		return nil
	}}), srv.addr())
	l := sess.(*session).link.Load()
	srv.cut()
	polltest.Until(t, "the loss", func() bool { return !sess.Health() })
	if l.pending.add(1, new(callCmd)) {
		t.Error("a connection that is gone takes a call")
	}
	call := sess.AsyncCall("/echo", "x", nil, nil)
	release()
	polltest.Receive(t, "the end of the call", call.Done())
	if stat := call.Status(); stat != nil {
		t.Error(stat)
	}
}

func TestPolicyOfMessagesBetweenTwoConnections(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	addr := srv.addr()
	cfg := redialling(-1)
	cfg.RedialInterval = 100 * time.Millisecond
	sess := dial(t, newPeer(t, cfg), addr)
	srv.stop()
	polltest.Until(t, "the loss", func() bool { return !sess.Health() })

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	patient := sess.AsyncCall("/echo", "x", nil, nil, WithContext(ctx), WithRedialPolicy(RedialWait))
	for what, stat := range map[string]*Status{
		"call":              sess.Call("/echo", "x", nil, WithFailFast()).Status(),
		"push":              sess.Push("/echo", "x", WithFailFast()),
		"call for one dial": sess.Call("/echo", "x", nil, WithRedialPolicy(RedialOnce)).Status(),
		"push for one dial": sess.Push("/echo", "x", WithRedialPolicy(RedialOnce)),
	} {
		if stat.Code() != CodeConnClosed || !NotExecuted(stat) || stat.Cause() == nil {
			t.Errorf("%s: status %v", what, stat)
		}
	}
	async := sess.AsyncCall("/echo", "x", nil, nil, WithFailFast())
	polltest.Receive(t, "the asynchronous call to fail", async.Done())
	wantStatus(t, async.Status(), CodeConnClosed, "between two connections")
	var dialErr *net.OpError
	if stat := sess.Call("/echo", "x", nil, WithRedialPolicy(RedialOnce)).Status(); !errors.As(stat.Cause(), &dialErr) {
		t.Errorf("who waits for one dial is not told why it failed: %v", stat)
	}
	select {
	case <-patient.Done():
		t.Errorf("who waits for a connection was given up: %v", patient.Status())
	default:
	}
	cancel()
	polltest.Receive(t, "the patient call to be given up", patient.Done())
	if stat := patient.Status(); stat.Code() != CodeHandleTimeout || !NotExecuted(stat) {
		t.Errorf("status %v", stat)
	}
	srv.start()
	if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
		t.Error(stat)
	}
	if stat := sess.Call("/echo", "x", nil, WithFailFast()).Status(); stat != nil {
		t.Errorf("over a connection: %v", stat)
	}
}

func TestGivenUpSessionSaysWhy(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	sess := dial(t, newPeer(t, redialling(2), log), srv.addr())
	log.refuse.Store(1 << 20)
	srv.cut()
	polltest.Receive(t, "the session to give up", sess.CloseNotify())
	stat := sess.Call("/echo", "x", nil).Status()
	var gaveUp *RedialError
	if stat.Code() != CodeConnClosed || !NotExecuted(stat) || !errors.As(stat.Cause(), &gaveUp) {
		t.Fatalf("status %v", stat)
	}
	if gaveUp.Addr != srv.addr() || gaveUp.Attempts != 2 || !strings.Contains(gaveUp.Error(), "refused") {
		t.Errorf("%+v: %v", gaveUp, gaveUp)
	}
}

func TestServerThatClosesAtOnceIsOneThatIsAway(t *testing.T) {
	t.Parallel()
	log := new(dialLog)
	cfg := redialling(3)
	cfg.RedialInterval = 300 * time.Millisecond // that no connection lasts, not even on a busy machine
	closed := new(hangUp)
	addr := serve(t, newPeer(t, EndpointConfig{}, closed))
	sess := dial(t, newPeer(t, cfg, log), addr)
	polltest.Receive(t, "the session to give up", sess.CloseNotify())
	// Every dial has succeeded, and if that counted for anything there would be no end.
	if n := log.redials.Load(); n < 3 {
		t.Errorf("%d redials, want the three of the budget, or more where the machine made connections last", n)
	}
}

// hangUp is a plugin that closes each session as soon as it is up.
type hangUp struct{}

func (*hangUp) Name() string { return "hang up" }

func (*hangUp) AfterAccept(s EarlySession) *Status {
	go func() { _ = s.(*session).Close() }()
	return nil
}

func TestRedialTimesZeroNeverRedials(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	cli := newPeer(t, EndpointConfig{LocalIP: "127.0.0.1"}, log)
	sess := dial(t, cli, srv.addr())
	srv.cut()
	polltest.Receive(t, "the session to end", sess.CloseNotify())
	wantStatus(t, sess.Call("/echo", "x", nil).Status(), CodeConnClosed, "")
	polltest.Until(t, "AfterDisconnect", func() bool { return log.disconnects.Load() == 1 })
	if sess.Health() || cli.CountSession() != 0 || log.before.Load() != 1 {
		t.Errorf("health %v, %d sessions, %d dials", sess.Health(), cli.CountSession(), log.before.Load())
	}
}

func TestRedialTimesIsABudgetOfEachOutage(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	cli := newPeer(t, redialling(3), log)
	sess := dial(t, cli, srv.addr())
	for outage := int32(1); outage <= 4; outage++ {
		log.refuse.Store(2) // two attempts fail, the third is good
		srv.cut()
		polltest.Until(t, "the redial", func() bool { return log.redials.Load() == 3*outage && sess.Health() })
		if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
			t.Fatalf("outage %d: %v", outage, stat)
		}
		lasts(t, sess)
	}

	log.redials.Store(0)
	log.refuse.Store(1 << 20)
	srv.cut()
	polltest.Receive(t, "the session to give up", sess.CloseNotify())
	polltest.Until(t, "AfterDisconnect", func() bool { return log.disconnects.Load() == 1 })
	if n := log.redials.Load(); n != 3 || log.fails.Load() != 1 || cli.CountSession() != 0 {
		t.Errorf("%d attempts, %d failures told, %d sessions", n, log.fails.Load(), cli.CountSession())
	}
	if !sess.Health() {
		t.Error("a session that a call can bring back is not healthy")
	}

	wantStatus(t, sess.Call("/echo", "x", nil).Status(), CodeConnClosed, "") // three more attempts
	if n := log.redials.Load(); n != 6 {
		t.Errorf("%d attempts", n)
	}
	log.refuse.Store(0)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
				t.Errorf("the call that revives the session: %v", stat)
			}
		})
	}
	wg.Wait()
	if found, ok := cli.GetSession(sess.ID()); !ok || found != sess || log.redials.Load() != 7 {
		t.Errorf("in the hub: %v, %d attempts", ok, log.redials.Load())
	}
	within(t, "Close of a session that was revived", func() {
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
	})
	if n := log.disconnects.Load(); n != 3 {
		t.Errorf("AfterDisconnect ran %d times, want once for each end", n)
	}
}

func TestRedialForEver(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	sess := dial(t, newPeer(t, redialling(-1), log), srv.addr())
	log.refuse.Store(6)
	srv.cut()
	if stat := sess.Call("/echo", "x", nil).Status(); stat != nil && stat.Code() != CodeConnClosed {
		t.Fatal(stat)
	}
	polltest.Until(t, "the seventh attempt", func() bool { return log.redials.Load() == 7 && sess.Health() })
	if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
		t.Error(stat)
	}
}

func TestDialTriesAsOftenAsConfigured(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, nil)
	for times, want := range map[int]int32{-1: 1, 0: 1, 1: 1, 4: 4} {
		log := &dialLog{afterDial: func(EarlySession, bool) *Status { return NewStatus(1001, "no", "because") }}
		cli := newPeer(t, redialling(times), log)
		_, stat := cli.Dial(srv.addr())
		wantStatus(t, stat, CodeDialFailed, "because")
		if n := log.dials.Load(); n != want || log.before.Load() != 1 || log.fails.Load() != 1 {
			t.Errorf("RedialTimes %d: %d attempts, want %d", times, n, want)
		}
	}
	polltest.Until(t, "the server to be rid of them", func() bool { return srv.e.CountSession() == 0 })
}

func TestRepliesStayOnTheConnectionOfTheirCall(t *testing.T) {
	t.Parallel()
	began, release := make(chan bool), make(chan bool)
	var connections atomic.Int32
	done := make(chan bool)
	addr := rawListen(t, func(p *rawPeer) {
		switch connections.Add(1) {
		case 1:
			p.send(message.TypeCall, 7, "/wait", 'j', `""`)
			<-began
			return
		case 2:
		default:
			return // the client comes back until the test has ended
		}
		defer close(done)
		close(release)
		p.send(message.TypeCall, 8, "/after", 'j', `""`) // which is answered after the handler of the first is through
		if m := p.next(); m == nil || m.Seq() != 8 {
			t.Errorf("over the next connection came %v", m)
		}
	})
	cli := newPeer(t, redialling(-1))
	finished := make(chan bool)
	HandleCall(cli, "/wait", func(c CallCtx, _ *string) (string, *Status) {
		close(began)
		<-release
		return "to whom?", nil
	}, replyWatch{func() { close(finished) }})
	HandleCall(cli, "/after", func(CallCtx, *string) (string, *Status) {
		<-finished
		return "", nil
	})
	dial(t, cli, addr)
	polltest.Receive(t, "the reply over the next connection", done)
}

func TestCloseWaitsForHandlersOfAConnectionThatWasNotBroughtBack(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"session", "endpoint"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			began, release := make(chan bool), make(chan bool)
			addr := rawListen(t, func(p *rawPeer) {
				p.send(message.TypeCall, 1, "/wait", 'j', `""`)
				<-began
			})
			log := new(dialLog)
			log.refuse.Store(1 << 20)
			cli := newPeer(t, redialling(1), log)
			var finished atomic.Bool
			HandleCall(cli, "/wait", func(CallCtx, *string) (string, *Status) {
				close(began)
				<-release
				finished.Store(true)
				return "", nil
			})
			sess := dial(t, cli, addr)
			polltest.Receive(t, "the session to give up", sess.CloseNotify())
			closed := make(chan bool)
			go func() {
				c := cli.Close
				if who == "session" {
					c = sess.Close
				}
				if err := c(); err != nil {
					t.Error(err)
				}
				if !finished.Load() {
					t.Error("Close has not waited for the handler")
				}
				close(closed)
			}()
			polltest.Until(t, "Close to begin", func() bool { return sess.(*session).IsActiveClosed() })
			close(release)
			polltest.Receive(t, "Close", closed)
		})
	}
}

// replyWatch is called when a reply is about to be written.
type replyWatch struct{ fn func() }

func (replyWatch) Name() string                        { return "reply watch" }
func (p replyWatch) BeforeWriteReply(WriteCtx) *Status { p.fn(); return nil }

func TestCloseWhileRedialling(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"session", "endpoint"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			srv := newFlakyServer(t, echoes)
			cfg := redialling(-1)
			cfg.RedialInterval = time.Hour // so that the pause has to be cut short
			log := new(dialLog)
			cli := newPeer(t, cfg, log)
			sess := dial(t, cli, srv.addr())
			srv.stop()
			polltest.Until(t, "the redial", func() bool { return log.before.Load() == 2 })
			ended := make(chan *Status, 2)
			go func() { ended <- sess.Call("/echo", "x", nil).Status() }()
			go func() { ended <- sess.Push("/echo", "x") }()
			within(t, "Close", func() {
				c := cli.Close
				if who == "session" {
					c = sess.Close
				}
				if err := c(); err != nil {
					t.Error(err)
				}
			})
			for range 2 {
				wantStatus(t, polltest.Receive(t, "what waited for the redial", ended), CodeConnClosed, "")
			}
			polltest.Until(t, "AfterDisconnect", func() bool { return log.disconnects.Load() == 1 })
			polltest.Until(t, "the goroutine that redialled", func() bool {
				e := cli.(*endpoint)
				e.mu.Lock()
				defer e.mu.Unlock()
				return e.running == 0 && len(e.sessions) == 0
			})
		})
	}
}

func TestCloseEndsADialThatHangs(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, nil)
	entered := make(chan bool, 1)
	log := new(dialLog)
	log.afterDial = func(s EarlySession, isRedial bool) *Status {
		if !isRedial {
			return nil
		}
		entered <- true
		return s.EarlyReceive(nil).Status() // of a server that says nothing
	}
	sess := dial(t, newPeer(t, redialling(-1), log), srv.addr())
	srv.cut()
	polltest.Receive(t, "the redial to hang", entered)
	within(t, "Close", func() {
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
	})
	if s := sess.(*session); !s.IsActiveClosed() {
		t.Errorf("state %d", s.getState())
	}
}

func TestResetConnectionIsRedialled(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	addr := rawListen(t, func(p *rawPeer) {
		if connections.Add(1)%2 == 1 {
			_ = p.Raw().(*net.TCPConn).SetLinger(0) // so that Close resets
			_ = p.next()
			return
		}
		for m := p.next(); m != nil; m = p.next() {
			if m.ServiceMethod() == "/reset" {
				return
			}
		}
	})
	sess := dial(t, newPeer(t, redialling(-1)), addr)
	var failed, written int
	polltest.Until(t, "pushes over several connections", func() bool {
		stat := sess.Push("/x", "some text")
		switch {
		case stat == nil:
			written++
		case stat.Code() == CodeConnClosed:
			failed++
		default:
			t.Fatalf("status %v", stat)
		}
		if connections.Load()%2 == 0 {
			_ = sess.Push("/reset", nil)
		}
		return connections.Load() >= 10
	})
	if written == 0 {
		t.Errorf("%d pushes were written, %d failed", written, failed)
	}
}

func TestSessionAgeIsRedialled(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	cfg := redialling(-1)
	cfg.DefaultSessionAge = 20 * time.Millisecond
	sess := dial(t, newPeer(t, cfg, log), srv.addr())
	polltest.Until(t, "three lives", func() bool { return log.redials.Load() >= 3 })
	polltest.Until(t, "a call in one of them", func() bool { return sess.Call("/echo", "x", nil).Status() == nil })
}

func TestCloseRacesTheRedial(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	for range 200 {
		log := new(dialLog)
		cfg := redialling(-1)
		cfg.RedialInterval = time.Nanosecond
		cli := newPeer(t, cfg, log)
		sess := dial(t, cli, srv.addr())
		_ = sess.(*session).link.Load().sock.Raw().Close()
		polltest.Until(t, "the redial", func() bool { return log.before.Load() == 2 })
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
		if n := cli.CountSession(); n != 0 {
			t.Fatal("a closed session is in the hub")
		}
		wantStatus(t, sess.Call("/echo", "x", nil).Status(), CodeConnClosed, "")
		_ = cli.Close()
		if n := cli.CountSession(); n != 0 {
			t.Fatal("a closed session is in the hub")
		}
	}
}
