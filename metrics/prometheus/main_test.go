package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // failures are caused on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// recording returns metrics without a page that record until the test ends.
func recording(t testing.TB, opts ...metrics.Option) *PromMetrics {
	t.Helper()
	m := NewPromMetrics(append([]metrics.Option{metrics.OptServiceName("svc"), metrics.OptPort(-1)}, opts...)...)
	m.Start()
	t.Cleanup(m.Shutdown)
	return m
}

// recorded makes an endpoint that m records, until the test ends.
func recorded(t testing.TB, m *PromMetrics) drpc.Endpoint {
	t.Helper()
	var plugins []drpc.Plugin
	if m != nil {
		plugins = m.Options().Plugins
	}
	e, err := drpc.New(drpc.EndpointConfig{}, plugins...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// connect connects two endpoints by a pipe and returns the session of the first.
func connect(t testing.TB, cli, srv drpc.Endpoint) drpc.Session {
	t.Helper()
	near, far := net.Pipe()
	far = named{far, fmt.Sprintf("pipe%d", pipes.Add(1))}
	near = named{near, far.RemoteAddr().String()}
	if _, stat := srv.ServeConn(far); stat != nil {
		t.Fatal(stat)
	}
	sess, stat := cli.ServeConn(near)
	if stat != nil {
		t.Fatal(stat)
	}
	return sess
}

// pipes numbers the pipes: a session takes its id of its address, and of two with the same id one has to go.
var pipes atomic.Int64

// named is a connection with an address of its own.
type named struct {
	net.Conn
	name string
}

func (n named) RemoteAddr() net.Addr { return &net.UnixAddr{Name: n.name, Net: "unix"} }
func (n named) LocalAddr() net.Addr  { return n.RemoteAddr() }

// families is what m shows.
func families(t testing.TB, m *PromMetrics) map[string]*dto.MetricFamily {
	t.Helper()
	text, err := m.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// allFamilies is what metrics show of peers that have done everything once that leaves a figure.
func allFamilies(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	m := recording(t)
	srv, cli := recorded(t, m), recorded(t, m)
	drpc.HandleCall(srv, "/ok", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	drpc.HandlePush(srv, "/note", func(drpc.PushCtx, *string) *drpc.Status { return nil })
	sess := connect(t, cli, srv)
	if stat := sess.Call("/ok", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	if stat := sess.Push("/note", ""); stat != nil {
		t.Fatal(stat)
	}
	polltest.Until(t, "the push is handled", func() bool { return len(figuresOf(t, m, "rpc_push_handled_code_total")) == 1 })
	return families(t, m)
}

func parse(t testing.TB, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// figuresOf returns the figures of one metric by their labels, written as in the text format: value of counters and
// gauges, count of histograms.
func figuresOf(t testing.TB, m *PromMetrics, name string) map[string]float64 {
	t.Helper()
	return seriesOf(families(t, m)[name])
}

func seriesOf(family *dto.MetricFamily) map[string]float64 {
	values := make(map[string]float64)
	for _, s := range family.GetMetric() {
		var labels []string
		for _, l := range s.Label {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		v := s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
		values[strings.Join(labels, " ")] = v
	}
	return values
}
