package server

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/registry"
)

// Defaults of the options.
const (
	defaultNetwork     = "tcp"
	defaultAddress     = "0.0.0.0:0"
	defaultVersion     = "1.0.0"
	defaultBodyCodec   = "json"
	defaultStopTimeout = 10 * time.Second
	defaultMoveTimeout = 2 * time.Second
)

// Options are the settings of a server.
type Options struct {
	// Context ends the server: when it is done the server shuts down as by Close. Nil never ends.
	Context context.Context
	// ServiceName is what clients ask for.
	ServiceName string
	// ServiceVersion tells nodes of one service apart, "1.0.0" by default.
	ServiceVersion string
	// Network is the transport, "tcp" by default; see drpc.EndpointConfig.
	Network string
	// ListenAddress is host and port to listen on, "0.0.0.0:0" by default, which takes a free port. For unix sockets it
	// is the path.
	ListenAddress string
	// TlsCertFile and TlsKeyFile are PEM files; TLSConfig wins over them.
	TlsCertFile string
	TlsKeyFile  string
	TLSConfig   *tls.Config
	// ProtoFunc is the protocol where ListenAndServe and ServeConn are given none; raw by default.
	ProtoFunc proto.ProtoFunc
	// SessionAge and ContextAge bound sessions and calls; 0 is no bound. See drpc.EndpointConfig.
	SessionAge time.Duration
	ContextAge time.Duration
	// SlowCometDuration is the cost from which the run log calls a message slow; 0 is never.
	SlowCometDuration time.Duration
	// BodyCodec is the name of the codec of bodies whose message names none, "json" by default.
	BodyCodec string
	// PrintDetail adds meta and body of each message to the run log. They may hold secrets.
	PrintDetail bool
	// Registry is where the server registers; registry.DefaultRegistry by default.
	Registry registry.Registry
	// GlobalPlugin are the plugins of the endpoint. Those of heartbeat, metrics and registry come after them.
	GlobalPlugin []drpc.Plugin
	// EnableHeartbeat makes the server answer heartbeats and give up clients that have sent some and fall silent. On by
	// default.
	EnableHeartbeat bool
	// Metrics record the endpoint; they are started with the server and shut down with it.
	Metrics metrics.Metrics

	// Advertise is the address that clients shall dial, "host" or "host:port", where the one listened on is not.
	Advertise string
	// Metadata are labels of the node, for selectors: "weight" and whatever filters look at.
	Metadata map[string]string
	// StopTimeout is how long Close lets the server leave before it cuts what is left; 10 s by default, 0 cuts at once.
	StopTimeout time.Duration
	// MoveTimeout is how long a server that leaves waits for its peers to move to another one, 2 s by default. Those that
	// stay, as they have nowhere to go, are closed then: what is under way is finished, and calls that come are refused as
	// not executed.
	MoveTimeout time.Duration
	// Unregistered keeps the server out of every registry.
	Unregistered bool

	tune []func(*drpc.EndpointConfig)
}

// Option changes one of the options.
type Option func(*Options)

// NewOptions returns the default options with the given changes.
func NewOptions(options ...Option) Options {
	o := Options{
		ServiceVersion: defaultVersion, Network: defaultNetwork, ListenAddress: defaultAddress, BodyCodec: defaultBodyCodec,
		EnableHeartbeat: true, StopTimeout: defaultStopTimeout, MoveTimeout: defaultMoveTimeout,
	}
	for _, set := range options {
		if set != nil {
			set(&o)
		}
	}
	return o
}

// OptServiceName sets the name that clients ask for.
func OptServiceName(name string) Option { return func(o *Options) { o.ServiceName = name } }

// OptServiceVersion sets the version of the service.
func OptServiceVersion(version string) Option {
	return func(o *Options) { o.ServiceVersion = version }
}

// OptRegistry sets where the server registers.
func OptRegistry(r registry.Registry) Option { return func(o *Options) { o.Registry = r } }

// OptWithoutRegistry keeps the server out of every registry: its clients know its address.
func OptWithoutRegistry() Option { return func(o *Options) { o.Unregistered = true } }

// OptGlobalPlugin adds plugins to the endpoint.
func OptGlobalPlugin(plugin ...drpc.Plugin) Option {
	return func(o *Options) {
		o.GlobalPlugin = append(o.GlobalPlugin[:len(o.GlobalPlugin):len(o.GlobalPlugin)], plugin...)
	}
}

// OptEnableHeartbeat switches the answering of heartbeats.
func OptEnableHeartbeat(t bool) Option { return func(o *Options) { o.EnableHeartbeat = t } }

// OptTlsFile sets the certificate and its key, as PEM files.
func OptTlsFile(tlsCertFile string, tlsKeyFile string) Option {
	return func(o *Options) { o.TlsCertFile, o.TlsKeyFile = tlsCertFile, tlsKeyFile }
}

// OptTlsConfig sets the TLS configuration; it wins over OptTlsFile.
func OptTlsConfig(config *tls.Config) Option { return func(o *Options) { o.TLSConfig = config } }

// OptProtoFunc sets the protocol.
func OptProtoFunc(pf proto.ProtoFunc) Option { return func(o *Options) { o.ProtoFunc = pf } }

// OptSessionAge sets how long a session lives at most; 0 is for ever.
func OptSessionAge(n time.Duration) Option { return func(o *Options) { o.SessionAge = n } }

// OptContextAge bounds calls; 0 is no bound.
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

// OptListenAddress sets where to listen: "host:port", or a path for unix sockets.
func OptListenAddress(addr string) Option { return func(o *Options) { o.ListenAddress = addr } }

// OptMetrics makes m record the server.
func OptMetrics(m metrics.Metrics) Option { return func(o *Options) { o.Metrics = m } }

// OptAdvertise sets the address that clients shall dial: "host" or "host:port".
func OptAdvertise(addr string) Option { return func(o *Options) { o.Advertise = addr } }

// OptMetadata adds labels of the node.
func OptMetadata(labels map[string]string) Option {
	return func(o *Options) {
		all := maps.Clone(o.Metadata)
		if all == nil {
			all = make(map[string]string, len(labels))
		}
		maps.Copy(all, labels)
		o.Metadata = all
	}
}

// OptStopTimeout sets how long Close lets the server leave; 0 cuts what is at work at once.
func OptStopTimeout(d time.Duration) Option { return func(o *Options) { o.StopTimeout = d } }

// OptMoveTimeout sets how long a server that leaves waits for its peers to move to another one; 0 does not wait.
func OptMoveTimeout(d time.Duration) Option { return func(o *Options) { o.MoveTimeout = d } }

// OptContext makes the server shut down when ctx is done.
func OptContext(ctx context.Context) Option { return func(o *Options) { o.Context = ctx } }

// OptEndpoint changes the configuration of the endpoint, for what has no option of its own: the limits, above all.
func OptEndpoint(fn func(*drpc.EndpointConfig)) Option {
	return func(o *Options) { o.tune = append(o.tune[:len(o.tune):len(o.tune)], fn) }
}

// EndpointConfig returns the configuration of the endpoint. An address that is none is logged, and a free port of all
// addresses taken instead; NewRpcServer refuses it.
func (o Options) EndpointConfig() drpc.EndpointConfig {
	cfg, err := o.endpointConfig()
	if err != nil {
		logger.Errorf(context.Background(), "server: %v", err)
	}
	return cfg
}

func (o Options) endpointConfig() (drpc.EndpointConfig, error) {
	cfg := drpc.EndpointConfig{
		Network:           o.Network,
		DefaultBodyCodec:  o.BodyCodec,
		DefaultSessionAge: o.SessionAge,
		DefaultContextAge: o.ContextAge,
		SlowCometDuration: o.SlowCometDuration,
		PrintDetail:       o.PrintDetail,
	}
	var err error
	if strings.HasPrefix(o.Network, "unix") {
		cfg.ListenIP = o.ListenAddress
	} else {
		cfg.ListenIP, cfg.ListenPort, err = splitAddress(o.ListenAddress)
	}
	for _, fn := range o.tune {
		fn(&cfg)
	}
	return cfg, err
}

// splitAddress returns host and port of an address to listen on. No host is all addresses.
func splitAddress(address string) (string, uint16, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, &AddressError{address, err}
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, &AddressError{address, err}
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, uint16(port), nil
}

// AddressError says that ListenAddress is no address to listen on.
type AddressError struct {
	Address string // as it was given
	Reason  error  // what is wrong with it
}

// Error quotes the address and says what is wrong with it.
func (e *AddressError) Error() string {
	return "listen address " + strconv.Quote(e.Address) + " is not host:port: " + e.Reason.Error()
}

// Unwrap returns the reason.
func (e *AddressError) Unwrap() error { return e.Reason }
