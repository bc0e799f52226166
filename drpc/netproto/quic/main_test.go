package quic

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/conntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// development is what a program says that wants no security.
var development = &tls.Config{InsecureSkipVerify: true}

func fixed(cfg *tls.Config) func() *tls.Config { return func() *tls.Config { return cfg } }

// patient gives a configuration the time that a machine needs that is busy with something else, where the test says nothing.
func patient(cfg Config) Config {
	for _, field := range []*time.Duration{&cfg.Idle, &cfg.DialTimeout, &cfg.SilenceTimeout} {
		setDefault(field, conntest.Patience)
	}
	return cfg
}

func listen(t testing.TB, config func() *tls.Config, cfg Config) *Listener {
	t.Helper()
	return serve(t, conntest.PacketConn(t), config, cfg)
}

func serve(t testing.TB, pc net.PacketConn, config func() *tls.Config, cfg Config) *Listener {
	t.Helper()
	ln, err := ServeConn(pc, config, patient(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func dialTo(t testing.TB, addr net.Addr, config *tls.Config, cfg Config) *Conn {
	t.Helper()
	conn, err := Dial(context.Background(), "udp", "", addr.String(), config, patient(cfg))
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
	conn, err := quicgo.DialAddr(ctx, addr.String(), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}, &quicgo.Config{HandshakeIdleTimeout: conntest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return conn
}
