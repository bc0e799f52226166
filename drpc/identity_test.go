package drpc

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
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
	eventually(t, "the handler of the old session", began)

	within(t, "the login of the newcomer, whatever runs on the old session", func() { login() })
	found, ok := srv.GetSession("user")
	if !ok || found.RemoteAddr().String() == old.LocalAddr().String() || srv.CountSession() != 1 {
		t.Errorf("%v, %d sessions", ok, srv.CountSession())
	}
	close(release) // the old session may finish what it had begun
	eventually(t, "the slow call", slow.Done())
	if stat := slow.Status(); stat != nil || got != "done" {
		t.Errorf("%v, %q", stat, got)
	}
	eventually(t, "the end of the old session", old.CloseNotify())
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
	waitFor(t, "the session under its name", func() bool { _, ok := srv.GetSession("fixed"); return ok })
	dial(t, cli, addr)
	eventually(t, "the first session to make way", first.CloseNotify())
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
	eventually(t, "all sessions", done)
	select {
	case stat := <-pushes:
		t.Errorf("a push over a session in the hub: %v", stat)
	default:
	}
}
