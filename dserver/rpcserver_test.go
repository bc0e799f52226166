package dserver

import (
	"errors"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/server"
)

func TestRpcServerOptionReadsEveryKey(t *testing.T) {
	t.Parallel()
	c := configOf(t, "toml", `
[orders]
Network = "tcp4"
ListenIP = "127.0.0.1"
listen_port = 9091
DefaultBodyCodec = "plain"
DefaultSessionAge = 60
DefaultContextAge = "1.5s"
SlowCometDuration = "10ms"
PrintDetail = true

[ports]
ListenPort = 1234

[local]
Network = "unix"
ListenIP = "/run/orders.sock"

[wrong]
ListenPort = 70000
Network = "tcp6"
`)
	get := func(name string) server.Options { return server.NewOptions(c.RpcServerOption(name)...) }
	got := get("Orders")
	if got.Network != "tcp4" || got.ListenAddress != "127.0.0.1:9091" || got.BodyCodec != "plain" ||
		got.SessionAge != time.Minute || got.ContextAge != 1500*time.Millisecond ||
		got.SlowCometDuration != 10*time.Millisecond || !got.PrintDetail {
		t.Errorf("%+v", got)
	}
	if got := get("ports").ListenAddress; got != "0.0.0.0:1234" {
		t.Errorf("only a port: %q", got)
	}
	if got := get("local"); got.Network != "unix" || got.ListenAddress != "/run/orders.sock" {
		t.Errorf("unix: %+v", got)
	}
	if got := get("wrong"); got.Network != "tcp6" || got.ListenAddress != "0.0.0.0:0" {
		t.Errorf("a bad value: %+v", got)
	}
	for _, none := range []string{"", "nobody"} {
		if opts := c.RpcServerOption(none); len(opts) != 0 {
			t.Errorf("%q: %d options", none, len(opts))
		}
	}
}

func TestServerRunsInASandbox(t *testing.T) {
	t.Parallel()
	c := configOf(t, "yaml", "orders:\n  ListenIP: 127.0.0.1\n  ListenPort: 0\n")
	s, err := server.New("orders", append(c.RpcServerOption("orders"), server.OptWithoutRegistry())...)
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(s, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	box := &rpcBox{srv: s}
	ended := make(chan error, 1)
	go func() { ended <- box.Setup() }()
	polltest.Until(t, "the server listens", func() bool { return len(s.Addrs()) > 0 })
	e, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	sess, stat := e.Dial(s.Addrs()[0].String())
	if stat != nil {
		t.Fatal(stat)
	}
	var reply string
	if stat = sess.Call("/echo", "x", &reply).Status(); stat != nil || reply != "x" {
		t.Errorf("%q, %v", reply, stat)
	}
	if err = e.Close(); err != nil {
		t.Error(err)
	}
	if err = box.Shutdown(); err != nil {
		t.Error(err)
	}
	if err = <-ended; !errors.Is(err, drpc.ErrListenClosed) {
		t.Errorf("Setup: %v", err)
	}
}

// rpcBox is a sandbox with a server of package server.
type rpcBox struct {
	BaseSandbox
	srv *server.RpcServer
}

func (*rpcBox) Name() string      { return "rpcBox" }
func (b *rpcBox) Setup() error    { return b.srv.ListenAndServe() }
func (b *rpcBox) Shutdown() error { b.srv.Close(); return nil }

var _ ISandbox = (*rpcBox)(nil)
