package websocket

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/jsonSubProto"
	"github.com/osgochina/dmicro/drpc/mixer/websocket/pbSubProto"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
)

func TestAFailureIsNoSuccessForTheClient(t *testing.T) {
	t.Parallel()
	for name, sub := range map[string]proto.ProtoFunc{
		"json": jsonSubProto.NewJSONSubProtoFunc(), "protobuf": pbSubProto.NewPbSubProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, "/", drpc.EndpointConfig{})
			drpc.HandleCall(s, "/fail", func(drpc.CallCtx, *string) (string, *drpc.Status) {
				return "", drpc.NewStatus(4711, "no", "because")
			})
			sess := dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), serve(t, s, sub), sub)
			stat := sess.Call("/fail", "x", nil).Status()
			if stat.Code() != 4711 || stat.Msg() != "no" || stat.Cause().Error() != "because" {
				t.Errorf("%v", stat)
			}
			if stat = sess.Call("/nobody", "x", nil).Status(); stat.Code() != drpc.CodeNotFound {
				t.Errorf("unknown method: %v", stat)
			}
		})
	}
}

func TestTheServerPushesAndCalls(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/ws", drpc.EndpointConfig{})
	c := newTestClient(t, "ws/?a=b", drpc.EndpointConfig{})
	addEcho(c)
	pushed := make(chan string, 1)
	drpc.HandlePush(c, "/news", func(_ drpc.PushCtx, arg *string) *drpc.Status { pushed <- *arg; return nil })
	sess := dial(t, c, serve(t, s))
	polltest.Until(t, "the session", func() bool { return s.CountSession() == 1 })
	s.RangeSession(func(there drpc.Session) bool {
		if want := "ws://" + sess.LocalAddr().String(); there.ID() != want || sess.ID() != sess.LocalAddr().String() {
			t.Errorf("ids %s and %s, want %s", there.ID(), sess.ID(), want)
		}
		works(t, there)
		if stat := there.Push("/news", "hello"); stat != nil {
			t.Error(stat)
		}
		if err := errors.Join(sess.(interface{ ControlFD(func(uintptr)) error }).ControlFD(func(uintptr) {}), nil); err != nil {
			t.Errorf("ControlFD: %v", err)
		}
		return true
	})
	select {
	case got := <-pushed:
		if got != "hello" {
			t.Errorf("pushed %q", got)
		}
	case <-time.After(soon):
		t.Error("the push never arrives")
	}
}

// Port 0 used to become 80.
func TestPortZeroIsAFreeOne(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	if _, port, err := net.SplitHostPort(serve(t, s)); err != nil || port == "0" || port == "80" {
		t.Errorf("port %s, %v", port, err)
	}
}

type listenHook struct {
	err error
	got net.Addr
}

func (*listenHook) Name() string { return "listen-hook" }
func (h *listenHook) BeforeNewEndpoint(cfg *drpc.EndpointConfig, _ *drpc.PluginContainer) error {
	cfg.ListenIP = "127.0.0.2"
	return nil
}
func (h *listenHook) AfterListen(addr net.Addr) error { h.got = addr; return h.err }

func TestHooksAroundListeningCount(t *testing.T) {
	t.Parallel()
	if ln, err := net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Skipf("no second loopback address here: %v", err)
	} else {
		_ = ln.Close()
	}
	hook := &listenHook{err: errors.New("not here")}
	s := newTestServer(t, "/", drpc.EndpointConfig{}, hook)
	if err := s.ListenAndServe(); !errors.Is(err, hook.err) {
		t.Errorf("ListenAndServe: %v", err)
	}
	if hook.got == nil || !strings.HasPrefix(hook.got.String(), "127.0.0.2:") {
		t.Errorf("listened on %v: what a plugin changes was not seen", hook.got)
	}
	if len(s.Addrs()) != 0 {
		t.Errorf("still listening on %v", s.Addrs())
	}
}

// closeHook closes its server as soon as that listens.
type closeHook struct{ close func() error }

func (*closeHook) Name() string                 { return "close-hook" }
func (h *closeHook) AfterListen(net.Addr) error { return h.close() }

func TestHookThatClosesTheServerDoesNotWaitForItself(t *testing.T) {
	t.Parallel()
	hook := new(closeHook)
	s := newTestServer(t, "/", drpc.EndpointConfig{}, hook)
	hook.close = s.Close
	done := make(chan error, 1)
	go func() { done <- s.ListenAndServe() }()
	if err := polltest.Receive(t, "the end of ListenAndServe", done); !errors.Is(err, drpc.ErrListenClosed) {
		t.Errorf("ListenAndServe: %v", err)
	}
	if len(s.Addrs()) != 0 {
		t.Errorf("still listening on %v", s.Addrs())
	}
}

func TestOtherRoutesStandBeside(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/ws", drpc.EndpointConfig{})
	addEcho(s)
	s.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	s.Handle("/page/", http.NotFoundHandler())
	addr := serve(t, s)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	get := func(path string) (int, string) {
		resp, err := (&http.Client{Transport: transport}).Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	if code, text := get("/hello"); code != 200 || text != "hello" {
		t.Errorf("%d %q", code, text)
	}
	if code, _ := get("/nothing"); code != 404 {
		t.Errorf("no route: %d", code)
	}
	if code, _ := get("/ws"); code != 400 {
		t.Errorf("the websocket without a handshake: %d", code)
	}
	works(t, dial(t, newTestClient(t, "/ws", drpc.EndpointConfig{}), addr))
	_, stat := newTestClient(t, "/elsewhere", drpc.EndpointConfig{}).Dial(addr)
	var refused *HandshakeError
	if !errors.As(stat.Cause(), &refused) || refused.Code != 404 || stat.Code() != drpc.CodeDialFailed {
		t.Errorf("%v", stat)
	}
}

func TestHandlersServeWithAnyHTTPServer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler func(drpc.Endpoint, func(*http.Request) error) http.Handler
		sub     proto.ProtoFunc
	}{
		"json":     {NewJSONServeHandler, jsonSubProto.NewJSONSubProtoFunc()},
		"protobuf": {NewPbServeHandler, pbSubProto.NewPbSubProtoFunc()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep, err := drpc.New(drpc.EndpointConfig{})
			if err != nil {
				t.Fatal(err)
			}
			addEcho(ep)
			// A TLS configuration of the endpoint is for what it dials, and must not come into the way here.
			ep.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS13})
			srv := httptest.NewServer(tt.handler(ep, func(r *http.Request) error {
				if r.URL.Query().Get("token") != "t" {
					return errors.New("no token")
				}
				return nil
			}))
			defer srv.Close()
			defer func() { _ = ep.Close() }()
			addr := srv.Listener.Addr().String()
			// By the plugin, on an endpoint of the program.
			client, err := drpc.New(drpc.EndpointConfig{}, NewDialPlugin("/?token=t"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			sess, stat := client.Dial(addr, tt.sub)
			if stat != nil {
				t.Fatal(stat)
			}
			works(t, sess)
			_, stat = newTestClient(t, "/", drpc.EndpointConfig{}).Dial(addr, tt.sub)
			var refused *HandshakeError
			if !errors.As(stat.Cause(), &refused) || refused.Code != 403 {
				t.Errorf("without a token: %v", stat)
			}
		})
	}
}

// Before, a page of anybody could use the cookies of a visitor.
func TestPagesFromElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	open := newTestServer(t, "/", drpc.EndpointConfig{})
	open.SetOptions(Options{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://friend.example" }})
	closed := newTestServer(t, "/", drpc.EndpointConfig{})
	addrs := map[*Server]string{open: serve(t, open), closed: serve(t, closed)}
	for _, tt := range []struct {
		server *Server
		origin string
		want   int
	}{
		{closed, "", 101},
		{closed, "Origin: http://x", 101},
		{closed, "Origin: https://X", 101},
		{closed, "Origin: ws://10.1.2.3:4567/ws", 101}, // a DMicro 1.x client
		{closed, "Origin: http://evil.example", 403},
		{closed, "Origin: http://x.evil.example", 403},
		{closed, "Origin: http://x:81", 403},
		{closed, "Origin: null", 403},
		{closed, "Origin: http://%zz", 403},
		{closed, "Origin: http://x\r\nOrigin: http://evil.example", 403},
		{open, "Origin: https://friend.example", 101},
		{open, "Origin: http://x", 403},
	} {
		p := connect(t, addrs[tt.server])
		text := goodRequest
		if tt.origin != "" {
			text += tt.origin + "\r\n"
		}
		if resp := p.request(text + "\r\n"); resp.StatusCode != tt.want {
			t.Errorf("%q: %s, want %d", tt.origin, resp.Status, tt.want)
		}
	}
}

func TestHandshakeAuthDecidesWhoComesInAndAsWhom(t *testing.T) {
	t.Parallel()
	accepted := make(chan string, 10)
	auth := NewHandshakeAuthPlugin(func(r *http.Request) (string, *drpc.Status) {
		switch user := QueryToken("user", r); user {
		case "":
			return "", drpc.NewStatus(drpc.CodeUnauthorized, "who are you")
		case "panic":
			panic("hook")
		default:
			return user, nil
		}
	}, func(sess drpc.Session) *drpc.Status {
		accepted <- sess.ID()
		if sess.ID() == "banned" {
			return drpc.NewStatus(drpc.CodeUnauthorized, "not you")
		}
		return sess.Push("/welcome", sess.ID())
	})
	s := newTestServer(t, "/", drpc.EndpointConfig{}, auth)
	addEcho(s)
	addr := serve(t, s)

	welcome := make(chan string, 1)
	c := newTestClient(t, "/?user=alice", drpc.EndpointConfig{})
	drpc.HandlePush(c, "/welcome", func(_ drpc.PushCtx, arg *string) *drpc.Status { welcome <- *arg; return nil })
	works(t, dial(t, c, addr))
	if id := <-accepted; id != "alice" {
		t.Errorf("accepted as %q", id)
	}
	if got := <-welcome; got != "alice" {
		t.Errorf("welcome %q", got)
	}
	if _, ok := s.GetSession("alice"); !ok {
		t.Error("no session under the id")
	}
	for _, path := range []string{"/", "/?user=panic"} {
		_, stat := newTestClient(t, path, drpc.EndpointConfig{}).Dial(addr)
		var refused *HandshakeError
		if !errors.As(stat.Cause(), &refused) || refused.Code != 403 || strings.Contains(refused.Text, "who are you") {
			t.Errorf("%s: %v", path, stat)
		}
	}
	banned := connect(t, addr)
	if resp := banned.request(strings.Replace(goodRequest, "GET /", "GET /?user=banned", 1) + "\r\n"); resp.StatusCode != 101 {
		t.Fatal(resp.Status)
	}
	banned.send(testFrame(0x82, echoCall(1, "let me in")))
	opcode, payload, err := banned.next()
	if err != nil || opcode != opClose || int(payload[0])<<8|int(payload[1]) != 1008 {
		t.Errorf("banned: opcode %d, %q, %v", opcode, payload, err)
	}
}

// Before, whoever sent the header could take anybody's session over.
func TestClientsDoNotChooseTheirSessionID(t *testing.T) {
	t.Parallel()
	for name, auth := range map[string]*HandshakeAuthPlugin{
		"no check": NewHandshakeAuthPlugin(nil, func(drpc.Session) *drpc.Status { return nil }),
		"check":    NewHandshakeAuthPlugin(func(*http.Request) (string, *drpc.Status) { return "", nil }, nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, "/", drpc.EndpointConfig{}, auth)
			addEcho(s)
			addr := serve(t, s)
			p := upgraded(t, addr, "Drpc-Session-Id: admin")
			p.send(testFrame(0x82, echoCall(1, "x")))
			if _, _, err := p.next(); err != nil {
				t.Fatal(err)
			}
			if _, ok := s.GetSession("admin"); ok {
				t.Error("the client has chosen its id")
			}
			if _, ok := s.GetSession("ws://" + p.LocalAddr().String()); !ok {
				t.Error("no session under its own id")
			}
		})
	}
}

// greeter lets each session introduce itself before it is up.
type greeter struct{}

func (greeter) Name() string { return "greeter" }
func (greeter) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status {
	return sess.EarlySend(drpc.TypePush, "/me", "a client", nil)
}
func (greeter) AfterAccept(sess drpc.EarlySession) *drpc.Status {
	in := sess.EarlyReceive(func(message.Header) any { return new(string) })
	if !in.StatusOK() {
		return in.Status()
	}
	sess.SetID(*in.Body().(*string))
	return nil
}

func TestPluginsSpeakBeforeTheSessionIsUp(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := newTestServer(t, "/", drpc.EndpointConfig{}, greeter{})
		addEcho(s)
		c := newTestClient(t, "/", drpc.EndpointConfig{}, greeter{})
		if secure {
			ca := certtest.New(t)
			s.SetTLSConfig(ca.Server("127.0.0.1"))
			c.SetTLSConfig(ca.Client())
		}
		works(t, dial(t, c, serve(t, s)))
		if _, ok := s.GetSession("a client"); !ok {
			t.Errorf("TLS %v: nobody was introduced", secure)
		}
	}
}

func TestTLSIsVerifiedAndItsCertificateMayChange(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/ws", drpc.EndpointConfig{})
	addEcho(s)
	ca := certtest.New(t)
	s.SetTLSConfig(ca.Server("127.0.0.1"))
	addr := serve(t, s)
	c := newTestClient(t, "/ws", drpc.EndpointConfig{})
	c.SetTLSConfig(ca.Client())
	sess := dial(t, c, addr)
	works(t, sess)
	exchange(t, sess, 1<<20)
	stranger := newTestClient(t, "/ws", drpc.EndpointConfig{})
	stranger.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12})
	_, stat := stranger.Dial(addr)
	var unknown x509.UnknownAuthorityError
	if !errors.As(stat.Cause(), &unknown) {
		t.Errorf("a certificate that nobody vouches for: %v", stat)
	}
	ca = certtest.New(t)
	s.SetTLSConfig(ca.Server("127.0.0.1")) // another certificate, for connections made from now on
	c.SetTLSConfig(ca.Client())
	works(t, dial(t, c, addr))
	works(t, sess)
}

// exchange calls with a body of that size and wants it back.
func exchange(t testing.TB, sess drpc.Session, size int) {
	t.Helper()
	body := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	body = append(body, "xxxxxxxxxxxxxxx"[:size%16]...)
	var got []byte
	if stat := sess.Call("/echo", body, &got).Status(); stat != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes come back as %d, %v", size, len(got), stat)
	}
}

func TestManyCallersWithBodiesOfAllSizes(t *testing.T) {
	t.Parallel()
	for name, sub := range map[string]proto.ProtoFunc{
		"json": jsonSubProto.NewJSONSubProtoFunc(), "protobuf": pbSubProto.NewPbSubProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, "/", drpc.EndpointConfig{})
			c := newTestClient(t, "/", drpc.EndpointConfig{})
			addEcho(s)
			addEcho(c)
			sess := dial(t, c, serve(t, s, sub), sub)
			polltest.Until(t, "the session", func() bool { return s.CountSession() == 1 })
			var back drpc.Session
			s.RangeSession(func(there drpc.Session) bool { back = there; return false })
			sizes := []int{0, 1, 100, 125, 126, 4000, 1<<16 - 200, 1 << 16, 1 << 17, 1 << 20}
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					for j := range 3 {
						who := sess
						if i%2 == 1 {
							who = back
						}
						exchange(t, who, sizes[(i/2+j*3)%len(sizes)])
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestMessagesUpToTheLimitArePassed(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	s := newTestServer(t, "/", drpc.EndpointConfig{MaxMessageSize: limit})
	addEcho(s)
	addr := serve(t, s)
	frame := echoCall(1, "")
	p := upgraded(t, addr)
	p.send(testFrame(0x82, echoCall(1, strings.Repeat("x", limit-len(frame)))))
	if opcode, payload, err := p.next(); err != nil || opcode != opBinary || len(payload) < limit-100 {
		t.Errorf("just the limit: opcode %d, %d bytes, %v", opcode, len(payload), err)
	}
	p.send(testFrame(0x82, echoCall(1, strings.Repeat("x", limit-len(frame)+1))))
	if code := p.closeCode(); code != 1009 {
		t.Errorf("above the limit: code %d", code)
	}
}

func TestSessionsOverAUnixSocketStandBesideEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	s := NewServer("/", drpc.EndpointConfig{Network: "unix", ListenIP: path})
	t.Cleanup(func() { _ = s.Close() })
	addEcho(s)
	if addr := serve(t, s); addr != path {
		t.Errorf("listens on %q", addr)
	}
	c := newTestClient(t, "/", drpc.EndpointConfig{Network: "unix"})
	one, two := dial(t, c, path), dial(t, c, path)
	works(t, one)
	works(t, two)
	works(t, one) // the second one has not taken its place
}

// catcher keeps the connection that it sees.
type catcher chan *Conn

func (catcher) Name() string { return "catcher" }
func (c catcher) AfterAccept(_ drpc.Session, conn *Conn) *drpc.Status {
	c <- conn
	return nil
}

// Control frames come at any time, and never amid a message: pings of the server here, and the answers of the client.
func TestPingsGoBetweenLargeMessages(t *testing.T) {
	t.Parallel()
	caught := make(catcher, 1)
	s := newTestServer(t, "/", drpc.EndpointConfig{}, caught)
	s.SetOptions(Options{SubProto: pbSubProto.NewPbSubProtoFunc()})
	addEcho(s)
	sess, stat := newTestClient(t, "/", drpc.EndpointConfig{}).DialProtobuf(serve(t, s))
	if stat != nil {
		t.Fatal(stat)
	}
	conn := <-caught
	if conn.Request().URL.Path != "/" {
		t.Errorf("the request was to %s", conn.Request().URL)
	}
	var callers, pings sync.WaitGroup
	stop := make(chan struct{})
	pings.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := conn.ws.WriteControl(opPing, []byte("x"), time.Now().Add(soon)); err != nil {
					t.Errorf("ping: %v", err)
					return
				}
			}
		}
	})
	for range 8 {
		callers.Go(func() {
			for range 5 {
				exchange(t, sess, 3<<19)
				exchange(t, sess, 10)
			}
		})
	}
	callers.Wait()
	close(stop)
	pings.Wait()
}

func TestMaskingInAnyPieces(t *testing.T) {
	t.Parallel()
	src := []byte("the quick brown fox jumps over the lazy dog")
	for cut := range src {
		for next := cut; next <= len(src); next++ {
			got := make([]byte, len(src))
			key := mask(got, src[:cut], 0x04030201)
			key = mask(got[cut:], src[cut:next], key)
			mask(got[next:], src[next:], key)
			for i := range got {
				if want := src[i] ^ byte(i%4+1); got[i] != want {
					t.Fatalf("cut at %d and %d: byte %d is %x, want %x", cut, next, i, got[i], want)
				}
			}
		}
	}
}

func TestClosingSaysWhy(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	addr := serve(t, s)
	one, all := upgraded(t, addr), upgraded(t, addr)
	polltest.Until(t, "the sessions", func() bool { return s.CountSession() == 2 })
	sess, ok := s.GetSession("ws://" + one.LocalAddr().String())
	if !ok {
		t.Fatal("no session")
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	if code := one.closeCode(); code != 1000 {
		t.Errorf("close of a session: code %d", code)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if code := all.closeCode(); code != 1001 {
		t.Errorf("close of the server: code %d", code)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := s.ListenAndServe(); !errors.Is(err, drpc.ErrListenClosed) {
		t.Errorf("listen after close: %v", err)
	}
}

// What was asked is answered, also when the session is closed meanwhile.
func TestCloseAnswersWhatIsRunning(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	began, finish := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(s, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(began)
		<-finish
		return "done", nil
	})
	sess := dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), serve(t, s))
	var got string
	cmd := sess.AsyncCall("/slow", "x", &got, nil)
	<-began
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	polltest.Until(t, "the closing", func() bool { return s.CountSession() == 0 })
	close(finish)
	if _, stat := cmd.Reply(); stat != nil || got != "done" {
		t.Errorf("%q, %v", got, stat)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-sess.CloseNotify()
}

func TestCloseDoesNotWaitForSilentClients(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addr := serve(t, s)
	connect(t, addr)
	polltest.Until(t, "the connection", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.silent) == 1
	})
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) >= leaveTimeout {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestCloseEndsHandshakesOfTheClient(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	c := newTestClient(t, "/", drpc.EndpointConfig{HandshakeTimeout: time.Minute})
	failed := make(chan *drpc.Status, 1)
	go func() {
		_, stat := c.Dial(ln.Addr().String())
		failed <- stat
	}()
	conn, err := ln.Accept() // and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	select {
	case stat := <-failed:
		if stat.Code() != drpc.CodeDialFailed {
			t.Errorf("%v", stat)
		}
	case <-time.After(soon):
		t.Error("the handshake goes on")
	}
}

func TestAServerThatDoesNotAnswerFailsTheDialInTime(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, stat := newTestClient(t, "/", drpc.EndpointConfig{HandshakeTimeout: 50 * time.Millisecond}).Dial(ln.Addr().String())
	var late net.Error
	if stat.Code() != drpc.CodeDialFailed || !errors.As(stat.Cause(), &late) || !late.Timeout() {
		t.Errorf("%v", stat)
	}
}

// relay passes bytes between a client and a server, and cuts when told.
func relay(t *testing.T, addr string) (front string, cut func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				_ = in.Close()
				return
			}
			mu.Lock()
			conns = append(conns, in, out)
			mu.Unlock()
			wg.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
			wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
		}
	})
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
		conns = nil
	}
	t.Cleanup(func() { _ = ln.Close(); cut(); wg.Wait() })
	return ln.Addr().String(), cut
}

func TestAnAbruptEndIsNoticedAndRedialled(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addEcho(s)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	drpc.HandleCall(s, "/hang", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		select {
		case <-hang:
		case <-c.Context().Done():
		}
		return "", nil
	})
	front, cut := relay(t, serve(t, s))
	c := newTestClient(t, "/", drpc.EndpointConfig{RedialTimes: -1, RedialInterval: time.Millisecond})
	sess := dial(t, c, front)
	cmd := sess.AsyncCall("/hang", "x", nil, nil)
	polltest.Until(t, "the session", func() bool { return s.CountSession() == 1 })
	cut()
	if _, stat := cmd.Reply(); stat.Code() != drpc.CodeConnClosed {
		t.Errorf("the call under way: %v", stat)
	}
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	var got []byte
	if stat := sess.Call("/echo", []byte("x"), &got, drpc.WithContext(ctx)).Status(); stat != nil || string(got) != "x" {
		t.Errorf("after the redial: %q, %v", got, stat)
	}
	polltest.Until(t, "the old session to go", func() bool { return s.CountSession() == 1 })
}

func TestAPeerThatIsGoneIsFoundByPings(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	// The one that answers must find a moment for it on a machine that is busy with other tests, too.
	s.SetOptions(Options{Ping: Ping{Interval: 20 * time.Millisecond, Timeout: 3 * time.Second}})
	addEcho(s)
	addr := serve(t, s)
	gone := upgraded(t, addr) // reads nothing, answers nothing
	there := dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), addr)
	polltest.Until(t, "the sessions", func() bool { return s.CountSession() == 2 })
	polltest.Until(t, "the end of the silent one", func() bool {
		_, still := s.GetSession("ws://" + gone.LocalAddr().String())
		return !still
	})
	pings := 0
	for {
		opcode, _, err := gone.next()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still there")
			}
			break
		}
		if opcode == opPing {
			pings++
		}
	}
	if pings == 0 {
		t.Error("it was never asked")
	}
	if !there.Health() {
		t.Error("a peer that answers was closed")
	}
	works(t, there)
}

func TestTheClientFindsASilentServer(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "/", drpc.EndpointConfig{})
	addr := serve(t, s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer func() { close(stop); _ = ln.Close() }()
	wg.Go(func() { // passes the handshakes on, and nothing more
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = in.Close() }()
				out, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer func() { _ = out.Close() }()
				b := make([]byte, 4096)
				n, _ := in.Read(b)
				_, _ = out.Write(b[:n])
				n, _ = out.Read(b)
				_, _ = in.Write(b[:n])
				<-stop
			})
		}
	})
	c := newTestClient(t, "/", drpc.EndpointConfig{})
	call := func(timeout time.Duration) *drpc.Status {
		c.SetOptions(DialOptions{Ping: Ping{Interval: 10 * time.Millisecond, Timeout: timeout}})
		return dial(t, c, ln.Addr().String()).Call("/echo", []byte("x"), nil).Status()
	}
	timeout := 20 * time.Millisecond
	stat := call(timeout)
	for drpc.NotExecuted(stat) && timeout < soon { // a busy machine may find the session at its end before the call
		timeout *= 2
		stat = call(timeout)
	}
	if stat.Code() != drpc.CodeConnClosed || !errors.Is(stat.Cause(), ErrSilent) {
		t.Errorf("%v", stat)
	}
}

func TestTheCodeOfThePeerIsTold(t *testing.T) {
	t.Parallel()
	for code, orderly := range map[int]bool{1000: true, 1001: true, 1008: false, 1011: false, 4000: false} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			taken := &hijacker{ResponseWriter: w}
			ws, err := new(gorilla.Upgrader).Upgrade(taken, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			_, _, _ = ws.ReadMessage() // the call
			_ = ws.WriteControl(opClose, []byte{byte(code >> 8), byte(code), 'b', 'y', 'e'}, time.Now().Add(soon))
			_, _, _ = ws.ReadMessage()
			_ = ws.Close()
		}))
		sess := dial(t, newTestClient(t, "/", drpc.EndpointConfig{}), srv.Listener.Addr().String())
		stat := sess.Call("/echo", []byte("x"), nil).Status()
		if stat.Code() != drpc.CodeConnClosed {
			t.Errorf("%d: %v", code, stat)
		}
		var closed *CloseError
		if told := errors.As(stat.Cause(), &closed); told == orderly || told && (closed.Code != code || closed.Text != "bye") {
			t.Errorf("%d: %v", code, stat)
		}
		srv.Close()
	}
}
