package prometheus_test

import (
	"fmt"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/metrics/prometheus"
)

// Programs written for DMicro 1.x compile against these names with these types.
var (
	_ func(host string) metrics.Option                     = metrics.OptHost
	_ func(port int) metrics.Option                        = metrics.OptPort
	_ func(path string) metrics.Option                     = metrics.OptPath
	_ func(name string) metrics.Option                     = metrics.OptServiceName
	_ func(plugin drpc.Plugin) metrics.Option              = metrics.OptPlugin
	_ func(opts ...metrics.Option) *prometheus.PromMetrics = prometheus.NewPromMetrics
	_ func(metrics *prometheus.PromMetrics) drpc.Plugin    = prometheus.NewPrometheusPlugin
	_ metrics.Metrics                                      = (*prometheus.PromMetrics)(nil)
	_ func(*metrics.Options)                               = metrics.Option(nil)
	_                                                      = metrics.Options{Host: "", Port: 0, Path: "", ServiceName: "", Plugins: []drpc.Plugin{}}
	_ interface {
		Init(...metrics.Option)
		Options() metrics.Options
		Enabled() bool
		Start()
		Shutdown()
		String() string
	} = metrics.Metrics(nil)
)

type otherPlugin struct{}

func (otherPlugin) Name() string { return "other" }

func TestOptionsAreThoseGiven(t *testing.T) {
	t.Parallel()
	m := prometheus.NewPromMetrics()
	if o := m.Options(); o.Host != "0.0.0.0" || o.Port != 9101 || o.Path != "/metrics" || o.ServiceName != "" {
		t.Errorf("the defaults are %+v", o)
	}
	m.Init(metrics.OptHost("h"), metrics.OptPort(1), metrics.OptPath("/p"), metrics.OptServiceName("n"),
		metrics.OptPlugin(otherPlugin{}))
	o := m.Options()
	if o.Host != "h" || o.Port != 1 || o.Path != "/p" || o.ServiceName != "n" {
		t.Errorf("the options are %+v", o)
	}
	if len(o.Plugins) != 2 || o.Plugins[0].Name() != "metrics_prometheus" || o.Plugins[1].Name() != "other" {
		t.Errorf("the plugins are %v", o.Plugins)
	}
	if m.String() != "prometheus" || m.Enabled() {
		t.Errorf("%v, enabled %v", m, m.Enabled())
	}
}

func ExampleNewPromMetrics() {
	m := prometheus.NewPromMetrics(
		metrics.OptHost("127.0.0.1"), metrics.OptPort(0), metrics.OptServiceName("calculator"))
	endpoint, err := drpc.New(drpc.EndpointConfig{}, m.Options().Plugins...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = endpoint.Close() }()
	if err = m.StartPage(); err != nil { // Start would log it and try again
		fmt.Println(err)
		return
	}
	defer m.Shutdown()
	fmt.Println(m.Enabled(), m.Addr() != nil)
	// Output: true true
}
