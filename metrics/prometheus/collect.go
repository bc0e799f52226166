package prometheus

import (
	"strconv"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/osgochina/dmicro/drpc"
)

// messageMetrics declares the two metrics of each kind of message, by drpc.ObservedKind. The names of the second pair
// are those that dashboards know, although the calls are those of a client.
var messageMetrics = [kinds]struct{ codes, durations metric }{
	drpc.ObservedCall: {
		metric{"rpc_server_reply_code_total", "Calls of peers that were answered, by status code."},
		metric{"rpc_server_reply_duration_ms", "Time from the arrival of a call until its reply is sent, in milliseconds."},
	},
	drpc.ObservedOwnCall: {
		metric{"rpc_server_call_code_total", "Calls to peers that are done, by status code."},
		metric{"rpc_server_call_duration_ms", "Time that calls to peers took, in milliseconds."},
	},
	drpc.ObservedPush: {
		metric{"rpc_push_handled_code_total", "Pushes of peers that were handled or dropped, by status code."},
		metric{"rpc_push_handled_duration_ms", "Time from the arrival of a push until its handler is done, in milliseconds."},
	},
	drpc.ObservedOwnPush: {
		metric{"rpc_push_sent_code_total", "Pushes to peers, by status code."},
		metric{"rpc_push_sent_duration_ms", "Time until pushes to peers were written, in milliseconds."},
	},
}

type metric struct{ name, help string }

func (m metric) desc(labels ...string) *prom.Desc { return prom.NewDesc(m.name, m.help, labels, nil) }

// endpointMetrics declares the metrics of endpoints.
var endpointMetrics = []struct {
	metric
	kind  prom.ValueType
	value func(*drpc.EndpointStats) float64
}{
	{metric{"rpc_sessions", "Sessions that are up."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Sessions) }},
	{metric{"rpc_requests_in_flight", "Calls and pushes of peers that are not done yet."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Serving) }},
	{metric{"rpc_requests_waiting", "Calls and pushes of peers that wait for a worker."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Waiting) }},
	{metric{"rpc_calls_in_flight", "Calls to peers that wait for their reply."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Calling) }},
	{metric{"rpc_outbox_bytes", "Bytes that wait for peers to take them."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Queued) }},
	{metric{"rpc_workers", "Goroutines that handlers run on."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Workers) }},
	{metric{"rpc_workers_idle", "Goroutines for handlers that have nothing to do."}, prom.GaugeValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.IdleWorkers) }},
	{metric{"rpc_received_bytes_total", "Bytes read from peers."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.BytesIn) }},
	{metric{"rpc_sent_bytes_total", "Bytes written to peers."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.BytesOut) }},
	{metric{"rpc_accepted_total", "Connections of peers that were accepted."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Accepted) }},
	{metric{"rpc_dialed_total", "Sessions that were dialled."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Dialed) }},
	{metric{"rpc_redials_total", "Sessions that came back after a loss."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Redials) }},
	{metric{"rpc_dials_failed_total", "Dials and redials that were given up."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.DialsFailed) }},
	{metric{"rpc_refused_total", "Calls and pushes of peers that were over a limit."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.Refused) }},
	{metric{"rpc_sessions_refused_total", "Connections of peers that were over the limit."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.SessionsRefused) }},
	{metric{"rpc_goaways_sent_total", "Peers that were asked to move."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.GoawaysSent) }},
	{metric{"rpc_goaways_received_total", "Peers that have asked this side to move."}, prom.CounterValue,
		func(s *drpc.EndpointStats) float64 { return float64(s.GoawaysReceived) }},
}

// collector shows the figures of the members of a page. Those with the same labels are added up.
type collector struct{ members func() []*PromMetrics }

// Describe announces the metrics.
func (c collector) Describe(descs chan<- *prom.Desc) {
	for _, m := range messageMetrics {
		descs <- m.codes.desc("name", "path", "code")
		descs <- m.durations.desc("name", "path")
	}
	for _, m := range endpointMetrics {
		descs <- m.desc("name")
	}
}

// Collect sends the figures.
func (c collector) Collect(out chan<- prom.Metric) {
	stats := make(map[string]drpc.EndpointStats)
	var sums [kinds]map[seriesKey]*seriesSum
	for i := range sums {
		sums[i] = make(map[seriesKey]*seriesSum)
	}
	for _, m := range c.members() {
		name := label(m.Options().ServiceName)
		stats[name] = addStats(stats[name], m.figures.stats())
		for i := range m.figures.tables {
			m.figures.tables[i].addTo(sums[i], name)
		}
	}
	for i, m := range messageMetrics {
		codes, durations := m.codes.desc("name", "path", "code"), m.durations.desc("name", "path")
		for key, sum := range sums[i] {
			sum.send(out, codes, durations, key)
		}
	}
	for _, m := range endpointMetrics {
		desc := m.desc("name")
		for name, st := range stats {
			out <- prom.MustNewConstMetric(desc, m.kind, m.value(&st), name)
		}
	}
}

// seriesKey is the labels of a series.
type seriesKey struct{ name, path string }

// seriesSum is a moment of one series, or of several with the same labels.
type seriesSum struct {
	buckets [len(bounds) + 1]uint64
	sum     uint64
	codes   map[string]uint64
}

// addTo adds all series of a table that have seen anything.
func (t *seriesTable) addTo(sums map[seriesKey]*seriesSum, name string) {
	for _, s := range t.paths() {
		s.addTo(sums, seriesKey{name, s.path})
	}
	t.unknown.addTo(sums, seriesKey{name, unknownPath})
}

func (s *series) addTo(sums map[seriesKey]*seriesSum, key seriesKey) {
	var moment seriesSum
	succeeded := moment.add(&s.ok)
	failed := moment.add(&s.fail)
	if succeeded+failed == 0 {
		return
	}
	sum := sums[key]
	if sum == nil {
		sum = &seriesSum{codes: make(map[string]uint64)}
		sums[key] = sum
	}
	for i, n := range moment.buckets {
		sum.buckets[i] += n
	}
	sum.sum += moment.sum
	if succeeded > 0 {
		sum.codes[strconv.Itoa(int(drpc.CodeOK))] += succeeded
	}
	for _, c := range s.codes.all() {
		sum.codes[strconv.Itoa(int(c.code))] += c.n.Load()
	}
	if n := s.codes.other.n.Load(); n > 0 {
		sum.codes[otherCode] += n
	}
}

// add adds a histogram and returns how many it counts.
func (s *seriesSum) add(h *histogram) (count uint64) {
	for i := range h.buckets {
		n := h.buckets[i].Load()
		s.buckets[i] += n
		count += n
	}
	s.sum += h.sum.Load()
	return count
}

func (s *seriesSum) send(out chan<- prom.Metric, codes, durations *prom.Desc, key seriesKey) {
	for code, n := range s.codes {
		out <- prom.MustNewConstMetric(codes, prom.CounterValue, float64(n), key.name, key.path, code)
	}
	var count uint64
	cumulative := make(map[float64]uint64, len(bounds))
	for i, n := range s.buckets {
		count += n
		if i < len(bounds) {
			cumulative[milliseconds(bounds[i])] = count
		}
	}
	out <- prom.MustNewConstHistogram(durations, count, milliseconds(time.Duration(s.sum)), cumulative, key.name, key.path)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
