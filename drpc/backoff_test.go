package drpc

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPausesAreRandomOverTheWholeEnvelope(t *testing.T) {
	t.Parallel()
	const shortest = 100 * time.Millisecond
	for n, longest := range map[int]time.Duration{
		0: shortest, 1: shortest, 2: 2 * shortest, 3: 4 * shortest, 9: 25600 * time.Millisecond, 10: maxRedialInterval,
		1 << 20: maxRedialInterval,
	} {
		lo, hi := shortest, longest
		if n == 0 {
			lo = 0
		}
		low, high := hi, time.Duration(0)
		for range 2000 {
			d := jitter(n, shortest)
			if d < lo || d > hi {
				t.Fatalf("attempt %d waits %v, which is not from %v to %v", n, d, lo, hi)
			}
			low, high = min(low, d), max(high, d)
		}
		if spread := hi - lo; spread > 0 && (low > lo+spread/10 || high < hi-spread/10) {
			t.Errorf("attempt %d waits from %v to %v, which is not all of %v to %v", n, low, high, lo, hi)
		}
	}
	if d := ceiling(100, time.Hour); d != time.Hour {
		t.Errorf("an interval of an hour grows to %v", d)
	}
}

func TestOnlyAConnectionThatLastsEndsTheSeries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := backoff{shortest: time.Second}
		for n := range 5 {
			if _, ok := b.next(5); !ok {
				t.Fatalf("attempt %d was refused", n)
			}
			b.connected()
			time.Sleep(ceiling(n+1, time.Second) - 1)
			if b.ended() {
				t.Errorf("a connection after %d attempts ended the series too early", n+1)
			}
		}
		if _, ok := b.next(5); ok {
			t.Error("a sixth attempt of five")
		}
		if _, ok := b.next(-1); !ok {
			t.Error("there is a limit where there should be none")
		}
		b.connected()
		time.Sleep(ceiling(6, time.Second))
		if !b.ended() || b.ended() {
			t.Error("a connection that lasted does not end the series, or does so twice")
		}
		if d, ok := b.next(5); !ok || d > time.Second {
			t.Errorf("the new series begins with %v, %v", d, ok)
		}
		b.renew()
		if d, ok := b.next(1); !ok || d > time.Second {
			t.Errorf("the renewed series begins with %v, %v", d, ok)
		}
	})
}

func TestPeerThatSendsAwayWhoHasJustComeIsFollowedMoreAndMoreSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := backoff{shortest: 10 * time.Millisecond}
		come := func(age time.Duration) (lasted, settled bool) {
			b.connected()
			time.Sleep(age)
			return b.sentAway()
		}
		for i := range 8 {
			if _, settled := come(goawayGrace); settled || b.n != i {
				t.Fatalf("after %d times settled is %v, and the next pause the one after %d", i, settled, b.n)
			}
			b.nextFree()
		}
		if lasted, settled := come(time.Hour); !lasted || !settled || b.n != 0 {
			t.Errorf("after an hour lasted is %v, settled %v, and the next pause the one after %d", lasted, settled, b.n)
		}
		if lasted, settled := b.sentAway(); lasted || settled {
			t.Error("no connection has lasted")
		}
	})
}
