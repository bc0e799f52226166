package transporttest

import (
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

// The path of the tests with losses: of datagrams either way, and how late the others are.
const (
	pathLoss  = 0.05
	pathDelay = 20 * time.Millisecond
)

// lossAndDelay makes a thousand calls over a bad path.
func lossAndDelay(t *testing.T, tr Transport) {
	const calls, callers = 1000, 32
	p := tr.pair(t).listen(t)
	path := NewRelay(t, p.addr.(*net.UDPAddr), pathLoss, pathDelay)
	sess := dialTo(t, p.client, path.String())
	body := noise(rand.New(rand.NewPCG(3, 4)), 1000)
	begin := time.Now()
	share(t, callers, calls, func(*rand.Rand) error { return callEcho(sess, body) })
	took := time.Since(begin)
	t.Logf("%d calls of 1 KB by %d callers over a path with %.0f%% loss and %v either way: %v, %.0f calls/s",
		calls, callers, 100*pathLoss, pathDelay, took, calls/took.Seconds())
	begin = time.Now()
	if err := p.client.Close(); err != nil || time.Since(begin) > tr.Idle+patience/3 {
		t.Errorf("closing over that path: %v, %v", err, time.Since(begin))
	}
}

// BenchLossy measures 32 callers with 1 KB each way over the path of lossAndDelay, who share so many sessions.
func BenchLossy(b *testing.B, tr Transport, sessions int) {
	p := tr.pair(b).listen(b)
	path := NewRelay(b, p.addr.(*net.UDPAddr), pathLoss, pathDelay)
	all := make([]drpc.Session, sessions)
	for i := range all {
		all[i] = dialTo(b, p.client, path.String())
	}
	body := noise(rand.New(rand.NewPCG(3, 4)), 1000)
	b.ResetTimer()
	share(b, 32, b.N, func(rng *rand.Rand) error { return callEcho(all[rng.IntN(sessions)], body) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
