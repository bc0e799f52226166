package conformance

import (
	"path/filepath"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestSessionsMoveOverEveryProtocol(t *testing.T) {
	for _, p := range Protos {
		if p.Name == "http" {
			continue // has no pushes, so nobody can be asked to move
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			Moves(t, movingOver(func(testing.TB) (server, client drpc.EndpointConfig) {
				server.LocalIP, client.LocalIP = "127.0.0.1", "127.0.0.1"
				server.ListenPort = porttest.Free(t)
				return server, client
			}), p.Make())
		})
	}
}

func TestSessionsMoveOverUnix(t *testing.T) {
	t.Parallel()
	Moves(t, movingOver(func(testing.TB) (server, client drpc.EndpointConfig) {
		server.Network, client.Network = "unix", "unix"
		server.ListenIP = filepath.Join(t.TempDir(), "s")
		return server, client
	}), Protos[0].Make())
}

// movingOver returns the Servers of a transport that endpoints select by their configuration.
func movingOver(config func(testing.TB) (server, client drpc.EndpointConfig)) Servers {
	return func(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) (drpc.Endpoint, func() drpc.Endpoint, drpc.Session) {
		serverConfig, clientConfig := config(t)
		first := endpoint(t, serverConfig, nil)
		register(first)
		sess, stat := endpoint(t, clientConfig, nil).Dial(serve(t, first, pf).String(), pf)
		if stat != nil {
			t.Fatalf("dial: %v", stat)
		}
		return first, func() drpc.Endpoint {
			polltest.Until(t, "the first server to stop listening", func() bool { return len(first.Addrs()) == 0 })
			second := endpoint(t, serverConfig, nil)
			register(second)
			serve(t, second, pf)
			return second
		}, sess
	}
}
