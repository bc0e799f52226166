package client

import (
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

func TestMain(m *testing.M) {
	if childRole() {
		return
	}
	logger.SetLevel(logger.LevelCritical) // failures are caused on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// node is a server of the service.
type node struct {
	drpc.Endpoint
	addr  string
	calls atomic.Int64 // of /echo
	ended chan error
}

// newNode makes a server that listens until the test ends.
func newNode(t testing.TB, plugins ...drpc.Plugin) *node {
	t.Helper()
	cfg := drpc.EndpointConfig{ListenIP: "127.0.0.1"}
	e, err := drpc.New(cfg, plugins...)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Endpoint: e, ended: make(chan error, 1)}
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) {
		n.calls.Add(1)
		return *arg, nil
	})
	go func() { n.ended <- e.ListenAndServe() }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-n.ended; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	polltest.Until(t, "the node listens", func() bool { return len(e.Addrs()) > 0 })
	n.addr = e.Addrs()[0].String()
	return n
}

// nobodyAt returns an address where nobody listens.
func nobodyAt(t testing.TB) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(porttest.Free(t))))
}

// listed returns a registry with nodes of the service "svc".
func listed(t testing.TB, addrs ...string) registry.Registry {
	t.Helper()
	r := memory.NewRegistry()
	for _, addr := range addrs {
		enlist(t, r, addr)
	}
	return r
}

func enlist(t testing.TB, r registry.Registry, addr string) {
	t.Helper()
	if err := r.Register(entry(addr)); err != nil {
		t.Fatal(err)
	}
}

func entry(addr string) *registry.Service {
	return &registry.Service{Name: "svc", Version: "1.0.0", Nodes: []*registry.Node{{Id: addr, Address: addr}}}
}

// newClientOf makes a client that closes with the test.
func newClientOf(t testing.TB, r registry.Registry, opt ...Option) *RpcClient {
	t.Helper()
	c, err := New("svc", append([]Option{OptRegistry(r)}, opt...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func echo(t testing.TB, c *RpcClient) {
	t.Helper()
	var reply string
	if stat := c.Call("/echo", "hello", &reply).Status(); stat != nil || reply != "hello" {
		t.Errorf("%q, %v", reply, stat)
	}
}
