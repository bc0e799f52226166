package prometheus

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc"
)

// kind is a kind of message that has series; the kinds are those of observations.
const kinds = 4

// figures is what a PromMetrics has recorded, over all its endpoints.
type figures struct {
	enabled atomic.Bool
	tables  [kinds]seriesTable // by drpc.ObservedKind

	mu        sync.Mutex
	endpoints map[drpc.BaseEndpoint]*recorder
	closed    drpc.EndpointStats // the counters of endpoints that are closed
}

// recorder observes one endpoint.
type recorder struct {
	*figures
	stop func()
	// byIndex is the series of the handlers by their index, so that a message needs no look-up by name. Readers take no
	// lock; mu guards the making of a longer one.
	mu      sync.Mutex
	byIndex atomic.Pointer[[]atomic.Pointer[series]]
}

// attach records an endpoint until detach.
func (f *figures) attach(e drpc.BaseEndpoint) {
	r := &recorder{figures: f}
	r.stop = e.Observe(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.endpoints == nil {
		f.endpoints = make(map[drpc.BaseEndpoint]*recorder)
	}
	f.endpoints[e] = r
}

// detach keeps what a closed endpoint has counted.
func (f *figures) detach(e drpc.BaseEndpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.endpoints[e]
	if !ok {
		return
	}
	r.stop()
	delete(f.endpoints, e)
	st := e.Stats()
	f.closed = addStats(f.closed, drpc.EndpointStats{
		Accepted: st.Accepted, Dialed: st.Dialed, Redials: st.Redials, DialsFailed: st.DialsFailed, Refused: st.Refused,
		SessionsRefused: st.SessionsRefused, GoawaysSent: st.GoawaysSent, GoawaysReceived: st.GoawaysReceived,
		BytesIn: st.BytesIn, BytesOut: st.BytesOut,
	})
}

// stats is the sum over the endpoints, with the counters of those that are closed.
func (f *figures) stats() drpc.EndpointStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := f.closed
	for e := range f.endpoints {
		sum = addStats(sum, e.Stats())
	}
	return sum
}

func addStats(a, b drpc.EndpointStats) drpc.EndpointStats {
	a.Sessions += b.Sessions
	a.Accepted += b.Accepted
	a.Dialed += b.Dialed
	a.Redials += b.Redials
	a.DialsFailed += b.DialsFailed
	a.Refused += b.Refused
	a.SessionsRefused += b.SessionsRefused
	a.GoawaysSent += b.GoawaysSent
	a.GoawaysReceived += b.GoawaysReceived
	a.BytesIn += b.BytesIn
	a.BytesOut += b.BytesOut
	a.Serving += b.Serving
	a.Waiting += b.Waiting
	a.Calling += b.Calling
	a.Queued += b.Queued
	a.Workers += b.Workers
	a.IdleWorkers += b.IdleWorkers
	return a
}

// Observe records a message.
func (r *recorder) Observe(o drpc.Observation) {
	if !r.enabled.Load() {
		return
	}
	r.seriesOf(&o).note(o.Status.Code(), o.Cost)
}

func (r *recorder) seriesOf(o *drpc.Observation) *series {
	t := &r.tables[o.Kind]
	if o.Kind == drpc.ObservedCall || o.Kind == drpc.ObservedPush {
		if o.Handler == nil || o.Handler.IsUnknown() {
			return &t.unknown
		}
		return r.handled(t, o.Handler)
	}
	// The program chooses what it calls, but may do so by what others told it: what does not exist gets no series.
	if o.Status.Code() == drpc.CodeNotFound {
		if s := t.paths()[o.ServiceMethod]; s != nil {
			return s
		}
		return &t.unknown
	}
	return t.get(o.ServiceMethod, maxPaths)
}

// handled returns the series of a handler.
func (r *recorder) handled(t *seriesTable, h *drpc.Handler) *series {
	i := h.Index()
	if list := r.byIndex.Load(); list != nil && i < len(*list) {
		if s := (*list)[i].Load(); s != nil {
			return s
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.byIndex.Load()
	if list == nil || i >= len(*list) {
		longer := make([]atomic.Pointer[series], 2*i+8)
		if list != nil {
			for j := range *list {
				longer[j].Store((*list)[j].Load())
			}
		}
		list = &longer
		r.byIndex.Store(list)
	}
	s := t.get(h.Name(), math.MaxInt) // the program's own handlers
	(*list)[i].Store(s)
	return s
}
