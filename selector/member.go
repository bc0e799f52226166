package selector

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/registry"
)

const (
	// rise and fall are the time constants of the latency average: it believes bad news sooner than good ones.
	rise = float64(time.Second)
	fall = float64(10 * time.Second)
)

// Member is a node with what is known of it. Node and Service are shared and must not be changed.
type Member struct {
	Node    *registry.Node    // who may be called
	Service *registry.Service // the one of its versions that the node belongs to

	weight float64
	*record
}

// Weight is the number under "weight" in the metadata of the node, 0 to 1e6, 1 by default.
func (m *Member) Weight() float64 { return m.weight }

// InFlight is how many calls this process has at the node, counted by Pick.
func (m *Member) InFlight() int { return int(m.inFlight.Load()) }

// Latency is the average time that calls took lately, 0 if none has ended yet. It sinks while there are no calls.
func (m *Member) Latency() time.Duration { return time.Duration(m.latencyAt(clock.Now())) }

// record is what is known of a node. It outlives the lists that have the node.
type record struct {
	key      recordKey
	pool     *pool
	total    *atomic.Int64 // calls at all nodes of the service
	inFlight atomic.Int64
	average  atomic.Uint64 // latency in nanoseconds, bits of a float64; 0: none
	measured atomic.Int64  // clock.Time of the last change of average
	warming  atomic.Int64  // clock.Time since when it gets calls slowly; 0: it gets its full share

	window      atomic.Int64 // clock.Time when the counts began; 0: not yet
	calls       atomic.Int64 // in the window
	failures    atomic.Int64 // in the window
	consecutive atomic.Int64 // failures since the last success

	ejection ejection // guarded by pool.mu
}

func (r *record) latencyAt(now clock.Time) float64 {
	avg := math.Float64frombits(r.average.Load())
	if avg == 0 {
		return 0
	}
	switch idle := float64(now.Sub(clock.Time(r.measured.Load()))) / fall; {
	case idle <= 0: // measured by another goroutine just now
		return avg
	case idle < 0.1: // a busy node, for which this is near enough
		return avg * (1 - idle)
	default:
		return avg * math.Exp(-idle)
	}
}

// load is what LeastLoad compares. A node that has not answered yet gets one call, and then waits for its answer.
func (m *Member) load(now clock.Time) float64 {
	if m.weight == 0 {
		return math.MaxFloat64
	}
	calls, latency := float64(m.inFlight.Load()), m.latencyAt(now)
	if latency == 0 {
		return float64(time.Second) * calls / m.weight
	}
	return latency * (calls + 1) / m.weight
}

// learn takes the latency of a call into the average. Concurrent calls may lose one, which does no harm.
func (r *record) learn(d time.Duration, now clock.Time) {
	sample, avg := max(float64(d), 1), r.latencyAt(now)
	if avg != 0 {
		since, slowness := max(float64(now.Sub(clock.Time(r.measured.Load()))), 1), fall
		if sample > avg {
			slowness = rise
		}
		sample = avg + (sample-avg)*since/(since+slowness)
	}
	r.average.Store(math.Float64bits(sample))
	r.measured.Store(int64(now))
}
