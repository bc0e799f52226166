package drpc

import (
	"sync"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// tallyInterval is how often the log says what a peer can make happen as often as it likes.
const tallyInterval = 10 * time.Second

// tally counts what is logged together. The zero value is ready. Safe for concurrent use.
type tally struct {
	mu   sync.Mutex
	n    int        // since the last line
	last clock.Time // when that was; 0 is never
}

// note counts one, and returns how many there were since the last line if it is time for the next, else 0.
func (t *tally) note() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	if t.last != 0 && t.last.Since() < tallyInterval {
		return 0
	}
	n, t.n, t.last = t.n, 0, clock.Now()
	return n
}
