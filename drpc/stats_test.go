package drpc

import (
	"context"
	"io"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// meter passes a connection on and counts what goes through, so that a test has figures of its own.
type meter struct {
	net.Conn
	in, out *uint64
}

func (m meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	*m.in += uint64(n)
	return n, err
}

func (m meter) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	*m.out += uint64(n)
	return n, err
}

func TestStatsOfASessionAreWhatWentOverIt(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	HandleCall(srv, "/wait", func(_ CallCtx, _ *string) (string, *Status) {
		entered <- struct{}{}
		<-leave
		return "", nil
	})
	before := time.Now()
	near, far := net.Pipe()
	var in, out uint64
	there, stat := srv.ServeConn(meter{far, &in, &out})
	if stat != nil {
		t.Fatal(stat)
	}
	cli := newPeer(t, EndpointConfig{})
	here, stat := cli.ServeConn(near)
	if stat != nil {
		t.Fatal(stat)
	}
	var reply string
	for range 10 {
		if stat = here.Call("/echo", "hello", &reply).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	done := make(chan CallCmd, 2)
	here.AsyncCall("/wait", "", nil, done)
	here.AsyncCall("/wait", "", nil, done)
	for range 2 {
		polltest.Receive(t, "handlers at work", entered)
	}
	polltest.Until(t, "the last echo is no longer served", func() bool { return srv.Stats().Serving == 2 }) // its reply overtook that
	if st := there.Stats(); st.Serving != 2 || st.Calling != 0 {
		t.Errorf("the server serves %d and calls %d, want 2 and 0", st.Serving, st.Calling)
	}
	if st := here.Stats(); st.Serving != 0 || st.Calling != 2 {
		t.Errorf("the client serves %d and calls %d, want 0 and 2", st.Serving, st.Calling)
	}
	if st := srv.Stats(); st.Sessions != 1 || st.Accepted != 1 || st.Serving != 2 || st.Workers < 2 {
		t.Errorf("server: %+v", st)
	}
	close(leave)
	for range 2 {
		polltest.Receive(t, "replies", done)
	}
	polltest.Until(t, "nothing at work", func() bool { return there.Stats().Serving == 0 })
	var a, b SessionStats
	polltest.Until(t, "the bytes of both sides agree", func() bool { // who has written counts after the other one has read
		a, b = here.Stats(), there.Stats()
		return a.BytesOut > 0 && a.BytesIn > 0 && a.BytesOut == b.BytesIn && a.BytesIn == b.BytesOut
	})
	if b.LastActive.Before(before) || b.LastActive.After(time.Now()) || b.Since.Before(before) || b.Since.After(b.LastActive) {
		t.Errorf("since %v, last active %v; the test began at %v", b.Since, b.LastActive, before)
	}
	if b.ID != there.ID() || b.Remote != there.RemoteAddr().String() || b.Local == "" || b.Dialed {
		t.Errorf("server: %+v", b)
	}
	_ = here.Close()
	polltest.Receive(t, "the end of the session", there.CloseNotify())
	polltest.Until(t, "the session leaves the endpoint", func() bool {
		sessions, _ := srv.(*endpoint).counted()
		return len(sessions) == 0
	})
	if st := srv.Stats(); st.Sessions != 0 || st.BytesIn != in || st.BytesOut != out || st.Serving != 0 {
		t.Errorf("after the end: %+v, the connection carried %d in and %d out", st, in, out)
	}
}

func TestStatsCountRedialsAndBytesOfAllConnections(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{RedialTimes: -1, RedialInterval: time.Millisecond})
	sess := dial(t, cli, addr)
	var reply string
	for i := range 3 {
		if stat := sess.Call("/echo", "x", &reply).Status(); stat != nil {
			t.Fatal(stat)
		}
		before := sess.Stats()
		if before.Redials != uint64(i) || !before.Dialed {
			t.Fatalf("%d redials, dialed %v; want %d, true", before.Redials, before.Dialed, i)
		}
		srv.RangeSession(func(s Session) bool {
			s.(*session).link.Load().die(io.ErrUnexpectedEOF)
			return true
		})
		polltest.Until(t, "a redial", func() bool { return sess.Stats().Redials == uint64(i+1) })
		if after := sess.Stats(); after.BytesIn < before.BytesIn || after.BytesOut < before.BytesOut {
			t.Errorf("bytes went back from %+v to %+v", before, after)
		}
	}
	polltest.Until(t, "the server has noticed", func() bool { return srv.Stats().Accepted == 4 && srv.Stats().Sessions == 1 })
	if st := cli.Stats(); st.Dialed != 1 || st.Redials != 3 || st.DialsFailed != 0 {
		t.Errorf("client: %+v", st)
	}
	polltest.Until(t, "the bytes of both sides agree", func() bool {
		a, b := cli.Stats(), srv.Stats()
		return a.BytesIn == b.BytesOut && a.BytesOut == b.BytesIn
	})
}

func TestStatsCountWhatFailedAndWhatWasRefused(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	srv := newPeer(t, EndpointConfig{MaxRequests: 1, ListenPort: porttest.Free(t)}) // which nobody else gets after the Close
	HandleCall(srv, "/wait", func(_ CallCtx, _ *string) (string, *Status) {
		<-release
		return "", nil
	})
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})
	sess := dial(t, cli, addr)
	done := make(chan CallCmd, 1)
	sess.AsyncCall("/wait", "", nil, done)
	polltest.Until(t, "the handler is at work", func() bool { return srv.Stats().Serving == 1 })
	wantStatus(t, sess.Call("/wait", "", nil).Status(), CodeBusy, "")
	close(release)
	polltest.Receive(t, "the reply", done)
	if n := srv.Stats().Refused; n != 1 {
		t.Errorf("%d refused, want 1", n)
	}
	_ = srv.Close()
	if _, stat := cli.Dial(addr); stat == nil {
		t.Error("a closed endpoint was dialled")
	}
	if st := cli.Stats(); st.DialsFailed != 1 || st.Dialed != 1 {
		t.Errorf("client: %+v", st)
	}
}

// RouteProbe is a controller.
type RouteProbe struct{ CallCtx }

// Add is a call.
func (*RouteProbe) Add(arg *[]int) (map[string]int, *Status) { return nil, nil }

func TestRoutesNameEveryHandlerWithItsTypes(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	if got := e.Routes(); len(got) != 0 {
		t.Errorf("a new endpoint has routes: %v", got)
	}
	e.RouteCall(new(RouteProbe))
	HandleCall(e, "/b", func(CallCtx, *string) (*Route, *Status) { return nil, nil })
	HandlePush(e, "/b", func(PushCtx, *int) *Status { return nil })
	e.SetUnknownCall(func(UnknownCallCtx) (any, *status.Status) { return nil, nil })
	e.SetUnknownPush(func(UnknownPushCtx) *status.Status { return nil })
	want := []Route{
		{Kind: "UNKNOWN_CALL"},
		{Kind: "UNKNOWN_PUSH"},
		{Kind: "CALL", Path: "/b", Arg: "string", Reply: "*drpc.Route"},
		{Kind: "PUSH", Path: "/b", Arg: "int"},
		{Kind: "CALL", Path: "/route_probe/add", Arg: "[]int", Reply: "map[string]int"},
	}
	if got := e.Routes(); !reflect.DeepEqual(got, want) {
		t.Errorf("routes are %+v\nwant %+v", got, want)
	}
}

func TestStatsCountGoaways(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})
	sess := dial(t, cli, addr)
	polltest.Until(t, "the session is there", func() bool { return srv.CountSession() == 1 })
	left := make(chan error, 1)
	go func() { left <- srv.Drain(context.Background()) }()
	polltest.Until(t, "both have counted it", func() bool {
		return srv.Stats().GoawaysSent == 1 && cli.Stats().GoawaysReceived == 1
	})
	for _, s := range srv.(*endpoint).hub.all() {
		s.sayGoaway(0) // as one does that comes up when the drain has found it
	}
	if n := srv.Stats().GoawaysSent; n != 1 {
		t.Errorf("%d goaways over one connection", n)
	}
	_ = sess.Close()
	if err := polltest.Receive(t, "the end of the drain", left); err != nil {
		t.Error(err)
	}
}
