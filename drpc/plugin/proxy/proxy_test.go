package proxy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/plugin/proxy"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/tfilter"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	tfilter.RegGzip(gzip.BestSpeed)
	logger.SetLevel(logger.LevelCritical) // upstreams go away on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// serve makes an endpoint listen; routes may be nil.
func serve(t *testing.T, pf socket.ProtoFunc, routes func(drpc.Endpoint), plugins ...drpc.Plugin) (addr string, e drpc.Endpoint) {
	t.Helper()
	e = peertest.Endpoint(t, drpc.EndpointConfig{}, plugins...)
	if routes != nil {
		routes(e)
	}
	return peertest.Serve(t, e, pf), e
}

func dial(t *testing.T, addr string, pf socket.ProtoFunc) drpc.Session {
	t.Helper()
	return peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}), addr, pf)
}

// behind returns a session to a proxy before an upstream with these routes.
func behind(t *testing.T, routes func(drpc.Endpoint)) drpc.Session {
	t.Helper()
	addr, _ := serve(t, rawproto.RawProtoFunc, routes)
	upstream := dial(t, addr, rawproto.RawProtoFunc)
	front, _ := serve(t, rawproto.RawProtoFunc, nil, proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { return upstream }))
	return dial(t, front, rawproto.RawProtoFunc)
}

// seen is what an upstream sees of a message.
type seen struct {
	Method, Body, RealIP, Hops, Author, Heartbeat string
	Codec                                         byte
	Filters                                       []byte
	Nested                                        any
}

func look(ctx interface {
	PeekMeta(string) any
	ServiceMethod() string
	RealIP() string
	GetBodyCodec() byte
}, body []byte) seen {
	text := func(key string) string {
		if v := ctx.PeekMeta(key); v != nil {
			return fmt.Sprint(v)
		}
		return ""
	}
	return seen{
		Method: ctx.ServiceMethod(), Body: string(body), RealIP: ctx.RealIP(), Codec: ctx.GetBodyCodec(),
		Hops: text(proxy.MetaHops), Author: text("author"), Heartbeat: text("hb_"), Nested: ctx.PeekMeta("nested"),
	}
}

func TestEverythingOfACallPasses(t *testing.T) {
	t.Parallel()
	for _, body := range []any{"text", []byte("\x00 no JSON \xff"), map[string]int{"a": 1}, nil, strings.Repeat("long ", 100_000)} {
		for _, codec := range []string{"json", "plain", "xml"} {
			t.Run(fmt.Sprintf("%.20v as %s", body, codec), func(t *testing.T) {
				t.Parallel()
				if _, raw := body.([]byte); !raw && body != nil && (codec != "json" && fmt.Sprintf("%T", body) != "string" || codec == "xml") {
					t.Skip("the codec cannot carry that")
				}
				var got seen
				call := behind(t, func(e drpc.Endpoint) {
					drpc.HandleCall(e, "/look", func(c drpc.CallCtx, body *[]byte) ([]byte, *drpc.Status) {
						got = look(c, *body)
						got.Filters = c.Input().PipeTFilter().IDs()
						c.SetMeta("answer", "42")
						return append([]byte("re: "), *body...), nil
					})
				})
				var reply []byte
				cmd := call.Call("/look", body, &reply, drpc.WithBodyCodec(codec), drpc.WithTFilterPipe(tfilter.GzipId),
					drpc.WithSetMetas(map[string]any{"author": "ann", "hb_": "3", "nested": map[string]any{"a": []int{1}}}))
				if stat := cmd.Status(); stat != nil {
					t.Fatal(stat)
				}
				sent, err := message.NewMessage(message.WithBodyCodec(codec), message.WithBody(body)).MarshalBody()
				if err != nil {
					t.Fatal(err)
				}
				if string(reply) != "re: "+string(sent) || got.Body != string(sent) {
					t.Errorf("sent %.40q, upstream saw %.40q, reply %.40q", sent, got.Body, reply)
				}
				if c := cmd.Output().BodyCodec(); body != nil && (got.Codec != c || cmd.InputBodyCodec() != c) {
					t.Errorf("codec %d, upstream saw %d, reply %d", c, got.Codec, cmd.InputBodyCodec())
				}
				if got.Author != "ann" || got.Heartbeat != "" || got.Hops != "1" || cmd.InputMeta().Get("answer") != "42" {
					t.Errorf("meta: upstream saw %+v, caller %v", got, cmd.InputMeta())
				}
				if nested := fmt.Sprint(got.Nested); nested != "map[a:[1]]" {
					t.Errorf("nested meta %s", nested)
				}
				if !bytes.Equal(got.Filters, []byte{tfilter.GzipId}) {
					t.Errorf("filters %q", got.Filters)
				}
			})
		}
	}
}

func TestPushesPass(t *testing.T) {
	t.Parallel()
	got := make(chan seen, 1)
	sess := behind(t, func(e drpc.Endpoint) {
		drpc.HandlePush(e, "/note", func(c drpc.PushCtx, body *[]byte) *drpc.Status {
			got <- look(c, *body)
			return nil
		})
	})
	if stat := sess.Push("/note", "text", drpc.WithSetMeta("author", "ann"), drpc.WithRealIP("192.0.2.1:5")); stat != nil {
		t.Fatal(stat)
	}
	if s := <-got; s.Body != `"text"` || s.Author != "ann" || s.RealIP != "192.0.2.1:5" || s.Method != "/note" {
		t.Errorf("upstream saw %+v", s)
	}
}

func TestLabelAndRealAddress(t *testing.T) {
	t.Parallel()
	var upstream drpc.Session
	labels := make(chan proxy.Label, 1)
	back := make(chan seen, 1)
	addr, _ := serve(t, rawproto.RawProtoFunc, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/look", func(c drpc.CallCtx, body *[]byte) (string, *drpc.Status) {
			back <- look(c, *body)
			return "", nil
		})
	})
	upstream = dial(t, addr, rawproto.RawProtoFunc)
	front, srv := serve(t, rawproto.RawProtoFunc, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/own", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "own", nil })
	}, proxy.NewProxyPlugin(func(l *proxy.Label) proxy.Forwarder {
		labels <- *l
		return upstream
	}))
	sess := dial(t, front, rawproto.RawProtoFunc)
	if stat := sess.Call("/look", nil, nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	l, s, local := <-labels, <-back, sess.LocalAddr().String()
	if l.ServiceMethod != "/look" || l.RealIP != local || l.SessionID != local || s.RealIP != local {
		t.Errorf("label %+v, upstream saw %s; the caller is %s", l, s.RealIP, local)
	}
	if _, ok := srv.GetSession(l.SessionID); !ok {
		t.Error("the label names no session")
	}
	var own string
	if stat := sess.Call("/own", "", &own).Status(); stat != nil || own != "own" || len(labels) > 0 {
		t.Errorf("a handler of the proxy itself: %q, %v, %d labels", own, stat, len(labels))
	}
}

func TestStatusesOfHandlersPass(t *testing.T) {
	t.Parallel()
	sess := behind(t, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/fail", func(c drpc.CallCtx, arg *int32) (any, *drpc.Status) {
			c.SetMeta("why", "because")
			return nil, drpc.NewStatus(*arg, "no", "cause")
		})
	})
	for code, want := range map[int32]string{
		1001: `{"code":1001,"msg":"no","cause":"cause"}`,
		503:  `{"code":503,"msg":"no","cause":"cause"}`,
		408:  `{"code":408,"msg":"no","cause":"cause"}`,
		102:  `{"code":502,"msg":"Bad Gateway","cause":"upstream: no: cause"}`,
		199:  `{"code":502,"msg":"Bad Gateway","cause":"upstream: no: cause"}`,
	} {
		cmd := sess.Call("/fail", code, nil)
		if got := cmd.Status().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if cmd.InputMeta().Get("why") != "because" {
			t.Errorf("meta %v", cmd.InputMeta())
		}
	}
	if got, want := sess.Call("/none", nil, nil).Status().String(), `{"code":404,"msg":"Not Found","cause":""}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// shared is a forwarder whose statuses belong to everybody.
type shared struct{ stat *drpc.Status }

func (s shared) Call(uri string, arg, result any, _ ...message.MsgSetting) drpc.CallCmd {
	return drpc.NewFakeCallCmd(uri, arg, result, s.stat)
}

func (s shared) Push(string, any, ...message.MsgSetting) *drpc.Status { return s.stat }

func TestSharedStatusesAreNotTouched(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{drpc.CodeConnClosed, 1001} {
		stat := drpc.NewStatus(code, "shared")
		before := stat.String()
		front, _ := serve(t, rawproto.RawProtoFunc, nil, proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { return shared{stat} }))
		sess := dial(t, front, rawproto.RawProtoFunc)
		for range 10 {
			if got := sess.Call("/x", nil, nil).Status(); got.OK() || code == drpc.CodeConnClosed && got.Code() != drpc.CodeBadGateway {
				t.Errorf("status %v", got)
			}
			if got := sess.Push("/x", nil); got != nil {
				t.Error(got)
			}
		}
		if stat.String() != before {
			t.Errorf("%s has become %v", before, stat)
		}
	}
}

func TestLostUpstreamIsABadGateway(t *testing.T) {
	t.Parallel()
	addr, srv := serve(t, rawproto.RawProtoFunc, nil)
	upstream := dial(t, addr, rawproto.RawProtoFunc)
	front, _ := serve(t, rawproto.RawProtoFunc, nil, proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { return upstream }))
	sess := dial(t, front, rawproto.RawProtoFunc)
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		cmd := sess.Call("/x", "", nil)
		if stat := cmd.Status(); stat.Code() != drpc.CodeBadGateway || !strings.Contains(stat.Cause().Error(), "upstream: Connection Closed") {
			t.Errorf("status %v", stat)
		}
	}
	if drpc.IsConnError(sess.Call("/x", "", nil).Status()) || !sess.Health() {
		t.Error("the caller takes the upstream's connection for its own")
	}
}

func TestNoForwarderAndNoCall(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		p    drpc.Plugin
		want int32
	}{
		"nobody":     {proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { return nil }), drpc.CodeNotFound},
		"no call":    {proxy.NewProxyCallPlugin(func(*proxy.Label) proxy.CallForwarder { return lazy{} }), drpc.CodeBadGateway},
		"only calls": {proxy.NewProxyPushPlugin(func(*proxy.Label) proxy.PushForwarder { return lazy{} }), drpc.CodeNotFound},
		"panic":      {proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { panic("on purpose") }), drpc.CodeInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front, _ := serve(t, rawproto.RawProtoFunc, nil, tc.p)
			sess := dial(t, front, rawproto.RawProtoFunc)
			if stat := sess.Call("/x", nil, nil).Status(); stat.Code() != tc.want {
				t.Errorf("status %v", stat)
			}
			if stat := sess.Push("/x", nil); stat != nil {
				t.Error(stat)
			}
		})
	}
}

// lazy does nothing.
type lazy struct{}

func (lazy) Call(string, any, any, ...message.MsgSetting) drpc.CallCmd { return nil }

func (lazy) Push(string, any, ...message.MsgSetting) *drpc.Status { return nil }

func TestCirclesAreBounded(t *testing.T) {
	t.Parallel()
	var upstream atomic.Pointer[drpc.Session]
	var passed atomic.Int32
	front, _ := serve(t, rawproto.RawProtoFunc, nil, proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder {
		passed.Add(1)
		return *upstream.Load()
	}))
	sess := dial(t, front, rawproto.RawProtoFunc)
	itself := dial(t, front, rawproto.RawProtoFunc)
	upstream.Store(&itself)
	if stat := sess.Call("/round", "", nil).Status(); stat.Code() != drpc.CodeBadGateway || !strings.Contains(stat.Cause().Error(), "passed 16 proxies") {
		t.Errorf("status %v", stat)
	}
	if passed.Load() != proxy.MaxHops {
		t.Errorf("passed %d times", passed.Load())
	}
	for _, hops := range []any{"-1", "x", "", "99999999999", "16", 1.5, true} {
		stat := sess.Call("/round", "", nil, drpc.WithSetMetas(map[string]any{proxy.MetaHops: hops})).Status()
		if stat.Code() != drpc.CodeBadGateway || passed.Load() != proxy.MaxHops {
			t.Errorf("hops %v: %v, passed %d times", hops, stat, passed.Load())
		}
	}
}

func TestCallersDeadlineAndEndReachTheUpstream(t *testing.T) {
	t.Parallel()
	// waiting returns a session to a proxy before a handler that waits for its end.
	waiting := func() (sess drpc.Session, began chan time.Time, ended chan struct{}) {
		began, ended = make(chan time.Time, 1), make(chan struct{}, 1)
		return behind(t, func(e drpc.Endpoint) {
			drpc.HandleCall(e, "/wait", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
				deadline, _ := c.Context().Deadline()
				began <- deadline
				<-c.Context().Done()
				ended <- struct{}{}
				return "", nil
			})
		}), began, ended
	}
	wait := func(what string, ended <-chan struct{}) {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(peertest.Soon):
			t.Fatalf("the upstream does not notice: %s", what)
		}
	}
	for limit := 300 * time.Millisecond; ; limit *= 2 { // on a busy machine it may be over on the way
		sess, began, ended := waiting()
		end := time.Now().Add(limit)
		ctx, cancel := context.WithDeadline(t.Context(), end)
		stat := sess.Call("/wait", "", nil, drpc.WithContext(ctx)).Status()
		cancel()
		select {
		case deadline := <-began:
			if stat.Code() != drpc.CodeHandleTimeout {
				t.Errorf("status %v", stat)
			}
			// The two sides measure by the time that is left, and its way takes some.
			if deadline.IsZero() || deadline.After(end.Add(5*time.Second)) {
				t.Errorf("the upstream has until %v, the caller until %v", deadline, end)
			}
			wait("deadline", ended)
		default:
			if limit < peertest.Soon {
				continue
			}
			t.Error("no call gets to the upstream in time")
		}
		break
	}

	sess, began, ended := waiting()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sess.AsyncCall("/wait", "", nil, nil, drpc.WithContext(ctx))
	<-began
	cancel()
	<-cmd.Done()
	wait("cancelling", ended)

	cmd = sess.AsyncCall("/wait", "", nil, nil)
	<-began
	drpc.Cut(sess, nil)
	<-cmd.Done()
	wait("end of the session", ended)
}

func TestProxyBetweenProtocols(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, jsonproto.NewJSONProtoFunc(), func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) { return "hello " + *name, nil })
	})
	upstream := dial(t, addr, jsonproto.NewJSONProtoFunc())
	front, _ := serve(t, rawproto.RawProtoFunc, nil, proxy.NewProxyCallPlugin(func(*proxy.Label) proxy.CallForwarder { return upstream }))
	var text string
	if stat := dial(t, front, rawproto.RawProtoFunc).Call("/greet", "ann", &text).Status(); stat != nil || text != "hello ann" {
		t.Errorf("%q (%v)", text, stat)
	}
}

func TestEachOfManyCallersGetsItsOwnReply(t *testing.T) {
	t.Parallel()
	sess := behind(t, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) {
			if *n%5 == 0 {
				return 0, drpc.NewStatus(1000+int32(*n), "no")
			}
			return *n, nil
		})
	})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 100 {
				n := g*100 + i
				var got int
				stat := sess.Call("/echo", n, &got).Status()
				if want := int32(1000 + n); n%5 == 0 && stat.Code() != want || n%5 != 0 && (stat != nil || got != n) {
					t.Errorf("%d: %d (%v)", n, got, stat)
				}
			}
		})
	}
	wg.Wait()
}

// The names that programs for DMicro 1.x use.
var (
	_ func(func(*proxy.Label) proxy.CallForwarder) drpc.Plugin = proxy.NewProxyCallPlugin
	_ func(func(*proxy.Label) proxy.PushForwarder) drpc.Plugin = proxy.NewProxyPushPlugin
	_ func(func(*proxy.Label) proxy.Forwarder) drpc.Plugin     = proxy.NewProxyPlugin
	_ proxy.Forwarder                                          = drpc.Session(nil)
	_                                                          = proxy.Label{SessionID: "", RealIP: "", ServiceMethod: ""}
)

func TestName(t *testing.T) {
	t.Parallel()
	if name := proxy.NewProxyPlugin(nil).Name(); name != "proxy" {
		t.Errorf("name %q", name)
	}
}
