package netproto_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/drpc/netproto/kcp"
	"github.com/osgochina/dmicro/drpc/netproto/quic"
	"github.com/osgochina/dmicro/logger"
)

// idle is the time in which the transports of the tests notice that a peer is gone.
const idle = 2 * time.Second

// The transports over UDP are tested with a short idle time, and quic with a certificate that nobody vouches for.
func init() {
	netproto.Register(kcp.New(kcp.Config{Idle: idle}, "kcp-test"))
	netproto.Register(quic.New(quic.Config{Idle: idle, TLS: &tls.Config{InsecureSkipVerify: true}}, "quic-test"))
}

// transport is one row of the tests in this package.
type transport struct {
	name, network string
	udp           bool
}

var transports = []transport{
	{name: "tcp", network: "tcp"},
	{name: "unix", network: "unix"},
	{name: "unixpacket", network: "unixpacket"},
	{name: "kcp", network: "kcp-test", udp: true},
	{name: "quic", network: "quic-test", udp: true},
}

// configs are those of a server and of a client.
func (tr transport) configs(dir string) (server, client drpc.EndpointConfig) {
	server.Network, client.Network = tr.network, tr.network
	if tr.network == "unix" || tr.network == "unixpacket" {
		server.ListenIP = filepath.Join(dir, "s")
		return server, client
	}
	server.LocalIP, client.LocalIP = "127.0.0.1", "127.0.0.1"
	return server, client
}

// childServer makes the test program a server on a network and nothing else.
const childServer = "DMICRO_TEST_SERVER"

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelError)
	if network := os.Getenv(childServer); network != "" {
		if err := serveAsChild(network); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
