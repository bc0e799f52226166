package conformance

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func TestTCP(t *testing.T) { Run(t, TCP) }

func TestUnix(t *testing.T) {
	// One protocol is enough to know that the transport does not change what the protocols do.
	RunProto(t, Over(func(t testing.TB) (server, client drpc.EndpointConfig) {
		server.Network, client.Network = "unix", "unix"
		server.ListenIP = filepath.Join(t.TempDir(), "s")
		return server, client
	}, nil), Protos[0])
}

// A row that no subtest meets would never be noticed otherwise.
func TestEveryRowOfTheTableIsMet(t *testing.T) {
	t.Parallel()
	for i, r := range Cannot {
		met := false
		for _, p := range Protos {
			for _, k := range bodyKinds() {
				for _, filters := range Filters {
					for _, s := range scenarios {
						c := combination{proto: p.Name, body: k.name, filters: filters, scenario: s.name}
						met = met || (k.binary || !s.binary) && c.refusal() == &Cannot[i]
					}
				}
			}
		}
		if !met || r.Why == "" {
			t.Errorf("row %d applies to nothing or explains nothing: %+v", i, r)
		}
	}
}
