// Package load calls a peer from many goroutines and measures what comes of it.
//
// A Load is for one goroutine.
package load

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/osgochina/dmicro/bench/peers"
)

// Shape is how a peer is called.
type Shape struct {
	// Conns is the number of connections, Callers that of goroutines over all of them.
	Conns, Callers int
	// Body is the size in bytes of what is echoed.
	Body int
}

// Load is open connections and callers that are ready to call.
type Load struct {
	conns   []peers.Client
	callers []*caller
}

// caller is one goroutine's share.
type caller struct {
	body []byte
	call func() ([]byte, error)
	hist *Hist
}

// Open dials the connections and makes every caller call once.
func Open(p peers.Peer, addr string, s Shape) (*Load, error) {
	l := new(Load)
	for range s.Conns {
		conn, err := p.Dial(addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("dial: %w", err), l.Close())
		}
		l.conns = append(l.conns, conn)
	}
	for i := range s.Callers {
		body := pattern(i, s.Body)
		c := &caller{body: body, call: l.conns[i%s.Conns].Caller(body), hist: new(Hist)}
		if err := c.once(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.callers = append(l.callers, c)
	}
	return l, nil
}

// Close closes the connections.
func (l *Load) Close() error {
	var errs []error
	for _, c := range l.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Outcome is what calling gave.
type Outcome struct {
	// Calls is how many calls were answered.
	Calls uint64
	// Elapsed is the time from the first call to the end of the last.
	Elapsed time.Duration
	// Latencies are how long the calls took.
	Latencies *Hist
}

// Run makes every caller call again and again for that long, once at least however late the system lets it begin, and
// returns when the last call under way has ended. The first error ends it.
func (l *Load) Run(d time.Duration) (Outcome, error) {
	errs := make(chan error, len(l.callers))
	var wg sync.WaitGroup
	start := time.Now()
	for _, c := range l.callers {
		clear(c.hist.counts[:])
		wg.Go(func() {
			if err := c.until(start.Add(d)); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	out := Outcome{Elapsed: time.Since(start), Latencies: new(Hist)}
	close(errs)
	for _, c := range l.callers {
		out.Latencies.Add(c.hist)
	}
	out.Calls = out.Latencies.Count()
	return out, <-errs
}

func (c *caller) until(end time.Time) error {
	for last := time.Now(); ; {
		if err := c.once(); err != nil {
			return err
		}
		now := time.Now()
		c.hist.Record(now.Sub(last))
		if !now.Before(end) {
			return nil
		}
		last = now
	}
}

// once calls and looks at what came back: its length and some of its bytes, which differ from caller to caller and all
// along the body.
func (c *caller) once() error {
	got, err := c.call()
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if len(got) != len(c.body) {
		return fmt.Errorf("sent %d bytes, got %d back", len(c.body), len(got))
	}
	for _, at := range [...]int{0, len(got) / 3, len(got) / 2, max(len(got)-probe, 0)} {
		end := min(at+probe, len(got))
		if !bytes.Equal(got[at:end], c.body[at:end]) {
			return fmt.Errorf("bytes %d to %d came back as others", at, end)
		}
	}
	return nil
}

// probe is how many bytes are compared at a place.
const probe = 8

// pattern returns n bytes that are those of this caller alone.
func pattern(caller, n int) []byte {
	b := make([]byte, n)
	x := uint32(caller)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}
