package overload

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Limit bounds what is done. The zero value bounds nothing.
type Limit struct {
	// Concurrency is how many calls and pushes may be at work at the same time; 0 is any number.
	Concurrency int
	// Rate is how many may begin in a second, on average; 0 is any number.
	Rate float64
	// Burst is how many may begin at the same moment after a pause; Rate rounded up by default.
	Burst int
}

// check returns what is wrong with a limit.
func (l Limit) check() error {
	switch {
	case l.Concurrency < 0:
		return fmt.Errorf("overload: Concurrency is %d: 0 is no limit", l.Concurrency)
	case l.Rate < 0 || math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0):
		return fmt.Errorf("overload: Rate is %v: 0 is no limit", l.Rate)
	case l.Burst < 0:
		return fmt.Errorf("overload: Burst is %d", l.Burst)
	case l.Burst > 0 && l.Rate == 0:
		return errors.New("overload: Burst without Rate")
	}
	return nil
}

// bucket is the burst and the rate of a limit as package rate has them.
func (l Limit) bucket() (rate.Limit, int) {
	if l.Rate == 0 {
		return rate.Inf, 0
	}
	if l.Burst > 0 {
		return rate.Limit(l.Rate), l.Burst
	}
	return rate.Limit(l.Rate), int(min(math.Ceil(l.Rate), math.MaxInt32))
}

// gate enforces one limit.
type gate struct {
	running     atomic.Int64
	concurrency atomic.Int64
	limiter     *rate.Limiter
}

func newGate(l Limit) *gate {
	g := &gate{limiter: rate.NewLimiter(l.bucket())}
	g.concurrency.Store(int64(l.Concurrency))
	return g
}

// set changes the limit. What is at work above it stays at work.
func (g *gate) set(l Limit) {
	g.concurrency.Store(int64(l.Concurrency))
	r, burst := l.bucket()
	g.limiter.SetBurst(burst)
	g.limiter.SetLimit(r)
}

// The reasons for which a gate is closed.
const (
	tooMany = "at work"
	tooFast = "a second"
)

// enter takes one in, or says why not.
func (g *gate) enter() (why string) {
	if n, limit := g.running.Add(1), g.concurrency.Load(); limit > 0 && n > limit {
		g.running.Add(-1)
		return tooMany
	}
	if !g.limiter.Allow() {
		g.running.Add(-1)
		return tooFast
	}
	return ""
}

func (g *gate) leave() { g.running.Add(-1) }

// idle reports whether a new gate would do the same as this one.
func (g *gate) idle() bool {
	return g.running.Load() == 0 && (g.limiter.Limit() == rate.Inf || g.limiter.Tokens() >= float64(g.limiter.Burst()))
}
