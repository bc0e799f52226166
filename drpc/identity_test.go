package drpc

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

func TestSessionsAreNamedAfterAddresses(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	sess := dial(t, cli, serve(t, srv))
	accepted := onlySession(t, srv)
	if sess.ID() != sess.LocalAddr().String() || accepted.ID() != sess.ID() || accepted.RemoteAddr().String() != sess.ID() {
		t.Errorf("dialled %q, accepted %q, local address %v", sess.ID(), accepted.ID(), sess.LocalAddr())
	}
}

func TestSessionsOverUnixSocketsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	srv := newPeer(t, EndpointConfig{Network: "unix", ListenIP: path})
	HandleCall(srv, "/id", func(c CallCtx, _ *string) (string, *Status) { return c.Session().ID(), nil })
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{Network: "unix"})
	seen := map[string]bool{}
	for range 3 {
		sess := dial(t, cli, addr)
		var id string
		if stat := sess.Call("/id", nil, &id).Status(); stat != nil {
			t.Fatal(stat)
		}
		for _, id := range []string{"accepted " + id, "dialled " + sess.ID()} {
			if seen[id] || strings.HasSuffix(id, " ") || strings.HasSuffix(id, "@") {
				t.Errorf("name %q", id)
			}
			seen[id] = true
		}
	}
	if n, m := srv.CountSession(), cli.CountSession(); n != 3 || m != 3 {
		t.Errorf("%d accepted and %d dialled sessions", n, m)
	}
}

func TestNewcomerTakesAnIdOver(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	began, release := make(chan bool), make(chan bool)
	HandleCall(srv, "/login", func(c CallCtx, name *string) (string, *Status) {
		c.Session().(Session).SetID(*name)
		return c.Session().ID(), nil
	})
	HandleCall(srv, "/wait", func(CallCtx, *string) (string, *Status) {
		close(began)
		<-release
		return "done", nil
	})
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})
	login := func() Session {
		sess := dial(t, cli, addr)
		var id string
		if stat := sess.Call("/login", "user", &id).Status(); stat != nil || id != "user" {
			t.Fatalf("%v, %q", stat, id)
		}
		return sess
	}
	old := login()
	var got string
	slow := old.AsyncCall("/wait", nil, &got, nil)
	polltest.Receive(t, "the handler of the old session", began)

	within(t, "the login of the newcomer, whatever runs on the old session", func() { login() })
	found, ok := srv.GetSession("user")
	if !ok || found.RemoteAddr().String() == old.LocalAddr().String() || srv.CountSession() != 1 {
		t.Errorf("%v, %d sessions", ok, srv.CountSession())
	}
	close(release) // the old session may finish what it had begun
	polltest.Receive(t, "the slow call", slow.Done())
	if stat := slow.Status(); stat != nil || got != "done" {
		t.Errorf("%v, %q", stat, got)
	}
	polltest.Receive(t, "the end of the old session", old.CloseNotify())
	if still, ok := srv.GetSession("user"); !ok || still != found || srv.CountSession() != 1 {
		t.Error("the end of the old session has taken the newcomer out")
	}
	found.SetID("user") // to itself is nothing
	if _, ok := srv.GetSession("user"); !ok || !found.Health() {
		t.Error("a session has taken its id over from itself")
	}
}

func TestIdGivenBeforeTheSessionIsUp(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, earlyID{})
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})
	first := dial(t, cli, addr)
	polltest.Until(t, "the session under its name", func() bool { _, ok := srv.GetSession("fixed"); return ok })
	dial(t, cli, addr)
	polltest.Receive(t, "the first session to make way", first.CloseNotify())
	if srv.CountSession() != 1 {
		t.Errorf("%d sessions", srv.CountSession())
	}
}

type earlyID struct{}

func (earlyID) Name() string { return "early id" }

func (earlyID) AfterAccept(s EarlySession) *Status {
	if s.Endpoint().CountSession() > 0 && s.(Session).Health() {
		return NewStatus(1001, "up too early")
	}
	s.SetID("fixed")
	return nil
}

func TestHub(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	if sess, ok := e.GetSession("nobody"); sess != nil || ok {
		t.Errorf("nobody is %#v, %v", sess, ok)
	}
	want := map[string]bool{}
	for _, id := range []string{"a", "b", "c"} {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		sess, stat := e.ServeConn(near)
		if stat != nil {
			t.Fatal(stat)
		}
		sess.SetID(id)
		want[id] = true
	}
	if e.CountSession() != len(want) {
		t.Errorf("%d sessions", e.CountSession())
	}
	e.RangeSession(func(s Session) bool {
		if !want[s.ID()] {
			t.Errorf("session %q", s.ID())
		}
		delete(want, s.ID())
		_, _ = e.GetSession(s.ID()) // no lock is held
		_ = s.Close()
		return true
	})
	if len(want) != 0 || e.CountSession() != 0 {
		t.Errorf("not visited: %v; %d sessions are left", want, e.CountSession())
	}
	n := 0
	for range 3 {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		if sess, stat := e.ServeConn(near); stat == nil {
			sess.SetID(string(rune('d' + n)))
			n++
		}
	}
	visited := 0
	e.RangeSession(func(Session) bool { visited++; return false })
	if visited != 1 {
		t.Errorf("%d sessions were visited after false", visited)
	}
}

func TestSessionIsUpWhenItIsInTheHub(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})
	done := make(chan bool)
	pushes := make(chan *Status, 1)
	go func() {
		defer close(done)
		seen := 0
		for seen < 50 {
			srv.RangeSession(func(s Session) bool {
				if stat := s.Push("/x", nil); stat != nil {
					select {
					case pushes <- stat:
					default:
					}
				}
				return true
			})
			seen = srv.CountSession()
		}
	}()
	for range 50 {
		dial(t, cli, addr)
	}
	polltest.Receive(t, "all sessions", done)
	select {
	case stat := <-pushes:
		t.Errorf("a push over a session in the hub: %v", stat)
	default:
	}
}

// pipeSession serves one end of a pipe.
func pipeSession(t testing.TB, e Endpoint) Session {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	sess, stat := e.ServeConn(near)
	if stat != nil {
		t.Fatal(stat)
	}
	return sess
}

// The addresses of a pipe say nothing, and an endpoint that dials itself has two sessions with the same one.
func TestAddressesTakeNothingOver(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	HandleCall(e, "/id", func(c CallCtx, _ *string) (string, *Status) { return c.Session().ID(), nil })
	a, b := pipeSession(t, e), pipeSession(t, e)
	if a.ID() == b.ID() || !a.Health() || !b.Health() || e.CountSession() != 2 {
		t.Errorf("%q and %q, %d sessions", a.ID(), b.ID(), e.CountSession())
	}
	own := dial(t, e, serve(t, e))
	var other string
	if stat := own.Call("/id", nil, &other).Status(); stat != nil {
		t.Fatal(stat)
	}
	polltest.Until(t, "four sessions", func() bool { return e.CountSession() == 4 })
	for _, id := range []string{a.ID(), b.ID(), own.ID(), other} {
		if s, ok := e.GetSession(id); !ok || !s.Health() || s.ID() != id {
			t.Errorf("session %q: %v", id, ok)
		}
	}
	if stat := own.Call("/id", nil, nil).Status(); stat != nil {
		t.Error(stat)
	}
}

// checkHub fails unless each session is in the hub under the id that it says it has, and under no other.
func checkHub(t testing.TB, e Endpoint) {
	t.Helper()
	h := e.(*endpoint).hub
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[*session]bool{}
	for id, s := range h.byID {
		if s.ID() != id || seen[s] {
			t.Errorf("a session that calls itself %q is under %q", s.ID(), id)
		}
		seen[s] = true
	}
}

func TestTakeoverByManyLeavesExactlyOne(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	for round := range 20 {
		var sessions []Session
		for range 16 {
			sessions = append(sessions, pipeSession(t, e))
		}
		user := "user " + strconv.Itoa(round)
		var wg sync.WaitGroup
		for i, sess := range sessions {
			wg.Go(func() {
				if i%3 == 0 {
					sess.SetID("elsewhere " + strconv.Itoa(i))
				}
				sess.SetID(user)
				if i%5 == 0 {
					sess.SetID(user)
				}
			})
		}
		wg.Wait()
		winner, ok := e.GetSession(user)
		if !ok {
			t.Fatal("nobody has the id")
		}
		for _, sess := range sessions {
			if sess != winner {
				polltest.Receive(t, "the end of a session whose id was taken", sess.CloseNotify())
			}
		}
		if again, ok := e.GetSession(user); !ok || again != winner || !winner.Health() || e.CountSession() != 1 {
			t.Errorf("%v, healthy %v, %d sessions", ok, winner.Health(), e.CountSession())
		}
		checkHub(t, e)
		if err := winner.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A session that is named after its new address while somebody names it must end up under one name.
func TestNamingAfterAnAddressAndByHandDoNotCross(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	h := e.(*endpoint).hub
	for i := range 200 {
		sess := pipeSession(t, e).(*session)
		var wg sync.WaitGroup
		wg.Go(func() { sess.SetID("mine") })
		wg.Go(func() { h.nameAfter(sess, &net.TCPAddr{Port: i + 1}) })
		wg.Wait()
		if sess.ID() != "mine" {
			t.Fatalf("it is called %q", sess.ID())
		}
		checkHub(t, e)
		if _ = sess.Close(); e.CountSession() != 0 {
			t.Fatalf("%d sessions are left", e.CountSession())
		}
	}
}

func TestSessionThatComesBackMakesWayForTheNewerOne(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	hold := make(chan bool)
	log := &dialLog{afterDial: func(s EarlySession, isRedial bool) *Status {
		if isRedial && s.(Session).ID() == "user" {
			<-hold
		}
		return nil
	}}
	cli := newPeer(t, redialling(-1), log)
	old := dial(t, cli, srv.addr())
	old.SetID("user")
	srv.cut()
	polltest.Until(t, "the redial", func() bool { return log.redials.Load() > 0 })
	newer := dial(t, cli, srv.addr())
	newer.SetID("user")
	call := old.AsyncCall("/echo", "x", new(string), nil)
	close(hold)
	polltest.Receive(t, "the end of the old session", old.CloseNotify())
	polltest.Receive(t, "the call that waited for it", call.Done())
	wantStatus(t, call.Status(), CodeConnClosed, "")
	var got string
	if stat := newer.Call("/echo", "x", &got).Status(); stat != nil || got != "x" {
		t.Errorf("the newer one: %v, %q", stat, got)
	}
	if s, ok := cli.GetSession("user"); !ok || s != newer || cli.CountSession() != 1 {
		t.Errorf("%v, %d sessions", ok, cli.CountSession())
	}
	checkHub(t, cli)
}

// isKept reports whether the endpoint would close sess with itself.
func isKept(sess Session) bool {
	s := sess.(*session)
	s.ep.mu.Lock()
	defer s.ep.mu.Unlock()
	_, ok := s.ep.sessions[s]
	return ok
}

func TestSessionWhoseRedialFailedLeavesAndACallBringsItBack(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	log := new(dialLog)
	cli := newPeer(t, redialling(2), log)
	sess := dial(t, cli, srv.addr())
	sess.SetID("mine")
	first := sess.CloseNotify()
	addr := srv.addr()
	for outage := range int32(3) {
		end := sess.CloseNotify()
		select {
		case <-end:
			t.Fatal("closed, although it is up")
		default:
		}
		srv.stop()
		polltest.Receive(t, "the end of the redial", end)
		polltest.Until(t, "the endpoint to forget it", func() bool { return !isKept(sess) })
		if st := sess.(*session); !st.IsPassiveClosed() || !st.Health() || cli.CountSession() != 0 {
			t.Errorf("passively closed %v, healthy %v, %d sessions", st.IsPassiveClosed(), st.Health(), cli.CountSession())
		}
		wantStatus(t, sess.Call("/echo", "x", nil).Status(), CodeConnClosed, "") // tries, and fails again
		polltest.Until(t, "the endpoint to forget it again", func() bool { return !isKept(sess) })
		polltest.Until(t, "the hooks of its end", func() bool { return log.disconnects.Load() >= 2*(outage+1) })

		srv.start()
		if srv.addr() != addr {
			t.Fatal("the server came back elsewhere")
		}
		var got string
		if stat := sess.Call("/echo", "again", &got).Status(); stat != nil || got != "again" {
			t.Fatalf("%v, %q", stat, got)
		}
		if found, ok := cli.GetSession("mine"); !ok || found != sess || !isKept(sess) || !sess.Health() {
			t.Errorf("found %v, kept %v", ok, isKept(sess))
		}
	}
	select {
	case <-first:
	default:
		t.Error("who waited for the first end still waits")
	}
	last := sess.CloseNotify()
	if err := cli.Close(); err != nil {
		t.Error(err)
	}
	polltest.Receive(t, "the end with the endpoint", last)
	if !sess.(*session).IsActiveClosed() {
		t.Error("the endpoint has not closed a session that was brought back")
	}
}

// A session that was given up is nobody's: it may be dropped without a Close, and closed all the same.
func TestSessionsThatWereGivenUpMayBeClosed(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, echoes)
	cli := newPeer(t, redialling(1))
	sess := dial(t, cli, srv.addr())
	srv.stop()
	polltest.Receive(t, "the end", sess.CloseNotify())
	polltest.Until(t, "the endpoint to forget it", func() bool { return !isKept(sess) })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			sess.Call("/echo", "x", nil)
			if err := sess.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if isKept(sess) || sess.Health() || !sess.(*session).IsActiveClosed() {
		t.Errorf("kept %v, healthy %v", isKept(sess), sess.Health())
	}
	wantStatus(t, sess.Call("/echo", "x", nil).Status(), CodeConnClosed, "")
}

func TestIdleLimitIsOffByDefault(t *testing.T) {
	t.Parallel()
	cfg := EndpointConfig{SessionIdleTimeout: -time.Second}
	if err := cfg.complete(); err != nil || cfg.SessionIdleTimeout != 0 {
		t.Errorf("%v, %v", err, cfg.SessionIdleTimeout)
	}
	if sess := pipeSession(t, newPeer(t, EndpointConfig{})).(*session); sess.idleLimit != nil {
		t.Error("a session has an idle limit that nobody asked for")
	}
}
