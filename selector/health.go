package selector

import (
	"math/rand/v2"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// Health says when nodes are left out, "ejected", and how new ones are treated. Zero fields have the defaults given.
type Health struct {
	// SlowStart is how long it takes until a node that is new, or was left out, gets its full share: it begins with a tenth.
	// 10 s; less than 0 means at once. The nodes that are there in the beginning do not start slowly.
	SlowStart time.Duration
	// EjectFor is for how long a node is left out the first time, 1 s. It doubles up to EjectMost, 30 s, while the node
	// does not become better.
	EjectFor, EjectMost time.Duration
	// Window is the time over which failures are counted, 10 s.
	Window time.Duration
	// ErrorRate is the part of failed calls of a window from which a node is left out, 0.5, if there were MinCalls, 20.
	// More than 1 means never.
	ErrorRate float64
	MinCalls  int
	// Consecutive is after how many failures in a row a node is left out whatever the rate is, 5. Less than 0 means never.
	Consecutive int
	// MaxEjected is the part of the nodes that failed calls may leave out, 0.5. Nodes that cannot be reached are left
	// out beyond it, up to all but one: if that one cannot be reached either, all get another chance.
	MaxEjected float64
}

func (h Health) withDefaults() Health {
	fill := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	fill(&h.SlowStart, 10*time.Second)
	fill(&h.EjectFor, time.Second)
	fill(&h.EjectMost, 30*time.Second)
	fill(&h.Window, 10*time.Second)
	if h.ErrorRate == 0 {
		h.ErrorRate = 0.5
	}
	if h.MinCalls == 0 {
		h.MinCalls = 20
	}
	if h.Consecutive == 0 {
		h.Consecutive = 5
	}
	if h.MaxEjected == 0 {
		h.MaxEjected = 0.5
	}
	return h
}

// firstShare is what a node gets that begins slowly.
const firstShare = 0.1

// warmed reports whether a node that is starting may have this call.
func (h *Health) warmed(r *record, now clock.Time) bool {
	since := clock.Time(r.warming.Load())
	if since == 0 {
		return true
	}
	share := float64(now.Sub(since)) / float64(h.SlowStart)
	if share >= 1 {
		r.warming.Store(0)
		return true
	}
	return rand.Float64() < max(share, firstShare)
}

// Outcome is how a call went.
type Outcome uint8

const (
	// Succeeded: the node answered, be it with an error of its business.
	Succeeded Outcome = iota
	// Failed: the node did not do its work: no answer in time, a lost connection, an internal error.
	Failed
	// Unreachable: there is no connection to the node.
	Unreachable
	// Ignored: the call says nothing about the node, because the caller gave up or a push has no answer.
	Ignored
)

// ejection is why and until when a node is left out.
type ejection struct {
	active      bool
	unreachable bool // else it failed calls
	times       int  // in a row
	timer       *time.Timer
}

// note counts the outcome of a call and acts on it.
func (r *record) note(o Outcome, now clock.Time) {
	h := &r.pool.core.health
	switch o {
	case Unreachable:
		r.pool.eject(r, true)
		return
	case Ignored:
		return
	}
	began := r.window.Load()
	if (began == 0 || now.Sub(clock.Time(began)) > h.Window) && r.window.CompareAndSwap(began, int64(now)) {
		calls, failures := r.calls.Swap(0), r.failures.Swap(0)
		if calls > 0 && !h.tooMany(calls, failures) {
			r.pool.forgive(r)
		}
	}
	calls := r.calls.Add(1)
	if o == Succeeded {
		if r.consecutive.Load() != 0 {
			r.consecutive.Store(0)
		}
		return
	}
	failures, row := r.failures.Add(1), r.consecutive.Add(1)
	if h.Consecutive > 0 && row >= int64(h.Consecutive) || calls >= int64(h.MinCalls) && h.tooMany(calls, failures) {
		r.pool.eject(r, false)
	}
}

func (h *Health) tooMany(calls, failures int64) bool {
	return float64(failures) >= h.ErrorRate*float64(calls)
}

// forgive makes the next ejection a first one.
func (p *pool) forgive(r *record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.ejection.times = 0
}

// eject leaves a node out for a while, if enough others are left.
func (p *pool) eject(r *record, unreachable bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || r.ejection.active || p.records[r.key] != r {
		return
	}
	out := 0
	for _, other := range p.records {
		if other.ejection.active {
			out++
		}
	}
	switch n := len(p.records); {
	case unreachable && out+1 >= n: // none can be reached: then it is rather us
		for _, other := range p.records {
			if other.ejection.active && other.ejection.unreachable {
				p.admit(other)
			}
		}
		return
	case !unreachable && float64(out+1) > p.core.health.MaxEjected*float64(n):
		return
	}
	d := p.core.health.EjectFor
	for range r.ejection.times {
		d = min(2*d, p.core.health.EjectMost)
	}
	r.ejection.times++
	r.ejection.active, r.ejection.unreachable = true, unreachable
	r.ejection.timer = time.AfterFunc(d-rand.N(d/8+1), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.admit(r)
	})
	p.dirty.Store(true)
}

// admit ends an ejection. The caller has the lock.
func (p *pool) admit(r *record) {
	if !r.ejection.active {
		return
	}
	r.ejection.active = false
	r.ejection.timer.Stop()
	r.consecutive.Store(0)
	r.calls.Store(0)
	r.failures.Store(0)
	r.average.Store(0) // it is another one now
	p.warm(r)
	p.dirty.Store(true)
}

// warm lets a node begin slowly.
func (p *pool) warm(r *record) {
	if p.core.health.SlowStart > 0 {
		r.warming.Store(int64(clock.Now()))
	}
}
