package transporttest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/race"
)

func (tr Transport) protos() []conformance.Proto {
	if tr.Protos != nil {
		return tr.Protos
	}
	return conformance.Protos
}

func protocols(t *testing.T, tr Transport) { tr.conform(t, func(*peers) {}) }

func protocolsWithTLS(t *testing.T, tr Transport) {
	if race.Enabled {
		tr.Protos = tr.protos()[:1] // compressing so much takes minutes with the race detector
	}
	ca := certtest.New(t)
	tr.conform(t, func(p *peers) { secure(p, ca) })
}

// conform runs every protocol with every codec and filter over peers that prepare has changed.
func (tr Transport) conform(t *testing.T, prepare func(*peers)) {
	connect := func(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) drpc.Session {
		p := tr.pair(t)
		prepare(p)
		register(p.server)
		return p.listen(t, pf).dial(t, pf)
	}
	for _, p := range tr.protos() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			conformance.RunProto(t, connect, p)
		})
	}
}

// manyCallers has 64 callers, half of them on each side of one session.
func manyCallers(t *testing.T, tr Transport) {
	const callers = 64
	sizes := []int{0, 1, 100, 125, 126, 1399, 1400, 1401, 1<<16 - 200, 1 << 16, 1<<16 + 1, 300_000, 1 << 20}
	p := tr.pair(t)
	echo(p.client)
	there := p.listen(t).dial(t)
	here := p.accepted(t)
	biggest := noise(rand.New(rand.NewPCG(1, 2)), 1<<20)
	share(t, callers, 2*callers, func(rng *rand.Rand) error {
		sess := here
		if rng.IntN(2) == 0 {
			sess = there
		}
		return callEcho(sess, biggest[:sizes[rng.IntN(len(sizes))]])
	})
}

// serverPushes pushes to a client that has said nothing at all.
func serverPushes(t *testing.T, tr Transport) {
	const pushes = 200
	p := tr.pair(t)
	pushed := make(chan int, pushes)
	drpc.HandlePush(p.client, "/news", func(_ drpc.PushCtx, arg *[]byte) *drpc.Status {
		pushed <- len(*arg)
		return nil
	})
	p.listen(t).dial(t)
	sess := p.accepted(t)
	for i := range pushes {
		if stat := sess.Push("/news", make([]byte, i*10)); stat != nil {
			t.Fatal(stat)
		}
	}
	sum := 0
	for range pushes {
		select {
		case n := <-pushed:
			sum += n
		case <-time.After(patience):
			t.Fatal("a push is missing")
		}
	}
	if want := 10 * pushes * (pushes - 1) / 2; sum != want {
		t.Errorf("%d bytes came, want %d", sum, want)
	}
}

// Bench measures 64 callers with 128 bytes each way, over one session.
func Bench(b *testing.B, tr Transport) {
	p := tr.pair(b).listen(b)
	sess := p.dial(b)
	body := make([]byte, 128)
	b.ResetTimer()
	share(b, 64, b.N, func(*rand.Rand) error { return callEcho(sess, body) })
}
