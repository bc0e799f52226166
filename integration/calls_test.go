package integration

import (
	"errors"
	"net"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/etcd"
	"github.com/osgochina/dmicro/registry/registrytest"
	"github.com/osgochina/dmicro/selector"
	"github.com/osgochina/dmicro/server"
)

// serve starts a server of the service shop and returns what closes it.
func serve(t *testing.T, r registry.Registry) (stop func()) {
	t.Helper()
	srv, err := server.New("shop", server.OptListenAddress("127.0.0.1:0"), server.OptRegistry(r))
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(srv, "/double", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) { return *n * 2, nil })
	done := make(chan error, 1)
	go func() { done <- srv.ListenAndServe() }()
	closed := false
	stop = func() {
		if closed {
			return
		}
		closed = true
		srv.Close()
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func newCaller(t *testing.T, r registry.Registry) (call func() *drpc.Status) {
	t.Helper()
	cli, err := client.New("shop", client.OptSelector(selector.NewSelector(selector.OptRegistry(r), selector.OptTTL(time.Second))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cli.Close)
	return func() *drpc.Status {
		var got int
		stat := cli.Call("/double", 21, &got).Status()
		if stat == nil && got != 42 {
			t.Errorf("got %d", got)
		}
		return stat
	}
}

func TestServerServesThoughTheRegistryIsDownAndRegistersLater(t *testing.T) {
	t.Parallel()
	c := ownCluster(t)
	c.stop()
	r := c.registry()
	srv, err := server.New("shop", server.OptListenAddress("127.0.0.1:0"), server.OptRegistry(r))
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(srv, "/double", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) { return *n * 2, nil })
	where := make(bound, 1)
	srv.Endpoint().PluginContainer().AppendRight(where)
	done := make(chan error, 1)
	go func() { done <- srv.ListenAndServe() }()
	cli, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	sess, stat := cli.Dial(<-where)
	if stat != nil {
		t.Fatal(stat)
	}
	var got int
	if stat := sess.Call("/double", 21, &got).Status(); stat != nil || got != 42 {
		t.Errorf("without a registry: %d, %v", got, stat)
	}
	c.start()
	direct := c.client()
	waitFor(t, "the registration", 5*time.Second, func() bool {
		resp, err := direct.Get(background(t), "/dmicro/registry/shop/", clientv3.WithPrefix())
		return err == nil && len(resp.Kvs) == 1
	})
	if err := cli.Close(); err != nil {
		t.Error(err)
	}
	srv.Close()
	if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
		t.Error(err)
	}
}

// bound tells where an endpoint listens.
type bound chan string

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr.String()
	return nil
}

func TestLastNodeLeavesAndReturns(t *testing.T) {
	t.Parallel()
	addr, prefix := shared(t)
	opts := []registry.Option{registry.OptAddrList(addr), etcd.Prefix(prefix)}
	servers := newRegistry(t, opts...)
	call := newCaller(t, newRegistry(t, opts...))
	for range 3 {
		stop := serve(t, servers)
		registrytest.Get(t, servers, "shop", 1)
		waitFor(t, "calls", 5*time.Second, func() bool { return call() == nil })
		stop()
		registrytest.WaitAddresses(t, servers, "shop")
		waitFor(t, "an error", time.Second, func() bool { return call() != nil })
		begin := time.Now()
		for range 10 {
			if stat := call(); stat == nil {
				t.Error("a call went to a server that has gone")
			}
		}
		within(t, "ten errors", time.Second, time.Since(begin))
	}
}

func TestCallsGoOnWithTheLastListWhileTheRegistryIsLost(t *testing.T) {
	t.Parallel()
	c := ownCluster(t)
	serve(t, c.registry())
	second := serve(t, c.registry())
	r := c.registry()
	registrytest.Get(t, r, "shop", 2)
	call := newCaller(t, r)
	if stat := call(); stat != nil {
		t.Fatal(stat)
	}
	c.stop()
	slowest := time.Duration(0)
	for begin := time.Now(); time.Since(begin) < 8*time.Second; time.Sleep(5 * time.Millisecond) {
		begin := time.Now()
		if stat := call(); stat != nil {
			t.Fatalf("a call failed: %v", stat)
		}
		slowest = max(slowest, time.Since(begin))
	}
	within(t, "the slowest call", time.Second, slowest)
	begin := time.Now()
	second()
	within(t, "closing a server without its registry", 10*time.Second, time.Since(begin))
	waitFor(t, "calls to the other server only", 10*time.Second, func() bool { return call() == nil && call() == nil && call() == nil })
	c.start()
	if stat := call(); stat != nil {
		t.Error(stat)
	}
}
