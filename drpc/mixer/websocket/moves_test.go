package websocket

import (
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestSessionsMoveOverWebSocket(t *testing.T) {
	for _, p := range subProtos {
		if p.Name == "http" {
			continue // has no pushes, so nobody can be asked to move
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			conformance.Moves(t, movingWebSocket, p.Make())
		})
	}
}

// movingWebSocket starts servers one after the other at one address.
func movingWebSocket(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) (drpc.Endpoint, func() drpc.Endpoint, drpc.Session) {
	cfg := drpc.EndpointConfig{ListenPort: porttest.Free(t)}
	first := newTestServer(t, "/ws", cfg)
	register(first)
	sess := dial(t, newTestClient(t, "/ws", drpc.EndpointConfig{}), serve(t, first, pf), pf)
	return first, func() drpc.Endpoint {
		polltest.Until(t, "the first server to stop listening", func() bool { return len(first.Addrs()) == 0 })
		second := newTestServer(t, "/ws", cfg)
		register(second)
		serve(t, second, pf)
		return second
	}, sess
}
