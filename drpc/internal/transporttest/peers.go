package transporttest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/conntest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// patience is how long something may take that takes no time unless it hangs.
const patience = conntest.Patience

// peers are a server and a client, which end with the test.
type peers struct {
	server, client drpc.Endpoint
	addr           net.Addr // of the server, once it listens
}

// change changes the configurations of a server and a client.
type change func(server, client *drpc.EndpointConfig)

// pair makes peers, of which the server echoes and does not listen yet.
func (tr Transport) pair(t testing.TB, changes ...change) *peers {
	t.Helper()
	serverConfig, clientConfig := tr.configs(t.TempDir())
	for _, c := range changes {
		c(&serverConfig, &clientConfig)
	}
	return &peers{
		server: closing(t, func() (drpc.Endpoint, error) {
			e, err := tr.newServer(serverConfig)
			if err == nil {
				echo(e)
			}
			return e, err
		}),
		client: closing(t, func() (drpc.Endpoint, error) { return tr.newClient(clientConfig) }),
	}
}

// closing makes an endpoint that ends with the test.
func closing(t testing.TB, make func() (drpc.Endpoint, error)) drpc.Endpoint {
	t.Helper()
	e, err := make()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// listen makes the server listen.
func (p *peers) listen(t testing.TB, pf ...proto.ProtoFunc) *peers {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.server.ListenAndServe(pf...) }()
	t.Cleanup(func() {
		_ = p.server.Close()
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	polltest.Until(t, "the server listens", func() bool { return len(p.server.Addrs()) > 0 })
	p.addr = p.server.Addrs()[0]
	return p
}

// dial connects the client to the server.
func (p *peers) dial(t testing.TB, pf ...proto.ProtoFunc) drpc.Session {
	t.Helper()
	return dialTo(t, p.client, p.addr.String(), pf...)
}

func dialTo(t testing.TB, e drpc.Endpoint, addr string, pf ...proto.ProtoFunc) drpc.Session {
	t.Helper()
	sess, stat := e.Dial(addr, pf...)
	if stat != nil {
		t.Fatalf("dial: %v", stat)
	}
	return sess
}

// accepted is the only session of the server.
func (p *peers) accepted(t testing.TB) (there drpc.Session) {
	t.Helper()
	polltest.Until(t, "the server has one session", func() bool { return p.server.CountSession() == 1 })
	p.server.RangeSession(func(s drpc.Session) bool { there = s; return false })
	return there
}

// echo adds the handler that most tests call.
func echo(e drpc.Endpoint) {
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, arg *[]byte) ([]byte, *drpc.Status) { return *arg, nil })
}

func callEcho(sess drpc.Session, body []byte) error {
	var reply []byte
	if stat := sess.Call("/echo", body, &reply).Status(); stat != nil {
		return errors.New(stat.String())
	}
	if !bytes.Equal(reply, body) {
		return fmt.Errorf("%d bytes came back for %d", len(reply), len(body))
	}
	return nil
}

func honest(t testing.TB, sess drpc.Session) {
	t.Helper()
	if err := callEcho(sess, []byte("honest")); err != nil {
		t.Errorf("an honest client: %v", err)
	}
}

// share makes n calls with that many callers.
func share(t testing.TB, callers, n int, call func(rng *rand.Rand) error) {
	t.Helper()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), uint64(n)))
			for range (n + c) / callers {
				if err := call(rng); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// noise returns n bytes of any content.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
