package drpc

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MethodStats is what one method did while its endpoint measured.
type MethodStats struct {
	// Kind is what Handler.RouterTypeName returns; calls and pushes that reached no handler have the kind "UNROUTED" and,
	// all together, the empty path: their names are the peer's to choose.
	Kind, Path string
	// Done is the number of requests that were handled, Failed how many of them with a status that is not OK; see
	// Observation.Status.
	Done, Failed uint64
	// Running is the number of requests that are being handled.
	Running int
	// Latency is how long they took; see Observation.Cost.
	Latency Histogram
}

// Histogram counts durations in classes, each about a fifth wider than the one before. Histograms of the same thing can
// be added and subtracted class by class. The zero value is empty.
type Histogram [histogramClasses]uint64

const (
	classBits        = 2 // classes a doubling, as a power of two
	histogramClasses = 37 << classBits
)

// class is the class of d: microseconds by their leading bits.
func class(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 1<<classBits {
		return int(us)
	}
	shift := bits.Len64(us) - 1 - classBits
	return min((shift+1)<<classBits+int(us>>shift)&(1<<classBits-1), histogramClasses-1)
}

// Upper returns the duration that everything in class i stays below.
func (Histogram) Upper(i int) time.Duration {
	i++
	if i <= 1<<classBits {
		return time.Duration(i) * time.Microsecond
	}
	shift := i>>classBits - 1
	return time.Duration(1<<classBits+i&(1<<classBits-1)) << shift * time.Microsecond
}

// Quantile returns the duration that the share q of all, between 0 and 1, stays below, and 0 for an empty histogram. It
// is too high by a fifth at most, or by a microsecond.
func (h *Histogram) Quantile(q float64) time.Duration {
	var total uint64
	for _, n := range h {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, seen := max(uint64(q*float64(total)+0.5), 1), uint64(0)
	for i, n := range h {
		if seen += n; seen >= rank {
			return h.Upper(i)
		}
	}
	return h.Upper(len(h) - 1)
}

// methodMeter measures one method.
type methodMeter struct {
	done, failed atomic.Uint64
	running      atomic.Int64
	latency      [histogramClasses]atomic.Uint64
}

// note takes the same observation that observers are told of, so that both say the same.
func (m *methodMeter) note(o Observation) {
	m.running.Add(-1)
	m.done.Add(1)
	if !o.Status.OK() {
		m.failed.Add(1)
	}
	m.latency[class(o.Cost)].Add(1)
}

func (m *methodMeter) stats(kind, path string) MethodStats {
	st := MethodStats{
		Kind: kind, Path: path, Done: m.done.Load(), Failed: m.failed.Load(), Running: int(m.running.Load()),
	}
	for i := range m.latency {
		st.Latency[i] = m.latency[i].Load()
	}
	return st
}

// meters measure the methods of an endpoint while somebody wants to know.
type meters struct {
	current atomic.Pointer[meterSet] // nil while nobody does
}

type meterSet struct {
	mu    sync.RWMutex
	byKey map[*Handler]*methodMeter // nil stands for requests without a handler
}

// of returns the meter of a method.
func (s *meterSet) of(h *Handler) *methodMeter {
	s.mu.RLock()
	m := s.byKey[h]
	s.mu.RUnlock()
	if m != nil {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m = s.byKey[h]; m == nil {
		m = new(methodMeter)
		s.byKey[h] = m
	}
	return m
}

// begin returns the meter of a request that begins, nil while nobody measures. That it knows of the beginning, too, and so
// of what is running, is what the meter has ahead of an Observer.
func (m *meters) begin(h *Handler) *methodMeter {
	s := m.current.Load()
	if s == nil {
		return nil
	}
	meter := s.of(h)
	meter.running.Add(1)
	return meter
}

// Measure turns the measuring of methods on, from zero unless it is on already, or off.
func (e *endpoint) Measure(on bool) {
	if !on {
		e.meters.current.Store(nil)
		return
	}
	e.meters.current.CompareAndSwap(nil, &meterSet{byKey: make(map[*Handler]*methodMeter)})
}

// Methods returns what the methods have done since measuring was turned on.
func (e *endpoint) Methods() []MethodStats {
	s := e.meters.current.Load()
	if s == nil {
		return nil
	}
	s.mu.RLock()
	byKey := maps.Clone(s.byKey)
	s.mu.RUnlock()
	var list []MethodStats
	for h, m := range byKey {
		kind, path := unroutedKind, ""
		if h != nil {
			kind, path = h.typeName, h.name
		}
		list = append(list, m.stats(kind, path))
	}
	slices.SortFunc(list, func(a, b MethodStats) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

// unroutedKind is the kind of requests that reached no handler.
const unroutedKind = "UNROUTED"
