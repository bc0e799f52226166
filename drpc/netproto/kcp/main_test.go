package kcp

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/conntest"
)

// KCP's timers run for as long as the process lives.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// patient gives a configuration the time that a machine needs that is busy with something else, where the test says nothing.
func patient(cfg Config) Config {
	for _, field := range []*time.Duration{&cfg.Idle, &cfg.DialTimeout} {
		setDefault(field, conntest.Patience)
	}
	return cfg
}

func listen(t testing.TB, cfg Config) *Listener {
	t.Helper()
	ln := ServeConn(conntest.PacketConn(t), patient(cfg))
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func dialTo(t testing.TB, addr net.Addr, cfg Config) *Conn {
	t.Helper()
	conn, err := Dial(context.Background(), "udp", "", addr.String(), patient(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func pair(t testing.TB, cfg Config) (client, server *Conn) {
	t.Helper()
	ln := listen(t, cfg)
	client = dialTo(t, ln.Addr(), cfg)
	return client, conntest.Accept(t, ln).(*Conn)
}
