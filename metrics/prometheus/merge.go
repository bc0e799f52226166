package prometheus

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/osgochina/dmicro/metrics"
)

func init() { metrics.RegisterMerger(Format, Merge) }

// gaugeRules says how the gauges are put together that are no amounts: of several processes the largest or the smallest
// is shown. All others are added up.
var gaugeRules = map[string]func(a, b float64) float64{
	"go_info":                          math.Max,
	"go_gc_gogc_percent":               math.Max,
	"go_gc_gomemlimit_bytes":           math.Max,
	"go_sched_gomaxprocs_threads":      math.Max,
	"go_memstats_last_gc_time_seconds": math.Max,
	"process_max_fds":                  math.Min,
	"process_start_time_seconds":       math.Min,
	"process_virtual_memory_max_bytes": math.Min,
}

// ErrMismatch is what an error of Merge matches with errors.Is when processes do not agree on what a metric is.
var ErrMismatch = errors.New("processes disagree about the type of a metric")

// Merge adds up snapshots in the text format. Series with the same labels become one: counters, histograms and most
// gauges as their sum, quantiles of summaries as the largest. Of the processes that are gone gauges do not count.
func Merge(live, gone [][]byte) ([]byte, error) {
	sum := mergedFamilies{}
	for i, snapshot := range live {
		if err := sum.add(snapshot, false); err != nil {
			return nil, fmt.Errorf("figures of process %d: %w", i, err)
		}
	}
	for i, snapshot := range gone {
		if err := sum.add(snapshot, true); err != nil {
			return nil, fmt.Errorf("figures of process %d, which is gone: %w", i, err)
		}
	}
	return sum.text()
}

// mergedFamilies is metrics by name.
type mergedFamilies map[string]*mergedFamily

// mergedFamily is the series of one metric by their labels.
type mergedFamily struct {
	head   *dto.MetricFamily // without series
	series map[string]*dto.Metric
}

func (f mergedFamilies) add(snapshot []byte, gone bool) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(snapshot))
	if err != nil {
		return err
	}
	for name, family := range families {
		kind := family.GetType()
		if gone && (kind == dto.MetricType_GAUGE || kind == dto.MetricType_UNTYPED) {
			continue
		}
		merged := f[name]
		if merged == nil {
			merged = &mergedFamily{
				head:   &dto.MetricFamily{Name: family.Name, Help: family.Help, Type: family.Type},
				series: make(map[string]*dto.Metric),
			}
			f[name] = merged
		}
		if merged.head.GetType() != kind {
			return fmt.Errorf("%w: %s is a %v and a %v", ErrMismatch, name, merged.head.GetType(), kind)
		}
		for _, m := range family.Metric {
			merged.add(m)
		}
	}
	return nil
}

func (f *mergedFamily) add(m *dto.Metric) {
	slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	key := labelKey(m.Label)
	have := f.series[key]
	if have == nil {
		m.TimestampMs = nil
		f.series[key] = m
		return
	}
	switch f.head.GetType() {
	case dto.MetricType_COUNTER:
		add(&have.Counter.Value, m.Counter.GetValue())
	case dto.MetricType_GAUGE:
		if rule := gaugeRules[f.head.GetName()]; rule != nil {
			*have.Gauge.Value = rule(*have.Gauge.Value, m.Gauge.GetValue())
		} else {
			add(&have.Gauge.Value, m.Gauge.GetValue())
		}
	case dto.MetricType_UNTYPED:
		add(&have.Untyped.Value, m.Untyped.GetValue())
	case dto.MetricType_HISTOGRAM:
		addHistogram(have.Histogram, m.Histogram)
	case dto.MetricType_SUMMARY:
		addSummary(have.Summary, m.Summary)
	}
}

// labelKey is the sorted labels as one text, each part behind its length, so that no value can look like two.
func labelKey(labels []*dto.LabelPair) string {
	var key strings.Builder
	for _, l := range labels {
		fmt.Fprintf(&key, "%d:%s%d:%s", len(l.GetName()), l.GetName(), len(l.GetValue()), l.GetValue())
	}
	return key.String()
}

func add[N uint64 | float64](to **N, n N) {
	if *to == nil {
		*to = new(N)
	}
	**to += n
}

// addHistogram adds b to a, at every bound that either has: versions of a program that serve together may have others.
func addHistogram(a, b *dto.Histogram) {
	bounds := make(map[float64]bool)
	for _, h := range []*dto.Histogram{a, b} {
		for _, bucket := range h.Bucket {
			bounds[bucket.GetUpperBound()] = true
		}
	}
	sum := make([]*dto.Bucket, 0, len(bounds))
	for _, bound := range slices.Sorted(maps.Keys(bounds)) {
		count := upTo(a, bound) + upTo(b, bound)
		sum = append(sum, &dto.Bucket{UpperBound: &bound, CumulativeCount: &count})
	}
	a.Bucket = sum
	add(&a.SampleCount, b.GetSampleCount())
	add(&a.SampleSum, b.GetSampleSum())
}

// upTo is how many observations are known to be within bound.
func upTo(h *dto.Histogram, bound float64) (count uint64) {
	for _, bucket := range h.Bucket {
		if bucket.GetUpperBound() <= bound {
			count = max(count, bucket.GetCumulativeCount())
		}
	}
	return count
}

// addSummary adds b to a. Quantiles of processes do not add up to one of all of them: the worst is shown.
func addSummary(a, b *dto.Summary) {
	for _, q := range b.Quantile {
		i := slices.IndexFunc(a.Quantile, func(have *dto.Quantile) bool { return have.GetQuantile() == q.GetQuantile() })
		if i < 0 {
			a.Quantile = append(a.Quantile, q)
			continue
		}
		worst := math.Max(a.Quantile[i].GetValue(), q.GetValue())
		a.Quantile[i].Value = &worst
	}
	add(&a.SampleCount, b.GetSampleCount())
	add(&a.SampleSum, b.GetSampleSum())
}

// checkName refuses a metric that has the name of a part of another one: nobody could read the sum.
func (f mergedFamilies) checkName(name string) error {
	for _, suffix := range []string{"_sum", "_count", "_bucket"} {
		whole, ok := strings.CutSuffix(name, suffix)
		if other := f[whole]; ok && other != nil {
			switch other.head.GetType() {
			case dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY:
				return fmt.Errorf("%w: %s is a part of %s", ErrMismatch, name, whole)
			}
		}
	}
	return nil
}

// text writes the metrics sorted by name and labels.
func (f mergedFamilies) text() ([]byte, error) {
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, textFormat)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		family := f[name]
		if err := f.checkName(name); err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(family.series)) {
			family.head.Metric = append(family.head.Metric, family.series[key])
		}
		if err := encoder.Encode(family.head); err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
	}
	return out.Bytes(), nil
}
