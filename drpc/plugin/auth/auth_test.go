package auth_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
	"github.com/osgochina/dmicro/drpc/plugin/auth"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // strangers come on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

const secret = "open sesame"

// credential is more than a text, and so is the welcome.
type credential struct{ Name, Token string }

type welcome struct{ Greeting string }

func bear(c credential, into *welcome) auth.Bearer {
	return func(_ auth.Session, fn auth.SendOnce) *drpc.Status {
		var w welcome
		if stat := fn(c, &w); !stat.OK() {
			return stat
		}
		if into != nil {
			*into = w
		}
		return nil
	}
}

func check(sess auth.Session, fn auth.ReCvOnce) (any, *drpc.Status) {
	var c credential
	if stat := fn(&c); !stat.OK() {
		return nil, stat
	}
	if !auth.Equal(c.Token, secret) {
		return welcome{"never sent"}, drpc.NewStatus(drpc.CodeUnauthorized, "who are you")
	}
	sess.SetID(c.Name)
	sess.Swap().Set("name", c.Name)
	return welcome{"hello " + c.Name}, nil
}

// routes answers "/name" with what the checker has stored.
func routes(e drpc.EarlyEndpoint) {
	drpc.HandleCall(e, "/name", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		name, _ := c.Swap().Get("name").(string)
		return name, nil
	})
}

func endpoint(t *testing.T, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) drpc.Endpoint {
	t.Helper()
	e, err := drpc.New(cfg, plugins...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestExchangeOverEveryProtocolAndTransport(t *testing.T) {
	t.Parallel()
	socketPath := filepath.Join(t.TempDir(), "s")
	for name, way := range map[string]struct {
		pf       socket.ProtoFunc
		srv, cli drpc.EndpointConfig
	}{
		"raw":      {pf: rawproto.RawProtoFunc},
		"json":     {pf: jsonproto.NewJSONProtoFunc()},
		"protobuf": {pf: pbproto.NewPbProtoFunc()},
		"http":     {pf: httpproto.NewHTTProtoFunc()},
		"jsonrpc":  {pf: jsonrpcproto.NewJSONRPCProtoFunc()},
		"unix": {
			pf:  rawproto.RawProtoFunc,
			srv: drpc.EndpointConfig{Network: "unix", ListenIP: socketPath},
			cli: drpc.EndpointConfig{Network: "unix"},
		},
		"kcp": {
			pf:  rawproto.RawProtoFunc,
			srv: drpc.EndpointConfig{Network: "kcp"},
			cli: drpc.EndpointConfig{Network: "kcp"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if way.srv.Network != "unix" {
				way.srv.LocalIP, way.cli.LocalIP = "127.0.0.1", "127.0.0.1"
			}
			srv := endpoint(t, way.srv, auth.NewCheckerPlugin(check))
			routes(srv)
			addr := peertest.Serve(t, srv, way.pf)
			var w welcome
			sess := peertest.Dial(t, endpoint(t, way.cli, auth.NewBearerPlugin(bear(credential{"ann", secret}, &w))), addr, way.pf)
			var got string
			if stat := sess.Call("/name", "", &got).Status(); stat != nil || got != "ann" || w.Greeting != "hello ann" {
				t.Errorf("name %q, welcome %v (%v)", got, w, stat)
			}
			if _, ok := srv.GetSession("ann"); !ok {
				t.Error("there is no session of that name")
			}
			_, stat := endpoint(t, way.cli, auth.NewBearerPlugin(bear(credential{"eve", "guess"}, nil))).Dial(addr, way.pf)
			if stat.Code() != drpc.CodeDialFailed || !strings.Contains(stat.Cause().Error(), "who are you") {
				t.Errorf("a stranger got %v", stat)
			}
			if srv.CountSession() != 1 {
				t.Errorf("%d sessions", srv.CountSession())
			}
		})
	}
}

func TestExchangeOverWebSocket(t *testing.T) {
	t.Parallel()
	srv := websocket.NewServer("/ws", drpc.EndpointConfig{ListenIP: "127.0.0.1"}, auth.NewCheckerPlugin(check))
	routes(srv)
	done := make(chan error, 1)
	go func() { done <- srv.ListenAndServe() }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	polltest.Until(t, "the server listens", func() bool { return len(srv.Addrs()) > 0 })
	addr := srv.Addrs()[0].String()
	cli := websocket.NewClient("/ws", drpc.EndpointConfig{}, auth.NewBearerPlugin(bear(credential{"ann", secret}, nil)))
	t.Cleanup(func() { _ = cli.Close() })
	sess, stat := cli.Dial(addr)
	if stat != nil {
		t.Fatal(stat)
	}
	var got string
	if stat := sess.Call("/name", "", &got).Status(); stat != nil || got != "ann" {
		t.Errorf("name %q (%v)", got, stat)
	}
	eve := websocket.NewClient("/ws", drpc.EndpointConfig{}, auth.NewBearerPlugin(bear(credential{"eve", "guess"}, nil)))
	t.Cleanup(func() { _ = eve.Close() })
	if _, stat = eve.Dial(addr); stat.OK() {
		t.Error("a stranger was let in")
	}
}

// read returns the next message, nil at the end of the connection.
func read(t *testing.T, c *socket.Conn) message.Message {
	t.Helper()
	m := message.NewMessage(message.WithBody(new([]byte)))
	if err := c.ReadMessage(m); err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			t.Fatal("the connection stays up")
		}
		return nil
	}
	return m
}

func TestFormOfTheExchange(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(check))
	c := peertest.Raw(t, peertest.Serve(t, srv, rawproto.RawProtoFunc))
	m := message.NewMessage(message.WithMType(4), message.WithBodyCodec("json"), message.WithBody(credential{"ann", secret}))
	m.SetSeq(1)
	if err := c.WriteMessage(m); err != nil {
		t.Fatal(err)
	}
	answer := read(t, c)
	if answer == nil || answer.MType() != 5 || answer.Seq() != 1 || answer.ServiceMethod() != "" || !answer.StatusOK() ||
		string(*answer.Body().(*[]byte)) != `{"Greeting":"hello ann"}` {
		t.Errorf("answer %v", answer)
	}
}

func TestFirstMessageMustBeACredential(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		m     message.Message
		cause string
	}{
		"call": {
			message.NewMessage(message.WithMType(drpc.TypeCall), message.WithServiceMethod("/name")),
			"auth message(1st) expect: AUTH_CALL, but received: CALL",
		},
		"answer":      {message.NewMessage(message.WithMType(drpc.TypeAuthReply)), "but received: AUTH_REPLY"},
		"no type":     {message.NewMessage(), "but received: Undefined"},
		"not decoded": {message.NewMessage(message.WithMType(drpc.TypeAuthCall), message.WithBodyCodec("json"), message.WithBody([]byte(`{"Token":hunter2`))), "cannot be decoded"},
		"of an error": {message.NewMessage(message.WithMType(drpc.TypeAuthCall), message.WithStatus(drpc.NewStatus(1, "hunter2"))), "cannot be decoded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(check))
			reached := make(chan struct{}, 1)
			drpc.HandleCall(srv, "/name", func(drpc.CallCtx, *string) (string, *drpc.Status) {
				reached <- struct{}{}
				return "", nil
			})
			c := peertest.Raw(t, peertest.Serve(t, srv, rawproto.RawProtoFunc))
			if err := c.WriteMessage(tc.m); err != nil {
				t.Fatal(err)
			}
			answer := read(t, c)
			if answer == nil || answer.MType() != drpc.TypeAuthReply || answer.Status().Code() != drpc.CodeUnauthorized ||
				!strings.Contains(answer.Status().Cause().Error(), tc.cause) {
				t.Fatalf("answer %v", answer)
			}
			if strings.Contains(answer.String(), "hunter2") {
				t.Errorf("the answer repeats what was sent: %v", answer)
			}
			if read(t, c) != nil {
				t.Error("the connection goes on")
			}
			if len(reached) > 0 {
				t.Error("a stranger has reached a handler")
			}
		})
	}
}

func TestCredentialIsLimitedAndLaterMessagesAreNot(t *testing.T) {
	t.Parallel()
	const padding = 100 << 10
	for name, pf := range map[string]socket.ProtoFunc{
		"raw": rawproto.RawProtoFunc, "json": jsonproto.NewJSONProtoFunc(), "protobuf": pbproto.NewPbProtoFunc(),
		"http": httpproto.NewHTTProtoFunc(), "jsonrpc": jsonrpcproto.NewJSONRPCProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, tc := range map[string]struct {
				size    int
				cfg     auth.Config
				filters []byte
				ok      bool
			}{
				"at first":           {size: 50 << 10, ok: true},
				"too large":          {size: padding},
				"too large inflated": {size: padding, filters: []byte{'z'}},
				"a higher limit":     {size: padding, cfg: auth.Config{MaxSize: 2 * padding}, ok: true},
				"a lower limit":      {size: 5000, cfg: auth.Config{MaxSize: 4000}},
			} {
				received := make(chan *drpc.Status, 1)
				srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewChecker(func(_ auth.Session, fn auth.ReCvOnce) (any, *drpc.Status) {
					stat := fn(new(string))
					received <- stat
					return nil, stat
				}, tc.cfg))
				drpc.HandleCall(srv, "/len", func(_ drpc.CallCtx, s *string) (int, *drpc.Status) { return len(*s), nil })
				cli := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewBearerPlugin(func(_ auth.Session, fn auth.SendOnce) *drpc.Status {
					return fn(strings.Repeat("x", tc.size), nil)
				}, drpc.WithTFilterPipe(tc.filters...)))
				sess, stat := cli.Dial(peertest.Serve(t, srv, pf), pf)
				if got := <-received; tc.ok != got.OK() || tc.ok != stat.OK() {
					t.Errorf("%s: the checker got %v, the client %v", how, got, stat)
				}
				if !stat.OK() {
					continue
				}
				var n int
				if stat = sess.Call("/len", strings.Repeat("y", 3*padding), &n).Status(); !stat.OK() || n != 3*padding {
					t.Errorf("%s: a call over it: %d, %v", how, n, stat)
				}
			}
		})
	}
}

func TestWhoShowsNoCredentialInTimeIsClosed(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(net.Conn){
		"nothing": func(net.Conn) {},
		"a byte at a time": func(c net.Conn) {
			for _, b := range []byte{0, 0, 1, 0} {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond) // the peer's slowness is what this is about
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewChecker(check, auth.Config{Timeout: 50 * time.Millisecond}))
			conn, err := net.Dial("tcp", peertest.Serve(t, srv, rawproto.RawProtoFunc))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			say(conn)
			if err = conn.SetReadDeadline(time.Now().Add(peertest.Soon)); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = conn.Read(make([]byte, 1024))
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				t.Error("the connection stays up")
			}
		})
	}
}

func TestServerThatDoesNotAnswerFailsTheDial(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }() // the kernel accepts, nobody answers
	b := auth.NewBearer(bear(credential{"ann", secret}, nil), auth.Config{Timeout: 50 * time.Millisecond})
	_, stat := peertest.Endpoint(t, drpc.EndpointConfig{}, b).Dial(ln.Addr().String())
	if stat.Code() != drpc.CodeDialFailed || !errors.Is(stat.Cause(), context.DeadlineExceeded) {
		t.Errorf("status %v", stat)
	}
}

func TestServerWithoutCheckerFailsTheDial(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{})
	_, stat := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewBearerPlugin(auth.Token(secret))).
		Dial(peertest.Serve(t, srv, rawproto.RawProtoFunc))
	if stat.Code() != drpc.CodeDialFailed {
		t.Errorf("status %v", stat)
	}
}

func TestRedialAuthenticatesBeforeUserCalls(t *testing.T) {
	t.Parallel()
	var exchanges, strangers atomic.Int32
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(func(sess auth.Session, fn auth.ReCvOnce) (any, *drpc.Status) {
		exchanges.Add(1)
		return check(sess, fn)
	}))
	drpc.HandleCall(srv, "/name", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		name, _ := c.Swap().Get("name").(string)
		if name == "" {
			strangers.Add(1)
		}
		return name, nil
	})
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	cli := peertest.Endpoint(t, drpc.EndpointConfig{RedialTimes: -1, RedialInterval: time.Millisecond},
		auth.NewBearerPlugin(bear(credential{"ann", secret}, nil)))
	sess := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					sess.Call("/name", "", new(string)) // some fail with the connection
				}
			}
		})
	}
	for n := uint64(1); n <= 5; n++ {
		drpc.Cut(sess, nil)
		for end := time.Now().Add(peertest.Soon); sess.Stats().Redials < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no redial")
			}
		}
	}
	close(stop)
	wg.Wait()
	if strangers.Load() > 0 || exchanges.Load() < 6 {
		t.Errorf("%d calls without a name, %d exchanges", strangers.Load(), exchanges.Load())
	}
}

func TestFunctionsMayBeCalledOnce(t *testing.T) {
	t.Parallel()
	twice := make(chan *drpc.Status, 2)
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(func(_ auth.Session, fn auth.ReCvOnce) (any, *drpc.Status) {
		stat := fn(new(string))
		twice <- fn(new(string))
		return nil, stat
	}))
	cli := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewBearerPlugin(func(_ auth.Session, fn auth.SendOnce) *drpc.Status {
		stat := fn(secret, nil)
		twice <- fn(secret, nil)
		return stat
	}))
	peertest.Dial(t, cli, peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	first, second := <-twice, <-twice
	if first != auth.MultiReCvErr {
		first, second = second, first
	}
	if first != auth.MultiReCvErr || second != auth.MultiSendErr {
		t.Errorf("%v and %v", first, second)
	}
	if auth.MultiSendErr.Code() != 104 || auth.MultiReCvErr.Code() != 500 {
		t.Error("the codes have changed")
	}
}

func TestCheckerThatReadsNothingStillAnswers(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(func(auth.Session, auth.ReCvOnce) (any, *drpc.Status) {
		return "hello", nil
	}))
	c := peertest.Raw(t, peertest.Serve(t, srv, rawproto.RawProtoFunc))
	if answer := read(t, c); answer == nil || answer.MType() != drpc.TypeAuthReply || !answer.StatusOK() {
		t.Errorf("answer %v", answer)
	}
}

func TestPanicsRefuse(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewCheckerPlugin(func(auth.Session, auth.ReCvOnce) (any, *drpc.Status) {
		panic("on purpose")
	}))
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	for name, b := range map[string]auth.Bearer{
		"checker": auth.Token(secret),
		"bearer":  func(auth.Session, auth.SendOnce) *drpc.Status { panic("on purpose") },
	} {
		if _, stat := peertest.Endpoint(t, drpc.EndpointConfig{}, auth.NewBearerPlugin(b)).Dial(addr); stat.OK() {
			t.Errorf("a panic of the %s lets in", name)
		}
	}
}

func TestOnlyTheSameSecretIsEqual(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"a", "a", true}, {"a", "b", false}, {"a", "", false}, {"", "a", false}, {"ab", "a", false}} {
		if got := auth.Equal(tc.a, tc.b); got != tc.want {
			t.Errorf("Equal(%q, %q) = %v", tc.a, tc.b, got)
		}
	}
}

// lines is a handler of the log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Log(_ int, v ...any) { l.add(v...) }

func (l *lines) LogF(_ int, format string, v ...any) {
	l.add(format)
	l.add(v...)
}

func (l *lines) add(v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range v {
		switch a := a.(type) {
		case string:
			l.text.WriteString(a)
		case error:
			l.text.WriteString(a.Error())
		case interface{ String() string }:
			l.text.WriteString(a.String())
		}
	}
}

// TestNoCredentialIsLogged is not parallel: the log belongs to the process.
func TestNoCredentialIsLogged(t *testing.T) {
	out := new(lines)
	logger.SetLevel(logger.LevelAll)
	if err := logger.SetConfigWithMap(map[string]any{"stdout": false}); err != nil {
		t.Fatal(err)
	}
	logger.AddHandler("auth", out)
	defer func() {
		logger.RemoveHandler("auth")
		_ = logger.SetConfigWithMap(map[string]any{"stdout": true})
		logger.SetLevel(logger.LevelCritical)
	}()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{PrintDetail: true}, auth.NewCheckerPlugin(check))
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	for _, token := range []string{secret, "hunter2"} {
		_, stat := peertest.Endpoint(t, drpc.EndpointConfig{PrintDetail: true}, auth.NewBearerPlugin(bear(credential{"ann", token}, nil))).Dial(addr)
		if strings.Contains(stat.String(), token) {
			t.Errorf("status %v", stat)
		}
	}
	_, _ = peertest.Endpoint(t, drpc.EndpointConfig{PrintDetail: true}, auth.NewBearerPlugin(auth.Token("hunter2"))).Dial(addr) // does not decode
	out.mu.Lock()
	defer out.mu.Unlock()
	text := out.text.String()
	if text == "" {
		t.Error("nothing was logged, the test sees nothing")
	}
	for _, token := range []string{secret, "hunter2"} {
		if strings.Contains(text, token) {
			t.Errorf("the log has the credential: %s", text)
		}
	}
}

// The names that programs for DMicro 1.x use.
var (
	_ func(auth.Bearer, ...message.MsgSetting) drpc.Plugin  = auth.NewBearerPlugin
	_ func(auth.Checker, ...message.MsgSetting) drpc.Plugin = auth.NewCheckerPlugin
	_                                                       = auth.Bearer(func(auth.Session, auth.SendOnce) *drpc.Status { return nil })
	_                                                       = auth.Checker(func(auth.Session, auth.ReCvOnce) (any, *drpc.Status) { return nil, nil })
	_ auth.Session                                          = drpc.EarlySession(nil)
)

func TestNames(t *testing.T) {
	t.Parallel()
	if b, c := auth.NewBearerPlugin(nil).Name(), auth.NewCheckerPlugin(nil).Name(); b != "auth-bearer" || c != "auth-checker" {
		t.Errorf("names %q and %q", b, c)
	}
}
