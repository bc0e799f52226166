package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/metrics/prometheus"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

func TestServerIsFoundWhileItListens(t *testing.T) {
	t.Parallel()
	r := memory.NewRegistry()
	s, addr := serve(t, OptRegistry(r), OptServiceVersion("2.1.0"), OptMetadata(map[string]string{"weight": "3"}))
	polltest.Until(t, "the server is registered", func() bool { _, err := r.GetService("calculator"); return err == nil })
	services, err := r.GetService("calculator")
	if err != nil {
		t.Fatal(err)
	}
	node := services[0].Nodes[0]
	if services[0].Version != "2.1.0" || node.Address != addr || node.Metadata["weight"] != "3" ||
		!slices.Contains(node.Paths, "/echo") || node.Id != "calculator-"+addr {
		t.Errorf("registered is %+v of %+v", node, services[0])
	}
	echo(t, dial(t, addr))
	if !s.Ready() || s.CountSession() != 1 {
		t.Errorf("ready %v, %d sessions", s.Ready(), s.CountSession())
	}
	s.Close()
	if _, err := r.GetService("calculator"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("after Close: %v", err)
	}
	if s.Ready() {
		t.Error("ready after Close")
	}
	if err := s.ListenAndServe(); !errors.Is(err, drpc.ErrListenClosed) {
		t.Errorf("ListenAndServe after Close: %v", err)
	}
}

// witness is a registry that looks at the server at the moment when it is deregistered.
type witness struct {
	registry.Registry
	leaving func()
}

func (w witness) Deregister(s *registry.Service, opts ...registry.DeregisterOption) error {
	w.leaving()
	return w.Registry.Deregister(s, opts...)
}

// TestServerLeavesInOrder holds the order: not ready, out of the registry, no listener, peers asked to move, what is at
// work finished.
func TestServerLeavesInOrder(t *testing.T) {
	t.Parallel()
	var s *RpcServer
	var addr string
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	w := witness{Registry: memory.NewRegistry(), leaving: func() {
		if s.Ready() {
			note("still ready")
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			note("stopped listening before")
			return
		}
		_ = conn.Close()
		note("deregistered")
	}}
	s, addr = serve(t, OptRegistry(w), OptMoveTimeout(time.Minute)) // its peer does not move
	begun, finish := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(s, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(begun)
		<-finish
		note("finished")
		return "done", nil
	})
	sess := dial(t, addr)
	polltest.Until(t, "the server is registered", func() bool { _, err := w.GetService("calculator"); return err == nil })
	var reply string
	done := make(chan drpc.CallCmd, 1)
	sess.AsyncCall("/slow", "", &reply, done)
	<-begun
	left := make(chan error, 1)
	go func() { left <- s.Shutdown(context.Background()) }()
	polltest.Until(t, "nobody is let in any more", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	note("closed")
	echo(t, sess) // who is there is served on
	close(finish)
	if cmd := <-done; cmd.Status() != nil || reply != "done" {
		t.Errorf("the call that was at work: %q, %v", reply, cmd.Status())
	}
	_ = sess.Close() // it has nowhere to move to
	if err := <-left; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(order, ", "); got != "deregistered, closed, finished" {
		t.Errorf("the order was: %s", got)
	}
}

// stuck is a registry that does not answer any more.
type stuck struct {
	registry.Registry
	release chan struct{}
}

func (s stuck) Deregister(*registry.Service, ...registry.DeregisterOption) error {
	<-s.release
	return errors.New("too late")
}

func TestServerLeavesWithinItsLimitWhileTheRegistryIsDown(t *testing.T) {
	t.Parallel()
	r := stuck{memory.NewRegistry(), make(chan struct{})}
	defer close(r.release)
	s, addr := serve(t, OptRegistry(r), OptStopTimeout(3*time.Second))
	polltest.Until(t, "the server is registered", func() bool { _, err := r.GetService("calculator"); return err == nil })
	forever := make(chan struct{})
	defer close(forever)
	begun := make(chan struct{})
	drpc.HandleCall(s, "/stuck", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(begun)
		<-forever
		return "", nil
	})
	sess := dial(t, addr)
	cmd := sess.AsyncCall("/stuck", "", nil, nil)
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err := s.Shutdown(ctx)
	var cut *drpc.DrainError
	if !errors.As(err, &cut) || cut.Calls != 1 {
		t.Errorf("shutdown: %v, want that one call was cut off", err)
	}
	<-cmd.Done()
	if code := cmd.Status().Code(); code != drpc.CodeConnClosed {
		t.Errorf("the call that was cut off: %v", cmd.Status())
	}
}

func TestServerServesWhileTheRegistryIsDown(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, OptRegistry(away{memory.NewRegistry()}))
	echo(t, dial(t, addr))
}

// away is a registry that cannot be reached.
type away struct{ registry.Registry }

func (away) Register(*registry.Service, ...registry.RegisterOption) error {
	return errors.New("nobody there")
}

func TestOptionsReachTheEndpoint(t *testing.T) {
	t.Parallel()
	o := NewOptions(OptNetwork("tcp4"), OptListenAddress("127.0.0.1:81"), OptBodyCodec("protobuf"), OptSessionAge(time.Hour),
		OptContextAge(time.Minute), OptSlowCometDuration(time.Second), OptPrintDetail(true),
		OptEndpoint(func(c *drpc.EndpointConfig) { c.MaxSessions = 7 }))
	cfg := o.EndpointConfig()
	if cfg.Network != "tcp4" || cfg.ListenIP != "127.0.0.1" || cfg.ListenPort != 81 || cfg.DefaultBodyCodec != "protobuf" ||
		cfg.DefaultSessionAge != time.Hour || cfg.DefaultContextAge != time.Minute || cfg.SlowCometDuration != time.Second ||
		!cfg.PrintDetail || cfg.MaxSessions != 7 {
		t.Errorf("%+v", cfg)
	}
	if o := NewOptions(); o.Network != "tcp" || o.ListenAddress != "0.0.0.0:0" || o.BodyCodec != "json" || !o.EnableHeartbeat {
		t.Errorf("the defaults are %+v", o)
	}
	unix := NewOptions(OptNetwork("unix"), OptListenAddress("/run/x.sock")).EndpointConfig()
	if unix.ListenIP != "/run/x.sock" || unix.ListenPort != 0 {
		t.Errorf("unix: %+v", unix)
	}
	for address, host := range map[string]string{":9091": "0.0.0.0", "[::1]:9091": "::1", "localhost:9091": "localhost"} {
		if cfg := NewOptions(OptListenAddress(address)).EndpointConfig(); cfg.ListenIP != host || cfg.ListenPort != 9091 {
			t.Errorf("%s: %s %d", address, cfg.ListenIP, cfg.ListenPort)
		}
	}
}

func TestWrongOptionsAreErrors(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "9091", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "[::1:5"} {
		_, err := New("calculator", OptListenAddress(bad), OptWithoutRegistry())
		var address *AddressError
		if !errors.As(err, &address) || address.Address != bad {
			t.Errorf("address %q: %v", bad, err)
		}
	}
	for name, opt := range map[string]Option{
		"codec":   OptBodyCodec("morse"),
		"network": OptNetwork("pigeon"),
		"file":    OptTlsFile(filepath.Join(t.TempDir(), "none.pem"), ""),
		"plugin":  OptGlobalPlugin(nil),
	} {
		if s, err := New("calculator", opt, OptWithoutRegistry()); err == nil {
			t.Errorf("a wrong %s is taken", name)
			s.Close()
		}
	}
}

func TestPluginsComeInOrder(t *testing.T) {
	t.Parallel()
	m := prometheus.NewPromMetrics(metrics.OptPort(-1))
	s, err := New("calculator", OptGlobalPlugin(named("mine")), OptGlobalPlugin(named("too")), OptMetrics(m),
		OptRegistry(memory.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var names []string
	for _, p := range s.Endpoint().PluginContainer().GetAll() {
		names = append(names, p.Name())
	}
	if got := strings.Join(names, " "); got != "mine too heart-pong metrics_prometheus registry" {
		t.Errorf("the plugins are %s", got)
	}
	if m.Options().ServiceName != "calculator" {
		t.Errorf("the figures are those of %q", m.Options().ServiceName)
	}
}

type named string

func (n named) Name() string { return string(n) }

func TestMetricsLiveWithTheServer(t *testing.T) {
	t.Parallel()
	m := prometheus.NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(0), metrics.OptServiceName("other"))
	s, addr := serve(t, OptWithoutRegistry(), OptMetrics(m))
	echo(t, dial(t, addr))
	url := "http://" + m.Addr().String() + "/metrics"
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(text), `rpc_server_reply_code_total{code="0",name="other",path="/echo"} 1`) {
		t.Errorf("%v, the page is\n%s", err, text)
	}
	s.Close()
	if m.Enabled() {
		t.Error("the metrics go on without their server")
	}
}

func TestProtocolOfTheOptionsCounts(t *testing.T) {
	t.Parallel()
	_, addr := serve(t, OptWithoutRegistry(), OptProtoFunc(jsonproto.NewJSONProtoFunc()))
	e, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	sess, stat := e.Dial(addr, jsonproto.NewJSONProtoFunc())
	if stat != nil {
		t.Fatal(stat)
	}
	echo(t, sess)
}

func TestTLSConfigReachesTheEndpoint(t *testing.T) {
	t.Parallel()
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	s, err := New("calculator", OptTlsConfig(cfg), OptTlsFile("does", "not matter"), OptWithoutRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Endpoint().TLSConfig() != cfg {
		t.Error("another configuration")
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, _ := serve(t, OptWithoutRegistry(), OptContext(ctx))
	cancel()
	polltest.Until(t, "the server has left", func() bool { return !s.Ready() && len(s.Addrs()) == 0 })
}

func TestServerWhoseContextHasEndedLeaves(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := New("calculator", OptWithoutRegistry(), OptContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	polltest.Receive(t, "the server has left", s.left)
	if err := s.ListenAndServe(); !errors.Is(err, drpc.ErrListenClosed) {
		t.Errorf("%v", err)
	}
}

func TestShutdownFromAHandlerDoesNotWaitForAnotherOne(t *testing.T) {
	t.Parallel()
	s, addr := serve(t, OptWithoutRegistry(), OptMoveTimeout(time.Millisecond))
	begun, proceed := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(s, "/leave", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(begun)
		<-proceed
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("from a handler: %v", err)
		}
		return "done", nil
	})
	var reply string
	cmd := dial(t, addr).AsyncCall("/leave", "", &reply, nil)
	<-begun
	left := make(chan error, 1)
	go func() { left <- s.Shutdown(context.Background()) }() // waits for the handler
	polltest.Until(t, "the server is leaving", s.leaving.Load)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a second Shutdown that cannot wait: %v", err)
	}
	close(proceed)
	if err := polltest.Receive(t, "the server has left", left); err != nil {
		t.Error(err)
	}
	if <-cmd.Done(); cmd.Status() != nil || reply != "done" {
		t.Errorf("%q, %v", reply, cmd.Status())
	}
}

func TestServeConnServes(t *testing.T) {
	t.Parallel()
	s, err := New("calculator", OptWithoutRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.SetUnknownCall(func(drpc.UnknownCallCtx) (any, *drpc.Status) { return "unknown", nil })
	near, far := net.Pipe()
	if _, stat := s.ServeConn(far); stat != nil {
		t.Fatal(stat)
	}
	e, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	sess, stat := e.ServeConn(near)
	if stat != nil {
		t.Fatal(stat)
	}
	var reply string
	if stat := sess.Call("/whatever", "", &reply).Status(); stat != nil || reply != "unknown" {
		t.Errorf("%q, %v", reply, stat)
	}
	if _, ok := s.GetSession("nobody"); ok {
		t.Error("there is a session of nobody")
	}
}

func TestDefaultRegistryIsWhatIsUsedWithoutAny(t *testing.T) {
	t.Parallel()
	s, err := New("calculator") // it does not listen, so nothing is registered
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Options().Registry != registry.DefaultRegistry || s.Endpoint().PluginContainer().GetByName("registry") == nil {
		t.Error("another registry, or none")
	}
	alone, err := New("calculator", OptWithoutRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if alone.Endpoint().PluginContainer().GetByName("registry") != nil {
		t.Error("a server that asked for none has a registry")
	}
}
