package registry_test

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/cache"
	"github.com/osgochina/dmicro/registry/etcd"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/registry/util"
)

// Programs written for DMicro 1.x compile against these names with these types.
var (
	_ registry.Registry = registry.DefaultRegistry
	_ error             = registry.ErrNotFound
	_ error             = registry.ErrWatcherStopped

	_ func(opts ...registry.Option) registry.Registry              = registry.NewRegistry
	_ func(opts ...registry.Option) registry.Registry              = memory.NewRegistry
	_ func(opts ...registry.Option) registry.Registry              = etcd.NewRegistry
	_ func(addrList ...string) registry.Option                     = registry.OptAddrList
	_ func(t time.Duration) registry.Option                        = registry.OptTimeout
	_ func(b bool) registry.Option                                 = registry.OptSecure
	_ func(t *tls.Config) registry.Option                          = registry.OptTLSConfig
	_ func(name string) registry.Option                            = registry.OptServiceName
	_ func(version string) registry.Option                         = registry.OptServiceVersion
	_ func(t time.Duration) registry.Option                        = registry.OptLeasesInterval
	_ func(t time.Duration) registry.RegisterOption                = registry.OptRegisterTTL
	_ func(ctx context.Context) registry.RegisterOption            = registry.OptRegisterContext
	_ func(name string) registry.WatchOption                       = registry.OptWatchService
	_ func(ctx context.Context) registry.WatchOption               = registry.OptWatchContext
	_ func(ctx context.Context) registry.DeregisterOption          = registry.OptDeregisterContext
	_ func(ctx context.Context) registry.GetOption                 = registry.OptGetContext
	_ func(ctx context.Context) registry.ListOption                = registry.OptListContext
	_ func(r registry.Registry) *registry.PluginRegistry           = registry.NewRegistryPlugin
	_ func(*registry.Service, ...registry.RegisterOption) error    = registry.Register
	_ func(*registry.Service, ...registry.DeregisterOption) error  = registry.Deregister
	_ func(name string) ([]*registry.Service, error)               = registry.GetService
	_ func() ([]*registry.Service, error)                          = registry.ListServices
	_ func(opts ...registry.WatchOption) (registry.Watcher, error) = registry.Watch
	_ func() string                                                = registry.String

	_ func(username string, password string) registry.Option = etcd.Auth
	_ func(t time.Duration) registry.Option                  = etcd.RegisterTTL
	_ func(p string)                                         = etcd.SetPrefix

	_ func(r registry.Registry, opts ...cache.Option) cache.Cache = cache.New
	_ func(t time.Duration) cache.Option                          = cache.WithTTL
	_ func(current []*registry.Service) []*registry.Service       = util.Copy
	_ func(service *registry.Service) *registry.Service           = util.CopyService
	_                                                             = memory.ServicesKey{}
	_                                                             = registry.Event{Id: "", Type: registry.Override, Timestamp: time.Time{}, Service: nil}
	_ func(registry.EventType) string                             = registry.EventType.String
	_ func(*registry.PluginRegistry) string                       = (*registry.PluginRegistry).Name
	_ func(*registry.PluginRegistry, *drpc.Handler) error         = (*registry.PluginRegistry).AfterRegRouter
	_ func(*registry.PluginRegistry, net.Addr) error              = (*registry.PluginRegistry).AfterListen
	_ func(*registry.PluginRegistry, drpc.Endpoint) error         = (*registry.PluginRegistry).BeforeCloseEndpoint
	_ func(*registry.PluginRegistry) error                        = (*registry.PluginRegistry).Register
	_ func(*registry.PluginRegistry) error                        = (*registry.PluginRegistry).Deregister
	_                                                             = registry.Options{AddrList: nil, Timeout: 0, Secure: false, TLSConfig: nil, Context: nil}
	_                                                             = registry.Node{Id: "", Address: "", Paths: nil, Metadata: nil}
	_                                                             = registry.Service{Name: "", Version: "", Metadata: nil, Nodes: nil}
	_                                                             = registry.Result{Action: registry.Update, Service: nil}
)

const (
	_ = registry.DefaultRegisterInterval / (30 * time.Second)
	_ = registry.DefaultRegisterTTL / (90 * time.Second)
)
