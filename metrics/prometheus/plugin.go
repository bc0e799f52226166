package prometheus

import "github.com/osgochina/dmicro/drpc"

// pluginName is how the plugin is found in a container.
const pluginName = "metrics_prometheus"

// plugin makes its metrics record the endpoint that it is given to when that is made.
type plugin struct{ figures *figures }

var (
	_ drpc.AfterNewEndpointPlugin   = plugin{}
	_ drpc.AfterCloseEndpointPlugin = plugin{}
)

// NewPrometheusPlugin returns the plugin that makes m record an endpoint. It is among the plugins of the options of m,
// and does nothing for an endpoint that is there already.
func NewPrometheusPlugin(m *PromMetrics) drpc.Plugin { return plugin{&m.figures} }

// Name returns "metrics_prometheus".
func (plugin) Name() string { return pluginName }

// AfterNewEndpoint begins to record the endpoint.
func (p plugin) AfterNewEndpoint(e drpc.EarlyEndpoint) error {
	p.figures.attach(e)
	return nil
}

// AfterCloseEndpoint keeps what the endpoint has counted, and lets go of it.
func (p plugin) AfterCloseEndpoint(e drpc.Endpoint, _ error) error {
	p.figures.detach(e)
	return nil
}
