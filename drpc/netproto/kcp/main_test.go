package kcp

import (
	"context"
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/conntest"
)

// KCP's timers run for as long as the process lives.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func listen(t testing.TB, cfg Config) *Listener {
	t.Helper()
	ln := ServeConn(conntest.PacketConn(t), cfg)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func dialTo(t testing.TB, addr net.Addr, cfg Config) *Conn {
	t.Helper()
	conn, err := Dial(context.Background(), "udp", "", addr.String(), cfg)
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
