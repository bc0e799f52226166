package drpc

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// maxRedialInterval is the longest pause between two attempts, unless the shortest is longer.
const maxRedialInterval = 30 * time.Second

// backoff is the pauses between the attempts of one session to connect. They grow with each attempt and are random over
// their whole range, so that the clients of a server that comes back do not all knock at the same moment.
//
// A connection ends the series only when it has lasted as long as the longest pause it took to get it: a server that
// accepts and closes at once so sees no more attempts than one that is not there. Safe for concurrent use.
type backoff struct {
	shortest time.Duration

	mu    sync.Mutex
	n     int        // attempts since a connection lasted
	spent int        // those of them that count against a limit
	up    clock.Time // when the last connection came up; 0 while there is none
}

// next is the pause before the next attempt. Where limit is not negative, only so many attempts are made in a series, and
// ok is false after these.
func (b *backoff) next(limit int) (pause time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if limit >= 0 && b.spent >= limit {
		return 0, false
	}
	b.spent++
	return b.pauseLocked(), true
}

// nextFree is next for an attempt that counts against no limit.
func (b *backoff) nextFree() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pauseLocked()
}

func (b *backoff) pauseLocked() time.Duration {
	pause := jitter(b.n, b.shortest)
	b.n++
	return pause
}

// connected notes that a connection is up.
func (b *backoff) connected() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = clock.Now()
}

// ended notes that the connection is of no more use, and begins a new series if it has lasted. It reports whether it
// has.
func (b *backoff) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.up == 0 {
		return false
	}
	lasted := b.up.Since() >= ceiling(b.n, b.shortest)
	b.up = 0
	if lasted {
		b.n, b.spent = 0, 0
	}
	return lasted
}

// settledAfter is how long a connection lasts at least before a peer that sends it away is followed at once: a leaving
// peer that is all there is to dial sends everybody away after goawayGrace.
const settledAfter = 5 * goawayGrace

// sentAway is ended for a connection that still serves while the next one is made. settled says that the series of
// pauses is a new one.
func (b *backoff) sentAway() (lasted, settled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.up == 0 {
		return false, false
	}
	age := b.up.Since()
	b.up = 0
	if lasted = age >= ceiling(b.n, b.shortest); lasted {
		b.spent = 0
	}
	if settled = lasted && age >= settledAfter; settled {
		b.n = 0
	}
	return lasted, settled
}

// renew begins a new series.
func (b *backoff) renew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n, b.spent, b.up = 0, 0, 0
}

// ceiling is the longest pause before attempt n, counted from 0.
func ceiling(n int, shortest time.Duration) time.Duration {
	longest := max(maxRedialInterval, shortest)
	for d := shortest; ; d *= 2 {
		if n <= 1 || d >= longest {
			return min(d, longest)
		}
		n--
	}
}

// jitter picks the pause before attempt n. The first may be at once.
func jitter(n int, shortest time.Duration) time.Duration {
	if n == 0 {
		return rand.N(shortest + 1)
	}
	return shortest + rand.N(ceiling(n, shortest)-shortest+1)
}
