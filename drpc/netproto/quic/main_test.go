package quic

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	quicgo "github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/conntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// development is what a program says that wants no security.
var development = &tls.Config{InsecureSkipVerify: true}

func fixed(cfg *tls.Config) func() *tls.Config { return func() *tls.Config { return cfg } }

func listen(t testing.TB, config func() *tls.Config, cfg Config) *Listener {
	t.Helper()
	ln, err := ServeConn(conntest.PacketConn(t), config, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func dialTo(t testing.TB, addr net.Addr, config *tls.Config, cfg Config) *Conn {
	t.Helper()
	conn, err := Dial(context.Background(), "udp", "", addr.String(), config, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func pair(t testing.TB, cfg Config) (client, server *Conn) {
	t.Helper()
	ln := listen(t, fixed(development), cfg)
	client = dialTo(t, ln.Addr(), development, cfg)
	return client, conntest.Accept(t, ln).(*Conn)
}

// rawDial connects without opening a stream.
func rawDial(t testing.TB, addr net.Addr, protocols ...string) *quicgo.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), conntest.Patience)
	defer cancel()
	conn, err := quicgo.DialAddr(ctx, addr.String(), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return conn
}
