package transporttest

import (
	"math/rand/v2"
	"net"
	"testing"
	"time"
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
	path := newRelay(t, p.addr.(*net.UDPAddr), pathLoss, pathDelay)
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
