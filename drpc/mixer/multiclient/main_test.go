package multiclient

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // many tests cause errors on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// server is an endpoint with an echo, and with a handler that answers once it is let.
type server struct {
	drpc.Endpoint
	addr  string
	begun chan struct{}
	let   chan struct{}
	news  chan string
}

func newServer(t testing.TB, cfg drpc.EndpointConfig) *server {
	t.Helper()
	s := &server{
		Endpoint: peertest.Endpoint(t, cfg),
		begun:    make(chan struct{}, 100), let: make(chan struct{}), news: make(chan string, 100),
	}
	drpc.HandleCall(s, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	drpc.HandleCall(s, "/wait", func(c drpc.CallCtx, arg *string) (string, *drpc.Status) {
		s.begun <- struct{}{}
		<-s.let
		return *arg, nil
	})
	drpc.HandlePush(s, "/news", func(_ drpc.PushCtx, arg *string) *drpc.Status {
		s.news <- *arg
		return nil
	})
	s.addr = peertest.Serve(t, s.Endpoint, rawproto.NewRawProtoFunc())
	return s
}

func newClient(t testing.TB, addr string, opts Options) *MultiClient {
	t.Helper()
	c := NewWith(peertest.Endpoint(t, drpc.EndpointConfig{}), addr, opts)
	t.Cleanup(c.Close)
	return c
}

func echoes(t testing.TB, c *MultiClient, text string) {
	t.Helper()
	var got string
	if stat := c.Call("/echo", text, &got).Status(); stat != nil || got != text {
		t.Errorf("%q, %v", got, stat)
	}
}
