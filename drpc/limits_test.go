package drpc

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// isClosed waits until the server closes the connection.
func isClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	drain(t, conn)
	_ = conn.Close()
}

// eventuallyLogged waits for a line with all parts. Unlike waitFor it may be used on any goroutine.
func eventuallyLogged(log *logLines, parts ...string) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if logged(log, parts...) {
			return true
		}
	}
	return false
}

func TestConnectionsAboveMaxSessionsAreClosedAtOnceAndCounted(t *testing.T) {
	log := captureLog(t)
	f := newFortress(t, EndpointConfig{MaxSessions: 2})
	second := f.attack()
	polltest.Until(t, "two sessions", func() bool { return f.ep.CountSession() == 2 })
	const attempts = 50
	for range attempts {
		isClosed(t, f.attack())
	}
	if n := f.ep.Stats().SessionsRefused; n != attempts {
		t.Errorf("%d were counted", n)
	}
	if n := log.count("connections were refused"); n < 1 || n > 5 {
		t.Errorf("%d lines in the log for %d refused connections", n, attempts)
	}
	near, far := net.Pipe()
	defer func() { _ = near.Close() }()
	if sess, stat := f.ep.ServeConn(far); sess != nil || stat.Code() != CodeBusy {
		t.Errorf("ServeConn gives %v, %v", sess, stat)
	}
	if _, err := near.Write([]byte("x")); err == nil {
		t.Error("ServeConn left a connection open that it refused")
	}
	f.serves()
	_ = second.Close()
	f.alone()
	polltest.Until(t, "room for another one", func() bool {
		_, stat := f.sess.Endpoint().Dial(f.addr)
		return stat == nil && f.ep.CountSession() == 2
	})
}

func TestHandshakesUnderWayCountAsSessions(t *testing.T) {
	t.Parallel()
	srv, addr := serveTLS(t, certtest.New(t), "localhost", EndpointConfig{MaxSessions: 1, HandshakeTimeout: -1})
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "the first one is counted", func() bool {
		e := srv.(*endpoint)
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.accepted == 1
	})
	second, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	isClosed(t, second)
	_ = first.Close()
	polltest.Until(t, "a failed handshake makes room", func() bool {
		e := srv.(*endpoint)
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.accepted == 0 && e.running == 1
	})
}

// holdCalls makes a handler /wait of raw bytes that tells when it has begun and waits for release, and /small that does not.
func holdCalls(srv Endpoint) (started chan struct{}, release func()) {
	started, over := make(chan struct{}, 100), make(chan struct{})
	HandleCall(srv, "/wait", func(CallCtx, *[]byte) (int, *Status) {
		started <- struct{}{}
		<-over
		return 1, nil
	})
	HandleCall(srv, "/small", func(CallCtx, *[]byte) (int, *Status) { return 2, nil })
	return started, sync.OnceFunc(func() { close(over) })
}

func TestCallsAboveTheLimitOfTheEndpointAreRefusedAndNotExecuted(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{MaxEndpointRequests: 2})
	started, release := holdCalls(srv)
	defer release()
	addr := serve(t, srv)
	var calls []CallCmd
	for range 2 {
		sess := dial(t, newPeer(t, EndpointConfig{}), addr)
		calls = append(calls, sess.AsyncCall("/wait", nil, nil, nil))
		polltest.Receive(t, "a call within the limit", started)
	}
	third := dial(t, newPeer(t, EndpointConfig{}), addr)
	wantStatus(t, third.Call("/small", nil, nil).Status(), CodeBusy, errEndpointBusy.Error())
	if len(started) > 0 {
		t.Error("the refused call was executed")
	}
	release()
	for _, c := range calls {
		if _, stat := c.Reply(); stat != nil {
			t.Error(stat)
		}
	}
	polltest.Until(t, "room again", func() bool { return third.Call("/small", nil, nil).Status() == nil })
	polltest.Until(t, "nothing is left over", func() bool { return srv.(*endpoint).load.requests.Load() == 0 })
}

func TestBytesHeldForHandlersAreBounded(t *testing.T) {
	t.Parallel()
	body := make([]byte, 200<<10)
	for name, tt := range map[string]struct {
		cfg   EndpointConfig
		other bool // the second call comes over another session
		want  string
	}{
		"of a session":     {EndpointConfig{MaxRequestBytes: 300 << 10}, false, errBusy.Error()},
		"of the endpoint":  {EndpointConfig{MaxEndpointRequestBytes: 300 << 10}, true, errEndpointBusy.Error()},
		"as inflated":      {EndpointConfig{MaxRequestBytes: 300 << 10}, false, errBusy.Error()},
		"without a limit":  {EndpointConfig{MaxRequestBytes: -1, MaxEndpointRequestBytes: -1}, false, ""},
		"of small ones":    {EndpointConfig{MaxRequestBytes: 100}, false, ""},
		"of a single call": {EndpointConfig{MaxRequestBytes: 100, MaxEndpointRequestBytes: 100}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newPeer(t, tt.cfg)
			started, release := holdCalls(srv)
			defer release()
			addr := serve(t, srv)
			sess := dial(t, newPeer(t, EndpointConfig{}), addr)
			var settings []message.MsgSetting
			if name == "as inflated" {
				settings = append(settings, message.WithTFilterPipe(gzipID))
			}
			if name == "of a single call" {
				for range 3 {
					polltest.Until(t, "it is the only one", func() bool { return srv.(*endpoint).load.requests.Load() == 0 })
					if stat := sess.Call("/small", body, nil).Status(); stat != nil {
						t.Fatal(stat)
					}
				}
				return
			}
			first := sess.AsyncCall("/wait", body, nil, nil, settings...)
			polltest.Receive(t, "the first call", started)
			if tt.other {
				sess = dial(t, newPeer(t, EndpointConfig{}), addr)
			}
			second := body
			if name == "of small ones" {
				second = body[:uncounted/2]
			}
			stat := sess.Call("/small", second, nil, settings...).Status()
			if tt.want != "" {
				wantStatus(t, stat, CodeBusy, tt.want)
			} else if stat != nil {
				t.Error(stat)
			}
			if stat = sess.Call("/small", nil, nil).Status(); stat != nil {
				t.Errorf("a call without a body: %v", stat)
			}
			release()
			if _, stat = first.Reply(); stat != nil {
				t.Error(stat)
			}
			polltest.Until(t, "nothing is held", func() bool { return srv.(*endpoint).load.bytes.Load() == 0 })
			if stat = sess.Call("/small", second, nil, settings...).Status(); stat != nil {
				t.Errorf("there is room again: %v", stat)
			}
		})
	}
}

func TestHeadersHeldForHandlersCountAsTheirFrames(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{MaxRequestBytes: 30 << 10})
	started, release := holdCalls(srv)
	defer release()
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	// A meta that is escaped on the wire: it is parsed into a map when it is received.
	meta := WithSetMeta("k", strings.Repeat("\n", 10<<10))
	first := sess.AsyncCall("/wait", nil, nil, nil, meta)
	polltest.Receive(t, "the first call", started)
	wantStatus(t, sess.Call("/small", nil, nil, meta).Status(), CodeBusy, errBusy.Error())
	release()
	if _, stat := first.Reply(); stat != nil {
		t.Error(stat)
	}
	polltest.Until(t, "nothing is held", func() bool { return srv.(*endpoint).load.bytes.Load() == 0 })
	if stat := sess.Call("/small", nil, nil, meta).Status(); stat != nil {
		t.Errorf("there is room again: %v", stat)
	}
}

func TestConnectionThatNeverSaysAnythingIsClosedAtTheDeadline(t *testing.T) {
	log := captureLog(t)
	const limit = 1500 * time.Millisecond // the honest client has to be quicker
	f := newFortress(t, EndpointConfig{FirstFrameTimeout: limit})
	frame := honestFrame(t)
	var wg sync.WaitGroup
	for name, say := range map[string]func(conn net.Conn){
		"silent":     func(net.Conn) {},
		"some bytes": func(conn net.Conn) { _, _ = conn.Write(frame[:len(frame)-1]) },
		"a byte now and then": func(conn net.Conn) {
			for _, err := conn.Write(announce(1 << 20)); err == nil; _, err = conn.Write([]byte("x")) {
				time.Sleep(5 * time.Millisecond) // as slow peers are
			}
		},
	} {
		began, conn := time.Now(), f.attack()
		wg.Go(func() {
			say(conn)
			drain(t, conn)
			if d := time.Since(began); d < limit {
				t.Errorf("%s: closed after %v", name, d)
			}
			if !eventuallyLogged(log, conn.LocalAddr().String(), errSilent.Error()) {
				t.Errorf("%s: no reason in the log", name)
			}
		})
	}
	wg.Wait()
	f.alone() // the honest client has spoken and stays
	f.serves()
}

func TestSilenceIsNotHeldAgainstAPeerThatIsSpokenTo(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{FirstFrameTimeout: time.Hour})
	addr := serve(t, srv)
	accepted := func() (*rawPeer, *session) {
		p := rawDial(t, addr)
		id, s := p.LocalAddr().String(), Session(nil)
		polltest.Until(t, "the session", func() (ok bool) { s, ok = srv.GetSession(id); return ok })
		return p, s.(*session)
	}
	listener, s := accepted()
	if stat := s.Push("/news", "today"); stat != nil {
		t.Fatal(stat)
	}
	s.link.Load().tooSilent() // what the timer does
	if m := listener.next(); m == nil || m.ServiceMethod() != "/news" {
		t.Errorf("the push was not received: %v", m)
	}
	if stat := s.Push("/news", "tomorrow"); stat != nil || listener.next() == nil {
		t.Errorf("a peer that listens was closed: %v", stat)
	}
	nobody, s := accepted()
	s.link.Load().tooSilent()
	if m := nobody.next(); m != nil {
		t.Errorf("received %v", m)
	}
	polltest.Receive(t, "a peer that nobody speaks to is closed", s.CloseNotify())
}

// greeter greets each peer before it waits for an introduction.
type greeter struct{ left chan *Status }

func (*greeter) Name() string { return "greeter" }

func (g *greeter) AfterAccept(sess EarlySession) *Status {
	if stat := sess.EarlySend(message.TypePush, "/who", nil, nil); stat != nil {
		return stat
	}
	stat := sess.EarlyReceive(func(message.Header) any { return new(string) }).Status()
	g.left <- stat
	return stat
}

func TestAcceptHookThatWaitsForASilentPeerEnds(t *testing.T) {
	t.Parallel()
	g := &greeter{make(chan *Status, 1)}
	srv := newPeer(t, EndpointConfig{FirstFrameTimeout: 200 * time.Millisecond}, g)
	p := rawDial(t, serve(t, srv))
	if m := p.next(); m == nil || m.ServiceMethod() != "/who" {
		t.Fatalf("not greeted: %v", m)
	}
	wantStatus(t, polltest.Receive(t, "the end of the hook", g.left), CodeConnClosed, "")
	if m := p.next(); m != nil {
		t.Errorf("received %v", m)
	}
	polltest.Until(t, "nothing is left of it", func() bool {
		e := srv.(*endpoint)
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.accepted == 0 && len(e.sessions) == 0
	})
}

func TestEarlyMethodsWithoutABoundOfTheirOwnEnd(t *testing.T) {
	t.Parallel()
	silent := rawListen(t, func(p *rawPeer) { _, _ = io.Copy(io.Discard, p) })
	for name, wait := range map[string]func(sess EarlySession) *Status{
		"EarlyReceive": func(sess EarlySession) *Status {
			return sess.EarlyReceive(func(message.Header) any { return nil }).Status()
		},
		"EarlyReceive, context without end": func(sess EarlySession) *Status {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			return sess.EarlyReceive(func(message.Header) any { return nil }, ctx).Status()
		},
		"EarlyCall": func(sess EarlySession) *Status { return sess.EarlyCall("/who", nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cli := newPeer(t, EndpointConfig{FirstFrameTimeout: 100 * time.Millisecond}, afterDial(wait))
			_, stat := cli.Dial(silent)
			wantStatus(t, stat, CodeDialFailed, context.DeadlineExceeded.Error())
		})
	}
}

type afterDial func(sess EarlySession) *Status

func (afterDial) Name() string                                         { return "after dial" }
func (f afterDial) AfterDial(sess EarlySession, isRedial bool) *Status { return f(sess) }

func TestMessageThatIsNeverFinishedEndsItsConnection(t *testing.T) {
	log := captureLog(t)
	f := newFortress(t, EndpointConfig{FrameTimeout: 300 * time.Millisecond})
	frame := honestFrame(t)
	for name, begun := range map[string][]byte{
		"a length":      announce(100),
		"a large frame": append(announce(1<<20), make([]byte, 100<<10)...),
		"half of one":   frame[:len(frame)/2],
	} {
		t.Run(name, func(t *testing.T) {
			conn := f.attack()
			p := newRawPeer(t, conn)
			for seq := range int32(3) {
				if !p.send(message.TypeCall, seq, "/echo", codec.JsonId, `"whole"`) || p.next() == nil {
					t.Fatal("a peer that sends whole messages is closed")
				}
			}
			_, err := conn.Write(begun)
			for err == nil {
				time.Sleep(20 * time.Millisecond) // as slow peers are
				_, err = conn.Write([]byte("\x00"))
				if len(begun) < 1000 { // it would be finished soon
					break
				}
			}
			drain(t, conn)
			if !eventuallyLogged(log, conn.LocalAddr().String(), socket.ErrSlowFrame.Error()) {
				t.Error("no reason in the log")
			}
		})
	}
	f.alone()
	f.serves()
}

func TestClientThatHasNothingToSaySaysHello(t *testing.T) {
	t.Parallel()
	heard := make(chan message.Message, 10)
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			heard <- m
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	if m := polltest.Receive(t, "hello", heard); m.MType() != message.TypePush || m.ServiceMethod() != helloPush {
		t.Errorf("it says %v %q", m.MType(), m.ServiceMethod())
	}
	if stat := sess.Push("/x", nil); stat != nil {
		t.Fatal(stat)
	}
	polltest.Receive(t, "the push", heard)
	sess.(*session).link.Load().hello() // what the timer does
	if stat := sess.Push("/y", nil); stat != nil {
		t.Fatal(stat)
	}
	if m := polltest.Receive(t, "the next push", heard); m.ServiceMethod() != "/y" {
		t.Errorf("it says %q although it has said something", m.ServiceMethod())
	}
}

func TestHelloBreaksTheSilenceAndReachesNobody(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{FirstFrameTimeout: time.Hour})
	srv.SetUnknownPush(func(c UnknownPushCtx) *Status {
		t.Errorf("received %q", c.ServiceMethod())
		return nil
	})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	addr := serve(t, srv)
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	var s Session
	polltest.Until(t, "the session", func() (ok bool) { s, ok = srv.GetSession(sess.LocalAddr().String()); return ok })
	l := s.(*session).link.Load()
	sess.(*session).link.Load().hello()
	polltest.Until(t, "hello", func() bool { return l.silence.over.Load() })
	l.tooSilent() // what the timer would have done
	var got string
	if stat := sess.Call("/echo", "here", &got).Status(); stat != nil || got != "here" {
		t.Errorf("%q, %v", got, stat)
	}
}
