// Package transporttest is one suite that every transport must pass, over the wire as it is and with TLS: protocols,
// codecs and filters, many callers with large bodies, pushes, ends of every kind, hostile peers, lossy paths, settings of
// sockets.
//
// A transport is a row, a [Transport], of some ten lines; [Run] tests it. The test program calls [Main] first, which makes
// it the peer that a test kills. Only tests import this package.
package transporttest

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
	"github.com/osgochina/dmicro/drpc/netproto"
)

// Transport is what the suite has to know of a transport.
type Transport struct {
	// Name is that of the subtests, and Network that of the endpoints' configuration.
	Name, Network string
	// Secure says that it encrypts by itself: the endpoints without a TLS configuration must nevertheless find one.
	Secure bool
	// UDP says that a relay of datagrams can stand between the peers.
	UDP bool
	// Idle is the time in which a peer is noticed that is gone without a word; 0 where the system says so at once.
	Idle time.Duration
	// Server and Client make endpoints; drpc.New by default.
	Server, Client func(drpc.EndpointConfig, ...drpc.Plugin) (drpc.Endpoint, error)
	// Upgrade makes a connection of the network ready for frames, on the dialling side; by default it is.
	Upgrade func(net.Conn) (net.Conn, error)
	// Beginning is how a frame begins that endpoints take which are told no protocol; by default that of the raw protocol.
	Beginning []byte
	// Protos are the protocols that it is tested with; all by default.
	Protos []conformance.Proto
}

// check is a test of every transport.
type check struct {
	name string
	run  func(*testing.T, Transport)
	// kind says what may run beside it.
	kind kind
	// applies says which transports it is for; nil is all.
	applies func(Transport) bool
}

// kind is what a check has to do with those beside it.
type kind int

const (
	works kind = iota // as many run at a time as there are processors
	waits             // it takes no place from those that work
	alone             // it counts what the process has, so that nothing may run beside it
)

func overUDP(tr Transport) bool { return tr.UDP }

func overStreams(tr Transport) bool { return !tr.Secure }

var checks = []check{
	{name: "close leaves nothing", run: closeLeavesNothing, kind: alone},
	{name: "cycles leave nothing", run: cyclesLeaveNothing, kind: alone},
	{name: "dial to nobody", run: dialToNobody, kind: alone},
	{name: "hostile datagrams", run: hostileDatagrams, kind: alone, applies: overUDP},
	{name: "slow reader", run: slowReader, kind: alone},

	{name: "protocols", run: protocols},
	{name: "protocols with TLS", run: protocolsWithTLS},
	{name: "many callers with bodies of any size", run: manyCallers},
	{name: "server pushes", run: serverPushes},
	{name: "close is noticed at once on either side", run: closeIsNoticed},
	{name: "killed peer is noticed", run: killedPeerIsNoticed, kind: waits},
	{name: "loss and delay", run: lossAndDelay, kind: waits, applies: overUDP},

	{name: "TLS verifies", run: tlsVerifies},
	{name: "TLS on both sides", run: tlsOnBothSides},
	{name: "TLS from files that change", run: tlsFromFiles},
	{name: "TLS with authorities that change", run: authoritiesFromFiles},
	{name: "silence in the TLS handshake", run: silenceInHandshake, kind: waits, applies: overStreams},
	{name: "garbage in the TLS handshake", run: garbageInHandshake, applies: overStreams},
	{name: "garbage after the TLS handshake", run: garbageAfterHandshake, applies: overStreams},

	{name: "silence", run: silence, kind: waits},
	{name: "frame that never ends", run: endlessFrame, kind: waits},
	{name: "garbage", run: garbage},
	{name: "garbage after a frame", run: garbageAfterFrame},
	{name: "frame that is too large", run: oversize},

	{name: "descriptor and socket can be had", run: descriptorCanBeHad},
	{name: "connection can be replaced", run: connectionCanBeReplaced},
}

// Run tests transports. What counts descriptors runs first and alone, the rest at the same time.
func Run(t *testing.T, transports ...Transport) {
	type test = func(*testing.T)
	t.Run("alone", func(t *testing.T) {
		each(alone, transports, func(name string, f test) { t.Run(name, f) })
	})
	var both sync.WaitGroup
	both.Go(func() {
		t.Run("waiting", func(t *testing.T) {
			var all sync.WaitGroup
			each(waits, transports, func(name string, f test) { all.Go(func() { t.Run(name, f) }) })
			all.Wait()
		})
	})
	both.Go(func() {
		t.Run("working", func(t *testing.T) {
			each(works, transports, func(name string, f test) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f(t)
				})
			})
		})
	})
	both.Wait()
}

// each passes on the checks of a kind that are for a transport.
func each(k kind, transports []Transport, run func(name string, f func(*testing.T))) {
	for _, tr := range transports {
		for _, c := range checks {
			if c.kind == k && (c.applies == nil || c.applies(tr)) {
				run(tr.Name+"/"+c.name, func(t *testing.T) { c.run(t, tr) })
			}
		}
	}
}

func (tr Transport) isUnix() bool { return strings.HasPrefix(tr.Network, "unix") }

// configs are those of a server, which may have its files in dir, and of a client.
func (tr Transport) configs(dir string) (server, client drpc.EndpointConfig) {
	server.Network, client.Network = tr.Network, tr.Network
	server.DefaultBodyCodec, client.DefaultBodyCodec = "plain", "plain"
	if tr.isUnix() {
		server.ListenIP = filepath.Join(dir, "s")
		return server, client
	}
	server.LocalIP, client.LocalIP = "127.0.0.1", "127.0.0.1"
	return server, client
}

func (tr Transport) newServer(cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
	if tr.Server != nil {
		return tr.Server(cfg, plugins...)
	}
	return drpc.New(cfg, plugins...)
}

func (tr Transport) newClient(cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (drpc.Endpoint, error) {
	if tr.Client != nil {
		return tr.Client(cfg, plugins...)
	}
	return drpc.New(cfg, plugins...)
}

// wire connects to a server as a stranger does, without framework and handshakes.
func (tr Transport) wire(t testing.TB, addr string) net.Conn {
	t.Helper()
	transport, err := netproto.Get(tr.Network)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := transport.Dial(ctx, tr.Network, "", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// raw is wire up to where the frames begin.
func (tr Transport) raw(t testing.TB, addr string) net.Conn {
	t.Helper()
	return tr.upgrade(t, tr.wire(t, addr))
}

func (tr Transport) upgrade(t testing.TB, conn net.Conn) net.Conn {
	t.Helper()
	if tr.Upgrade == nil {
		return conn
	}
	conn, err := tr.Upgrade(conn)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
