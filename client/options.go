package client

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/selector"
)

// Defaults of the options.
const (
	defaultNetwork     = "tcp"
	defaultLocalIP     = "0.0.0.0"
	defaultBodyCodec   = "json"
	defaultDialTimeout = 5 * time.Second
	defaultRetryTimes  = 2
	defaultHeartbeat   = 5 * time.Second
	// customVersion is the version of OptCustomService where it has none.
	customVersion = "1.0.0"
)

// Options are the settings of a client.
type Options struct {
	// Context ends the client: when it is done the client closes. Nil never ends.
	Context context.Context
	// ServiceName is what is called.
	ServiceName string
	// ServiceVersion is the only version that is called; all are if it is empty.
	ServiceVersion string
	// Network is the transport, "tcp" by default; see drpc.EndpointConfig.
	Network string
	// LocalIP is the address to dial from, "0.0.0.0" by default.
	LocalIP string
	// TlsCertFile and TlsKeyFile are PEM files; TLSConfig wins over them.
	TlsCertFile string
	TlsKeyFile  string
	TLSConfig   *tls.Config
	// ProtoFunc is the protocol; raw by default.
	ProtoFunc proto.ProtoFunc
	// SessionAge and ContextAge bound sessions and attempts of calls; 0 is no bound. See drpc.EndpointConfig.
	SessionAge time.Duration
	ContextAge time.Duration
	// DialTimeout bounds an attempt to connect; 5 s by default.
	DialTimeout time.Duration
	// SlowCometDuration is the cost from which the run log calls a message slow; 0 is never.
	SlowCometDuration time.Duration
	// BodyCodec is the name of the codec of bodies whose message names none, "json" by default.
	BodyCodec string
	// PrintDetail adds meta and body of each message to the run log. They may hold secrets.
	PrintDetail bool
	// HeartbeatTime is after how much silence a session gets a heartbeat, 5 s by default and at least 3 s. A peer that
	// has stopped is found within twice that time. 0 and less is no heartbeat.
	HeartbeatTime time.Duration
	// RetryTimes is how many attempts a call gets at most, the first one included; 2 by default, 1 for less. What is tried
	// again is said at the package.
	RetryTimes int
	// GlobalPlugin are the plugins of the endpoint. Those of heartbeat and metrics come after them.
	GlobalPlugin []drpc.Plugin
	// Registry is where nodes are looked up; registry.DefaultRegistry by default. Selector wins over it.
	Registry registry.Registry
	// Selector chooses nodes. By default it is a selector.Picker over Registry, which takes the least loaded of two.
	Selector selector.Selector
	// Metrics record the endpoint; they are started with the client and shut down with it.
	Metrics metrics.Metrics
	// Idempotent lists service methods that do no harm when they are executed twice.
	Idempotent []string

	tune []func(*drpc.EndpointConfig)
	// err is what an option found wrong.
	err error
}

// Option changes one of the options.
type Option func(*Options)

// NewOptions returns the default options with the given changes.
func NewOptions(options ...Option) Options {
	o := Options{
		Network: defaultNetwork, LocalIP: defaultLocalIP, BodyCodec: defaultBodyCodec, DialTimeout: defaultDialTimeout,
		RetryTimes: defaultRetryTimes, HeartbeatTime: defaultHeartbeat,
	}
	for _, set := range options {
		if set != nil {
			set(&o)
		}
	}
	return o
}

// OptServiceName sets what is called.
func OptServiceName(name string) Option { return func(o *Options) { o.ServiceName = name } }

// OptServiceVersion sets the only version that is called.
func OptServiceVersion(version string) Option {
	return func(o *Options) { o.ServiceVersion = version }
}

// OptRegistry sets where nodes are looked up.
func OptRegistry(r registry.Registry) Option { return func(o *Options) { o.Registry = r } }

// OptSelector sets what chooses nodes. It closes with the client.
func OptSelector(s selector.Selector) Option { return func(o *Options) { o.Selector = s } }

// OptGlobalPlugin adds plugins to the endpoint.
func OptGlobalPlugin(plugin ...drpc.Plugin) Option {
	return func(o *Options) {
		o.GlobalPlugin = append(o.GlobalPlugin[:len(o.GlobalPlugin):len(o.GlobalPlugin)], plugin...)
	}
}

// OptHeartbeatTime sets after how much silence a session gets a heartbeat; 0 is never.
func OptHeartbeatTime(t time.Duration) Option { return func(o *Options) { o.HeartbeatTime = t } }

// OptTlsFile sets the certificate of this side and its key, as PEM files. Servers are verified.
func OptTlsFile(tlsCertFile string, tlsKeyFile string) Option {
	return func(o *Options) { o.TlsCertFile, o.TlsKeyFile = tlsCertFile, tlsKeyFile }
}

// OptTlsConfig sets the TLS configuration; it wins over OptTlsFile.
func OptTlsConfig(config *tls.Config) Option { return func(o *Options) { o.TLSConfig = config } }

// OptProtoFunc sets the protocol.
func OptProtoFunc(pf proto.ProtoFunc) Option { return func(o *Options) { o.ProtoFunc = pf } }

// OptRetryTimes sets how many attempts a call gets at most, the first one included.
func OptRetryTimes(n int) Option { return func(o *Options) { o.RetryTimes = n } }

// OptSessionAge sets how long a session lives at most; 0 is for ever.
func OptSessionAge(n time.Duration) Option { return func(o *Options) { o.SessionAge = n } }

// OptContextAge bounds each attempt of a call; 0 is no bound.
func OptContextAge(n time.Duration) Option { return func(o *Options) { o.ContextAge = n } }

// OptSlowCometDuration sets the cost from which the run log calls a message slow.
func OptSlowCometDuration(n time.Duration) Option {
	return func(o *Options) { o.SlowCometDuration = n }
}

// OptBodyCodec sets the codec of bodies by name.
func OptBodyCodec(c string) Option { return func(o *Options) { o.BodyCodec = c } }

// OptPrintDetail switches meta and bodies in the run log.
func OptPrintDetail(c bool) Option { return func(o *Options) { o.PrintDetail = c } }

// OptNetwork sets the transport.
func OptNetwork(net string) Option { return func(o *Options) { o.Network = net } }

// OptLocalIP sets the address to dial from.
func OptLocalIP(addr string) Option { return func(o *Options) { o.LocalIP = addr } }

// OptMetrics makes m record the client.
func OptMetrics(m metrics.Metrics) Option { return func(o *Options) { o.Metrics = m } }

// OptDialTimeout bounds an attempt to connect.
func OptDialTimeout(d time.Duration) Option { return func(o *Options) { o.DialTimeout = d } }

// OptIdempotent names service methods that do no harm when they are executed twice: such calls are tried again also
// where they may have been executed.
func OptIdempotent(serviceMethod ...string) Option {
	return func(o *Options) {
		o.Idempotent = append(o.Idempotent[:len(o.Idempotent):len(o.Idempotent)], serviceMethod...)
	}
}

// OptContext makes the client close when ctx is done.
func OptContext(ctx context.Context) Option { return func(o *Options) { o.Context = ctx } }

// OptEndpoint changes the configuration of the endpoint, for what has no option of its own.
func OptEndpoint(fn func(*drpc.EndpointConfig)) Option {
	return func(o *Options) { o.tune = append(o.tune[:len(o.tune):len(o.tune)], fn) }
}

// OptCustomService makes the client call fixed nodes, without a registry: those of service, whose version is "1.0.0"
// and whose name is that of the client if it has none; under another name the client does not find them. It takes the
// place of a registry and a selector given before. A service without nodes ends NewRpcClient; New returns the error.
func OptCustomService(service *registry.Service) Option {
	return func(o *Options) {
		fixed := service.Clone()
		if fixed == nil {
			o.err = errors.Join(o.err, registry.ErrInvalidService)
			return
		}
		if fixed.Name == "" {
			fixed.Name = o.ServiceName
		}
		if fixed.Version == "" {
			fixed.Version = customVersion
		}
		r := memory.NewRegistry()
		if err := r.Register(fixed); err != nil {
			o.err = errors.Join(o.err, err)
			return
		}
		o.Registry, o.Selector = r, nil
		o.ServiceVersion = fixed.Version
	}
}

// EndpointConfig returns the configuration of the endpoint.
func (o *Options) EndpointConfig() drpc.EndpointConfig {
	cfg := drpc.EndpointConfig{
		Network:           o.Network,
		LocalIP:           o.LocalIP,
		DefaultBodyCodec:  o.BodyCodec,
		DefaultSessionAge: o.SessionAge,
		DefaultContextAge: o.ContextAge,
		SlowCometDuration: o.SlowCometDuration,
		PrintDetail:       o.PrintDetail,
		DialTimeout:       o.DialTimeout,
	}
	if strings.HasPrefix(o.Network, "unix") && o.LocalIP == defaultLocalIP {
		cfg.LocalIP = ""
	}
	for _, fn := range o.tune {
		fn(&cfg)
	}
	if cfg.RedialTimes != 0 {
		logger.Warning(context.Background(), "client: RedialTimes is ignored, lost nodes are dialled when they are chosen")
		cfg.RedialTimes = 0
	}
	return cfg
}
