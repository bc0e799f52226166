package multiclient

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestOneSessionCarriesWhatComesInTurn(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	ep := peertest.Endpoint(t, drpc.EndpointConfig{})
	c := New(ep, s.addr, 0)
	defer c.Close()
	if c.Size() != 0 || s.CountSession() != 0 {
		t.Error("it dials before it is used")
	}
	for i := range 50 {
		echoes(t, c, strconv.Itoa(i))
	}
	if stat := c.Push("/news", "today"); stat != nil {
		t.Error(stat)
	}
	if got := <-s.news; got != "today" {
		t.Error(got)
	}
	polltest.Until(t, "the session is free", func() bool { return c.Size() == 1 })
	if n := s.CountSession(); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if c.Addr() != s.addr || c.Endpoint() != ep {
		t.Error(c.Addr())
	}
}

// A session is free as soon as the call is sent: a hundred calls that wait for their replies need no hundred sessions.
func TestCallsWaitForTheirRepliesOverFewSessions(t *testing.T) {
	t.Parallel()
	const calls = 100
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{MaxSessions: 4})
	done := make(chan drpc.CallCmd, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() { c.AsyncCall("/wait", strconv.Itoa(i), new(string), done) })
	}
	wg.Wait()
	for range calls {
		<-s.begun
	}
	polltest.Until(t, "all sessions are free", func() bool { return c.Size() == s.CountSession() }) // one may just be dialled
	if n := s.CountSession(); n > 4 {
		t.Errorf("%d sessions", n)
	}
	close(s.let)
	sum := 0
	for range calls {
		cmd := <-done
		if stat := cmd.Status(); stat != nil {
			t.Fatal(stat)
		}
		reply, _ := cmd.Reply()
		n, _ := strconv.Atoi(*reply.(*string))
		sum += n
	}
	if sum != calls*(calls-1)/2 {
		t.Errorf("replies add up to %d", sum)
	}
}

// A peer that takes nothing makes those wait that send to it; others get sessions of their own.
func TestSessionsGrowInNumberWhileSendersAreStuck(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- conn // and nobody reads
		}
	})
	defer wg.Wait()
	defer func() { _ = ln.Close() }()
	c := newClient(t, ln.Addr().String(), Options{MaxSessions: 3})
	ctx, cancel := context.WithCancel(context.Background())
	stats := make(chan *drpc.Status, 4)
	push := func() { stats <- c.Push("/x", make([]byte, 4<<20-1000), drpc.WithContext(ctx)) }
	var conns []net.Conn
	for range 3 {
		n := len(conns)
		for len(conns) == n { // until those that are there are all stuck
			go push()
			select {
			case conn := <-accepted:
				conns = append(conns, conn)
			case stat := <-stats:
				if stat != nil {
					t.Fatal(stat)
				}
			}
		}
	}
	polltest.Until(t, "all sessions are taken", func() bool { // whatever the system takes for the last one
		select {
		case stat := <-stats:
			if stat != nil {
				t.Fatal(stat)
			}
			go push()
		default:
		}
		return c.Size() == 0
	})
	// A fourth one there is not.
	short, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	stat := c.Call("/x", "x", nil, drpc.WithContext(short)).Status()
	if stat.Code() != drpc.CodeHandleTimeout || !errors.Is(stat.Cause(), context.DeadlineExceeded) {
		t.Errorf("%v", stat)
	}
	cancel()
	for _, conn := range conns {
		_ = conn.Close()
	}
	polltest.Until(t, "nothing is taken any more", func() bool {
		c.pool.mu.Lock()
		defer c.pool.mu.Unlock()
		return c.pool.taken == 0 && len(c.pool.waiting) == 0
	})
	if len(accepted) > 0 {
		t.Error("there were more sessions than allowed")
	}
}

// So many sessions take turns as are asked for, also where one would do, and are there again after they were lost.
func TestSessionsTakeTurnsWhereAskedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{MinSessions: 3, MaxSessions: 3})
	for range 3 {
		polltest.Until(t, "three sessions are used", func() bool {
			echoes(t, c, "x")
			return c.Size() == 3
		})
		used := make(map[drpc.Session]bool)
		for range 6 {
			c.pool.mu.Lock()
			used[c.pool.free[0].sess.(drpc.Session)] = true
			c.pool.mu.Unlock()
			echoes(t, c, "x")
		}
		if len(used) != 3 || s.CountSession() != 3 {
			t.Errorf("%d sessions take turns, %d are there", len(used), s.CountSession())
		}
		s.RangeSession(func(sess drpc.Session) bool { _ = sess.Close(); return true })
		polltest.Until(t, "they are lost", func() bool { return c.Size() == 0 })
	}
}

func TestSessionsThatAreNotNeededAreClosed(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{MaxIdle: 50 * time.Millisecond})
	echoes(t, c, "x")
	polltest.Until(t, "it is closed", func() bool { return c.Size() == 0 && s.CountSession() == 0 })
	echoes(t, c, "again")
}

func TestNegativeIdleTimeClosesAfterTheReply(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{MaxIdle: -1})
	done := make(chan drpc.CallCmd, 1)
	c.AsyncCall("/wait", "late", new(string), done)
	<-s.begun
	if c.Size() != 0 {
		t.Error("it is kept")
	}
	close(s.let)
	if cmd := <-done; cmd.Status() != nil {
		t.Errorf("the reply was not waited for: %v", cmd.Status())
	}
	polltest.Until(t, "it is closed", func() bool { return s.CountSession() == 0 })
	echoes(t, c, "x")
}

// A session whose connection is lost is not used again, and not counted.
func TestLostSessionsAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{})
	for range 20 {
		echoes(t, c, "x")
		s.RangeSession(func(sess drpc.Session) bool { _ = sess.Close(); return true })
		polltest.Until(t, "the client knows", func() bool { return c.Size() == 0 })
	}
}

// While its sessions are being redialled a client dials others, and comes back to them afterwards.
func TestSessionsThatRedialAreNotThrownAway(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	ep := peertest.Endpoint(t, drpc.EndpointConfig{RedialTimes: -1, RedialInterval: time.Millisecond})
	c := NewWith(ep, s.addr, Options{MaxSessions: 1})
	defer c.Close()
	for range 10 {
		echoes(t, c, "x")
		s.RangeSession(func(sess drpc.Session) bool { _ = sess.Close(); return true })
		polltest.Until(t, "it is back", func() bool { return c.Size() == 1 })
	}
	if n := ep.CountSession(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestFailedDialIsTheCauseOfStatus100(t *testing.T) {
	t.Parallel()
	c := newClient(t, nobodyAt(t), Options{})
	refused := func(what string, stat *drpc.Status) {
		t.Helper()
		if stat.Code() != drpc.CodeWrongConn || stat.Msg() != "Wrong Connection" || !errors.Is(stat.Cause(), syscall.ECONNREFUSED) ||
			!drpc.NotExecuted(stat) {
			t.Errorf("%s: %v", what, stat)
		}
	}
	refused("call", c.Call("/echo", "x", nil).Status())
	refused("push", c.Push("/news", "x"))
	refused("call without a channel", c.AsyncCall("/echo", "x", nil, nil).Status())
	done := make(chan drpc.CallCmd, 1)
	for range 2 { // the second finds no room in the channel
		cmd := c.AsyncCall("/echo", "x", nil, done)
		<-cmd.Done()
		refused("asynchronous call", cmd.Status())
	}
	for range 2 {
		refused("the call in the channel", (<-done).Status())
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { refused("one of many", c.Call("/echo", "x", nil).Status()) })
	}
	wg.Wait()
}

// nobodyAt returns an address where nobody listens.
func nobodyAt(t *testing.T) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(porttest.Free(t))))
}

// observations is an observer that keeps what it is told.
type observations chan drpc.Observation

func (o observations) Observe(what drpc.Observation) { o <- what }

// No session can tell of what never had one.
func TestWhatFindsNoSessionIsObserved(t *testing.T) {
	t.Parallel()
	ep := peertest.Endpoint(t, drpc.EndpointConfig{})
	seen := make(observations, 2)
	defer ep.Observe(seen)()
	c := New(ep, nobodyAt(t), 0)
	defer c.Close()
	c.Call("/echo", "x", nil)
	_ = c.Push("/news", "x")
	for _, want := range []drpc.Observation{
		{Kind: drpc.ObservedOwnCall, ServiceMethod: "/echo"}, {Kind: drpc.ObservedOwnPush, ServiceMethod: "/news"},
	} {
		got := <-seen
		if got.Kind != want.Kind || got.ServiceMethod != want.ServiceMethod || got.Status.Code() != drpc.CodeWrongConn || got.Cost <= 0 {
			t.Errorf("observed %+v, want %+v with code %d", got, want, drpc.CodeWrongConn)
		}
	}
}

// A dial that hangs keeps nobody longer than the context of the call says.
func TestContextEndsTheWaitForADial(t *testing.T) {
	t.Parallel()
	hang, dialled := make(chan struct{}), make(chan struct{})
	p := newPool(func() (session, *drpc.Status) {
		<-hang
		close(dialled)
		return nil, drpc.NewStatus(drpc.CodeDialFailed, "", "no")
	}, Options{MaxSessions: 1})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, stat := p.take(ctx); stat.Code() != drpc.CodeHandleTimeout || !errors.Is(stat.Cause(), context.Canceled) || !drpc.NotExecuted(stat) {
		t.Errorf("%v", stat)
	}
	close(hang)
	<-dialled
}

func TestCloseWaitsForReplies(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	ep := peertest.Endpoint(t, drpc.EndpointConfig{})
	c := New(ep, s.addr, 0)
	done := make(chan drpc.CallCmd, 1)
	c.AsyncCall("/wait", "late", new(string), done)
	<-s.begun
	closed := make(chan struct{})
	go func() { c.Close(); close(closed) }()
	polltest.Until(t, "it begins", func() bool { // without taking the session, which Close would find away
		c.pool.mu.Lock()
		defer c.pool.mu.Unlock()
		return c.pool.closed
	})
	if stat := c.Push("/news", "x"); stat.Code() != drpc.CodeWrongConn || !errors.Is(stat.Cause(), ErrClosed) {
		t.Error(stat)
	}
	if stat := c.Call("/echo", "x", nil).Status(); !errors.Is(stat.Cause(), ErrClosed) {
		t.Error(stat)
	}
	select {
	case <-closed:
		t.Error("it does not wait")
	default:
	}
	close(s.let)
	if cmd := <-done; cmd.Status() != nil {
		t.Error(cmd.Status())
	}
	<-closed
	c.Close()
	if c.Size() != 0 || ep.CountSession() != 0 {
		t.Errorf("%d free, %d sessions", c.Size(), ep.CountSession())
	}
	if _, stat := ep.Dial(s.addr); stat != nil {
		t.Errorf("the endpoint is closed, too: %v", stat)
	}
}

func TestAsyncCallRefusesAChannelWithoutRoom(t *testing.T) {
	t.Parallel()
	c := newClient(t, "127.0.0.1:1", Options{})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.AsyncCall("/x", nil, nil, make(chan drpc.CallCmd))
}

// A setting that panics must not take a session with it.
func TestPanicGivesTheSessionBack(t *testing.T) {
	t.Parallel()
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{MaxSessions: 1})
	echoes(t, c, "x")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		c.Call("/echo", "x", nil, func(message.Message) { panic("a setting") })
	}()
	echoes(t, c, "x")
}

func TestProtocolOfTheClientIsUsed(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{})
	drpc.HandleCall(srv, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	addr := peertest.Serve(t, srv, jsonproto.NewJSONProtoFunc())
	c := New(peertest.Endpoint(t, drpc.EndpointConfig{}), addr, 0, jsonproto.NewJSONProtoFunc())
	defer c.Close()
	echoes(t, c, "in json")
}

// Callers, a server that loses connections, and an end in the middle of it: every call has an outcome.
func TestEveryCallEndsWhateverHappens(t *testing.T) {
	t.Parallel()
	const callers, calls = 16, 100
	s := newServer(t, drpc.EndpointConfig{})
	c := newClient(t, s.addr, Options{MaxIdle: time.Millisecond, MaxSessions: 4})
	stop := make(chan struct{})
	var killers, wg sync.WaitGroup
	killers.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				s.RangeSession(func(sess drpc.Session) bool { go func() { _ = sess.Close() }(); return false })
			}
		}
	})
	var mu sync.Mutex
	good := 0
	for i := range callers {
		wg.Go(func() {
			for j := range calls {
				if i == 0 && j == calls*3/4 {
					c.Close()
				}
				var got string
				switch stat := c.Call("/echo", "x", &got).Status(); {
				case stat == nil && got == "x":
					mu.Lock()
					good++
					mu.Unlock()
				case stat.Code() == drpc.CodeConnClosed, stat.Code() == drpc.CodeWrongConn, drpc.NotExecuted(stat):
				default:
					t.Errorf("%q, %v", got, stat)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	killers.Wait()
	if good == 0 {
		t.Error("nothing was answered")
	}
	polltest.Until(t, "nothing is left", func() bool { return s.CountSession() == 0 })
}

// BenchmarkCall compares a client with a single session.
func BenchmarkCall(b *testing.B) {
	s := newServer(b, drpc.EndpointConfig{})
	sess := peertest.Dial(b, peertest.Endpoint(b, drpc.EndpointConfig{}), s.addr, nil)
	c := newClient(b, s.addr, Options{})
	for name, call := range map[string]func(string, any, any, ...message.MsgSetting) drpc.CallCmd{"session": sess.Call, "async": func(m string, a, r any, s ...message.MsgSetting) drpc.CallCmd {
		x := sess.AsyncCall(m, a, r, make(chan drpc.CallCmd, 1), s...)
		<-x.Done()
		return x
	}, "multiclient": c.Call} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				var got string
				for pb.Next() {
					if stat := call("/echo", "x", &got).Status(); stat != nil {
						b.Error(stat)
					}
				}
			})
		})
	}
	b.Logf("%d sessions", c.Size())
}
