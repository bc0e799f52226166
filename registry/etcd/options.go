package etcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/osgochina/dmicro/registry"
)

const (
	// DefaultPrefix is what all keys begin with unless SetPrefix or Prefix say otherwise.
	DefaultPrefix = "/dmicro/registry/"
	// DefaultTimeout limits a request unless registry.OptTimeout says otherwise.
	DefaultTimeout = 5 * time.Second

	defaultPort = "2379"
	// reconnect is the longest pause between attempts to connect: after an outage all must be back soon.
	reconnect = time.Second
)

// processPrefix is what SetPrefix was told.
var processPrefix atomic.Pointer[string]

// SetPrefix changes what the keys begin with for all registries of the process that were not used before. Prefix does
// it for one registry.
func SetPrefix(p string) { processPrefix.Store(&p) }

type (
	prefixKey struct{}
	authKey   struct{}
	auth      struct{ username, password string }
)

// Prefix sets what the keys of a registry begin with.
func Prefix(p string) registry.Option {
	return func(o *registry.Options) { o.Context = context.WithValue(contextOf(o), prefixKey{}, p) }
}

// Auth sets the user. The default is what the environment says in ETCD_USERNAME and ETCD_PASSWORD, if both are there.
func Auth(username string, password string) registry.Option {
	return func(o *registry.Options) {
		o.Context = context.WithValue(contextOf(o), authKey{}, auth{username, password})
	}
}

// RegisterTTL sets after what time a server that died disappears, in whole seconds: registry.DefaultRegisterTTL if
// nothing is set.
func RegisterTTL(t time.Duration) registry.Option {
	return func(o *registry.Options) { o.RegisterTTL = t }
}

func contextOf(o *registry.Options) context.Context {
	if o.Context == nil {
		return context.Background()
	}
	return o.Context
}

func prefixOf(o registry.Options) string {
	if p, ok := contextOf(&o).Value(prefixKey{}).(string); ok {
		return p
	}
	if p := processPrefix.Load(); p != nil {
		return *p
	}
	return DefaultPrefix
}

func timeoutOf(o registry.Options) time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultTimeout
}

// addresses returns where etcd is: the options, the environment variable DMICRO_REGISTRY_ADDRESS, separated by commas,
// or this machine.
func addresses(list []string) []string {
	if len(list) == 0 {
		list = strings.Split(os.Getenv("DMICRO_REGISTRY_ADDRESS"), ",")
	}
	var out []string
	for _, a := range list {
		for _, a := range strings.Split(a, ",") {
			if a = strings.TrimSpace(a); a != "" {
				out = append(out, withPort(a))
			}
		}
	}
	if len(out) == 0 {
		out = []string{net.JoinHostPort("127.0.0.1", defaultPort)}
	}
	return out
}

func withPort(a string) string {
	if _, _, err := net.SplitHostPort(a); err == nil || strings.Contains(a, "://") {
		return a
	}
	return net.JoinHostPort(strings.Trim(a, "[]"), defaultPort)
}

// newClient returns a client, which connects by itself, again and again. With a user it has to reach the cluster first.
func newClient(o registry.Options) (*clientv3.Client, error) {
	cfg := clientv3.Config{
		Endpoints:            addresses(o.AddrList),
		DialTimeout:          timeoutOf(o),
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		PermitWithoutStream:  true,
		TLS:                  o.TLSConfig,
		Logger:               zap.NewNop(), // errors are returned
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnect},
			MinConnectTimeout: 3 * time.Second,
		})},
	}
	if cfg.TLS == nil && o.Secure {
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	user, ok := contextOf(&o).Value(authKey{}).(auth)
	if !ok && os.Getenv("ETCD_USERNAME") != "" && os.Getenv("ETCD_PASSWORD") != "" {
		user = auth{os.Getenv("ETCD_USERNAME"), os.Getenv("ETCD_PASSWORD")}
	}
	cfg.Username, cfg.Password = user.username, user.password
	c, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	return c, nil
}
