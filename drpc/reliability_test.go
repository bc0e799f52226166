package drpc

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// many is how many clients the tests of many clients have.
func many() int {
	if testing.Short() {
		return 100
	}
	return 1000
}

// soak reports whether tests take the time of the real thing.
func soak() bool { return os.Getenv("DMICRO_SOAK") != "" }

// arrivals is a plugin of a server that notes when connections came.
type arrivals struct {
	mu    sync.Mutex
	first time.Time
	last  time.Time
	n     int
}

func (*arrivals) Name() string { return "arrivals" }

func (p *arrivals) AfterAccept(EarlySession) *Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	if p.n++; p.n == 1 {
		p.first = p.last
	}
	return nil
}

func (p *arrivals) take() (n int, span time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, span = p.n, p.last.Sub(p.first)
	p.n = 0
	return n, span
}

// C4: 1,000 clients lose their server.
func TestManyClientsLoseTheirServer(t *testing.T) {
	t.Parallel()
	const window = time.Second
	came := new(arrivals)
	srv := newPeer(t, EndpointConfig{}, came)
	echoes(srv)
	addr := serve(t, srv)
	cfg := redialling(-1)
	cfg.RedialInterval = window
	cli := newPeer(t, cfg)
	sessions := make([]Session, many())
	for i := range sessions {
		sessions[i] = dial(t, cli, addr)
	}
	polltest.Until(t, "all sessions", func() bool { return srv.CountSession() == len(sessions) })
	came.take()

	srv.RangeSession(func(s Session) bool {
		_ = s.(*session).link.Load().sock.Raw().Close()
		return true
	})
	polltest.Until(t, "all to be back", func() bool {
		came.mu.Lock()
		defer came.mu.Unlock()
		return came.n >= len(sessions) && cli.CountSession() == len(sessions) && srv.CountSession() == len(sessions)
	})
	n, span := came.take()
	t.Logf("%d clients came back over %v", n, span)
	if n != len(sessions) {
		t.Errorf("%d connections of %d clients", n, len(sessions))
	}
	if span < window/2 {
		t.Errorf("they came within %v, and should spread over %v", span, window)
	}
	for _, sess := range sessions {
		if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	if a, b := cli.CountSession(), srv.CountSession(); a != len(sessions) || b != len(sessions) {
		t.Errorf("%d and %d sessions, want %d", a, b, len(sessions))
	}
}

func TestManyClientsMoveWithCallsUnderWay(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	n := many()
	var mu sync.Mutex
	executed := make(map[string]int)
	came := new(arrivals)
	srv := newSuccession(t, func(e Endpoint) {
		e.PluginContainer().AppendLeft(came)
		HandleCall(e, "/work", func(_ CallCtx, id *string) (string, *Status) {
			time.Sleep(20 * time.Millisecond) // so that some are under way at any time
			mu.Lock()
			defer mu.Unlock()
			executed[*id]++
			return *id, nil
		})
	})
	cli := newPeer(t, EndpointConfig{})
	sessions := make([]Session, n)
	for i := range sessions {
		sessions[i] = dial(t, cli, srv.addr())
	}
	srv.accepted(n)
	came.take()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var calls atomic.Int64
	for i, sess := range sessions {
		wg.Go(func() {
			for k := 0; ; k++ {
				id := fmt.Sprint(i, " ", k)
				var got string
				if stat := sess.Call("/work", id, &got).Status(); stat != nil || got != id {
					t.Errorf("call %s: %q, %v", id, got, stat)
				}
				calls.Add(1)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	polltest.Until(t, "calls of everybody", func() bool { return calls.Load() > int64(n) })
	first, begin := srv.now, time.Now()
	done := srv.drain(limit)
	srv.next()
	var err error
	select {
	case err = <-done:
	case <-time.After(limit + 10*time.Second):
		t.Fatal("the drain does not end in its time")
	}
	took := time.Since(begin)
	if err != nil || first.CountSession() != 0 {
		t.Errorf("%v, %d sessions are left", err, first.CountSession())
	}
	after := calls.Load()
	polltest.Until(t, "calls after the move", func() bool { return calls.Load() > after+int64(n) })
	close(stop)
	wg.Wait()
	moved, span := came.take()
	t.Logf("%d clients moved over %v, the drain took %v, %d calls", moved, span, took, calls.Load())
	if moved != n || srv.now.CountSession() != n || cli.CountSession() != n {
		t.Errorf("%d connections, %d and %d sessions, want %d", moved, srv.now.CountSession(), cli.CountSession(), n)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(executed) != int(calls.Load()) {
		t.Errorf("%d calls were answered, %d were executed", calls.Load(), len(executed))
	}
	for id, n := range executed {
		if n != 1 {
			t.Errorf("call %s was executed %d times", id, n)
		}
	}
}

func TestOutageCausesNoStorm(t *testing.T) {
	t.Parallel()
	const sessions = 50
	interval, outage, most := 20*time.Millisecond, 600*time.Millisecond, 15
	if soak() {
		interval, outage, most = defaultRedialInterval, 30*time.Second, 20
	}
	var mu sync.Mutex
	intruders := 0
	srv := newFlakyServer(t, func(e Endpoint) {
		e.PluginContainer().AppendLeft(&loginFirst{func() {
			mu.Lock()
			defer mu.Unlock()
			intruders++
		}})
		echoes(e)
	})
	addr := srv.addr()
	log := &dialLog{afterDial: func(s EarlySession, _ bool) *Status { return s.EarlySend(TypePush, "/login", nil, nil) }}
	cfg := redialling(-1)
	cfg.RedialInterval = interval
	cli := newPeer(t, cfg, log)
	all := make([]Session, sessions)
	for i := range all {
		all[i] = dial(t, cli, addr)
		all[i].SetID(fmt.Sprint("mine ", i))
		all[i].Swap().Set("i", i)
	}
	polltest.Until(t, "all sessions", func() bool { return srv.e.CountSession() == sessions }) // see stop
	srv.stop()
	calls := make([]CallCmd, sessions)
	for i, sess := range all {
		polltest.Until(t, "the loss", func() bool { return !sess.Health() })
		calls[i] = sess.AsyncCall("/echo", "x", nil, nil)
	}
	<-time.After(outage) // it is the subject of this test, and not a wait for something
	attempts, worst := 0, 0
	for _, sess := range all {
		s := sess.(*session)
		s.mu.Lock()
		n := int(s.failures)
		s.mu.Unlock()
		attempts, worst = attempts+n, max(worst, n)
	}
	t.Logf("%d sessions tried %d times in %v, one of them %d times", sessions, attempts, outage, worst)
	if attempts > sessions*most {
		t.Errorf("%d sessions tried %d times in %v: that is a storm", sessions, attempts, outage)
	}
	srv.start()
	for i, cmd := range calls {
		select {
		case <-cmd.Done():
		case <-time.After(2 * maxRedialInterval):
			t.Fatal("the session does not come back")
		}
		if stat := cmd.Status(); stat != nil {
			t.Errorf("call %d: %v", i, stat)
		}
	}
	for i, sess := range all {
		if want := fmt.Sprint("mine ", i); sess.ID() != want || sess.Swap().Get("i") != i {
			t.Errorf("session %d has the id %q and the swap %v", i, sess.ID(), sess.Swap().Get("i"))
		}
	}
	if a, b := srv.e.CountSession(), cli.CountSession(); a != sessions || b != sessions || log.redials.Load() != sessions {
		t.Errorf("%d and %d sessions, %d hooks of redials, want %d", a, b, log.redials.Load(), sessions)
	}
	mu.Lock()
	defer mu.Unlock()
	if intruders > 0 {
		t.Errorf("%d connections began with something other than what the hook sent", intruders)
	}
}

// loginFirst takes the first message of a connection and complains if it is not the login.
type loginFirst struct{ complain func() }

func (*loginFirst) Name() string { return "login first" }

func (p *loginFirst) AfterAccept(s EarlySession) *Status {
	in := s.EarlyReceive(nil)
	if !in.StatusOK() {
		return in.Status() // the connection has ended, or this server has
	}
	if in.ServiceMethod() != "/login" {
		p.complain()
	}
	return nil
}
