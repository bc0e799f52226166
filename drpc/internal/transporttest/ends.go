package transporttest

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/conntest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/race"
)

// holdings is what a process has that can be left behind.
type holdings struct{ goroutines, descriptors int }

func held() holdings { return holdings{runtime.NumGoroutine(), conntest.Descriptors()} }

// backTo waits until the process has no more than before, but for a few goroutines, which libraries keep.
func backTo(t testing.TB, before holdings, goroutines int) {
	t.Helper()
	polltest.Until(t, "goroutines and descriptors are as many as before", func() bool {
		now := held()
		return now.goroutines <= before.goroutines+goroutines && now.descriptors <= before.descriptors
	})
}

// closeLeavesNothing closes endpoints with sessions and calls on them.
func closeLeavesNothing(t *testing.T, tr Transport) {
	life := func(t *testing.T) {
		p := tr.pair(t).listen(t)
		for range 5 {
			honest(t, p.dial(t))
		}
		tr.raw(t, p.addr.String()) // it is closed by the server
	}
	t.Run("what libraries keep", life)
	before := held()
	t.Run("what is given back", life)
	backTo(t, before, 0)
}

// cyclesLeaveNothing connects and closes a thousand times.
func cyclesLeaveNothing(t *testing.T, tr Transport) {
	cycles := 1000
	if testing.Short() || race.Enabled {
		cycles /= 4
	}
	p := tr.pair(t).listen(t)
	cycle := func(*rand.Rand) error {
		sess, stat := p.client.Dial(p.addr.String())
		if stat != nil {
			return errors.New(stat.String())
		}
		return errors.Join(callEcho(sess, []byte("x")), sess.Close())
	}
	gone := func() bool { return p.server.CountSession() == 0 }
	share(t, 8, 50, cycle) // what is made once
	polltest.Until(t, "the first sessions are gone", gone)
	before, begin := held(), time.Now()
	share(t, 8, cycles, cycle)
	t.Logf("%d cycles in %v", cycles, time.Since(begin))
	polltest.Until(t, "the sessions are gone", gone)
	backTo(t, before, 4)
}

// dialToNobody must fail in time.
func dialToNobody(t *testing.T, tr Transport) {
	p := tr.pair(t, func(_, client *drpc.EndpointConfig) { client.DialTimeout = 300 * time.Millisecond })
	addr := "127.0.0.1:9"
	if tr.isUnix() {
		addr = t.TempDir() + "/nobody"
	}
	fds := conntest.Descriptors()
	begin := time.Now()
	for range 3 {
		if _, stat := p.client.Dial(addr); stat.Code() != drpc.CodeDialFailed {
			t.Errorf("%v", stat)
		}
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("three dials took %v", took)
	}
	polltest.Until(t, "descriptors are as many as before", func() bool { return conntest.Descriptors() <= fds })
}

// closeIsNoticed sees to it that what was written before the session closes arrives, and that the peer knows then.
func closeIsNoticed(t *testing.T, tr Transport) {
	p := tr.pair(t)
	got := make(chan int, 1)
	drpc.HandlePush(p.server, "/last", func(_ drpc.PushCtx, arg *[]byte) *drpc.Status {
		got <- len(*arg)
		return nil
	})
	p.listen(t)
	for _, side := range []string{"client", "server"} {
		sess := p.dial(t)
		honest(t, sess)
		there := p.accepted(t)
		closes, notices := sess, there
		if side == "server" {
			closes, notices = there, sess
		} else if stat := sess.Push("/last", make([]byte, 500_000)); stat != nil {
			t.Fatal(stat)
		}
		if err := closes.Close(); err != nil {
			t.Error(err)
		}
		ended(t, notices)
		if side == "client" {
			select {
			case n := <-got:
				if n != 500_000 {
					t.Errorf("%d bytes arrived", n)
				}
			case <-time.After(patience):
				t.Error("what was written before Close did not arrive")
			}
		}
		polltest.Until(t, "the server forgets the session", func() bool { return p.server.CountSession() == 0 })
	}
}

func ended(t testing.TB, sess drpc.Session) {
	t.Helper()
	select {
	case <-sess.CloseNotify():
	case <-time.After(patience):
		t.Fatal("the session does not end")
	}
}
