package server

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // failures are caused on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// serve makes a server that listens on the loopback address until the test ends, and returns it with its address.
func serve(t testing.TB, opt ...Option) (*RpcServer, string) {
	t.Helper()
	s, err := New("calculator", append([]Option{OptListenAddress("127.0.0.1:0")}, opt...)...)
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(s, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	polltest.Until(t, "the server listens", func() bool { return len(s.Addrs()) > 0 })
	return s, s.Addrs()[0].String()
}

// dial connects an endpoint of its own.
func dial(t testing.TB, addr string, tune ...func(drpc.Endpoint)) drpc.Session {
	t.Helper()
	e, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for _, fn := range tune {
		fn(e)
	}
	sess, stat := e.Dial(addr)
	if stat != nil {
		t.Fatal(stat)
	}
	return sess
}

func echo(t testing.TB, sess drpc.Session) {
	t.Helper()
	var reply string
	if stat := sess.Call("/echo", "hello", &reply).Status(); stat != nil || reply != "hello" {
		t.Errorf("%q, %v", reply, stat)
	}
}
