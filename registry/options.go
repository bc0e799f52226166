package registry

import (
	"context"
	"crypto/tls"
	"time"
)

// Options are the settings of a registry. Each registry has its own defaults for what is zero.
type Options struct {
	AddrList  []string      // where the registry is, "host:port"; memory and mDNS have no use for it
	Timeout   time.Duration // of one request; of a look-up by mDNS
	Secure    bool          // TLS, with the system's certificates if TLSConfig is nil
	TLSConfig *tls.Config   // TLS with these settings
	Context   context.Context

	ServiceName    string        // what a PluginRegistry registers unless it is told otherwise
	ServiceVersion string        // the same for its version
	LeasesInterval time.Duration // how often a PluginRegistry registers again, DefaultRegisterInterval if 0
	RegisterTTL    time.Duration // how long a node lives that is not heard of, DefaultRegisterTTL if 0
	Domain         string        // of mDNS, "dmicro" if empty
}

// Option changes one setting.
type Option func(*Options)

// Apply makes the changes; Context is never nil afterwards.
func (o *Options) Apply(opts ...Option) {
	if o.Context == nil {
		o.Context = context.Background()
	}
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
}

// OptAddrList sets where the registry is.
func OptAddrList(addrList ...string) Option {
	return func(o *Options) { o.AddrList = addrList }
}

// OptTimeout limits a request to the registry.
func OptTimeout(t time.Duration) Option {
	return func(o *Options) { o.Timeout = t }
}

// OptSecure turns TLS on. The certificate of the registry is verified.
func OptSecure(b bool) Option {
	return func(o *Options) { o.Secure = b }
}

// OptTLSConfig turns TLS on with these settings.
func OptTLSConfig(t *tls.Config) Option {
	return func(o *Options) { o.TLSConfig = t }
}

// OptServiceName names the service that a PluginRegistry registers unless it is told otherwise.
func OptServiceName(name string) Option {
	return func(o *Options) { o.ServiceName = name }
}

// OptServiceVersion sets the version of the service that a PluginRegistry registers unless it is told otherwise.
func OptServiceVersion(version string) Option {
	return func(o *Options) { o.ServiceVersion = version }
}

// OptLeasesInterval sets how often a PluginRegistry registers again.
func OptLeasesInterval(t time.Duration) Option {
	return func(o *Options) { o.LeasesInterval = t }
}

// OptDomain sets the domain of mDNS. Registries of different domains do not see each other.
func OptDomain(domain string) Option {
	return func(o *Options) { o.Domain = domain }
}

// RegisterOptions are the settings of one Register.
type RegisterOptions struct {
	TTL     time.Duration // how long the nodes live that are not heard of; 0 is what the registry was told
	Context context.Context
}

// RegisterOption changes one setting.
type RegisterOption func(*RegisterOptions)

// OptRegisterTTL sets how long the nodes live that are not heard of.
func OptRegisterTTL(t time.Duration) RegisterOption {
	return func(o *RegisterOptions) { o.TTL = t }
}

// OptRegisterContext limits how long Register waits.
func OptRegisterContext(ctx context.Context) RegisterOption {
	return func(o *RegisterOptions) { o.Context = ctx }
}

// NewRegisterOptions is for registries: it returns the settings with their defaults.
func NewRegisterOptions(opts ...RegisterOption) RegisterOptions {
	return collect(RegisterOptions{Context: context.Background()}, opts)
}

// WatchOptions are the settings of one Watch.
type WatchOptions struct {
	Service string // empty: all services
	Context context.Context
}

// WatchOption changes one setting.
type WatchOption func(*WatchOptions)

// OptWatchService watches one service only.
func OptWatchService(name string) WatchOption {
	return func(o *WatchOptions) { o.Service = name }
}

// OptWatchContext ends the watch with ctx.
func OptWatchContext(ctx context.Context) WatchOption {
	return func(o *WatchOptions) { o.Context = ctx }
}

// NewWatchOptions is for registries: it returns the settings with their defaults.
func NewWatchOptions(opts ...WatchOption) WatchOptions {
	return collect(WatchOptions{Context: context.Background()}, opts)
}

// DeregisterOptions are the settings of one Deregister.
type DeregisterOptions struct {
	Context context.Context // limits how long the registry is waited for
}

// DeregisterOption changes one setting.
type DeregisterOption func(*DeregisterOptions)

// OptDeregisterContext limits how long Deregister waits.
func OptDeregisterContext(ctx context.Context) DeregisterOption {
	return func(o *DeregisterOptions) { o.Context = ctx }
}

// NewDeregisterOptions is for registries: it returns the settings with their defaults.
func NewDeregisterOptions(opts ...DeregisterOption) DeregisterOptions {
	return collect(DeregisterOptions{Context: context.Background()}, opts)
}

// GetOptions are the settings of one GetService.
type GetOptions struct {
	Context context.Context // limits how long the registry is waited for
}

// GetOption changes one setting.
type GetOption func(*GetOptions)

// OptGetContext limits how long GetService waits.
func OptGetContext(ctx context.Context) GetOption {
	return func(o *GetOptions) { o.Context = ctx }
}

// NewGetOptions is for registries: it returns the settings with their defaults.
func NewGetOptions(opts ...GetOption) GetOptions {
	return collect(GetOptions{Context: context.Background()}, opts)
}

// ListOptions are the settings of one ListServices.
type ListOptions struct {
	Context context.Context // limits how long the registry is waited for
}

// ListOption changes one setting.
type ListOption func(*ListOptions)

// OptListContext limits how long ListServices waits.
func OptListContext(ctx context.Context) ListOption {
	return func(o *ListOptions) { o.Context = ctx }
}

// NewListOptions is for registries: it returns the settings with their defaults.
func NewListOptions(opts ...ListOption) ListOptions {
	return collect(ListOptions{Context: context.Background()}, opts)
}

func collect[T any, F ~func(*T)](o T, opts []F) T {
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}
