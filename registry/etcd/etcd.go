package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
)

// NewRegistry returns a registry. It connects when it is used first; a cluster that is down is no error here.
func NewRegistry(opts ...registry.Option) registry.Registry {
	e := &etcd{kept: map[string]*registration{}}
	e.options.Apply(opts...)
	return e
}

// errClosed is returned by a registry that was closed.
var errClosed = errors.New("etcd: the registry is closed")

// etcd is a registry.
type etcd struct {
	mu      sync.Mutex
	options registry.Options
	used    *space // chosen at the first use
	closed  bool

	client  *clientv3.Client // nil: not needed yet, or not to be had
	opening chan struct{}    // closed when who makes the client is done; nil: nobody does

	kept map[string]*registration // by key
}

// String returns "etcd".
func (e *etcd) String() string { return "etcd" }

// Options implements registry.Registry.
func (e *etcd) Options() registry.Options {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.options
}

// Init implements registry.Registry. The next request makes a new connection; watches begin anew by themselves.
func (e *etcd) Init(opts ...registry.Option) error {
	e.mu.Lock()
	e.options.Apply(opts...)
	old := e.client
	e.client = nil
	e.mu.Unlock()
	return closeClient(old)
}

// Close ends all connections and registrations. Nodes disappear when their leases end.
func (e *etcd) Close() error {
	e.mu.Lock()
	e.closed = true
	old := e.client
	e.client = nil
	kept := e.kept
	e.kept = map[string]*registration{}
	e.mu.Unlock()
	for _, r := range kept {
		r.cancel()
	}
	return closeClient(old)
}

func closeClient(c *clientv3.Client) error {
	if c == nil {
		return nil
	}
	if err := c.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("etcd: %w", err)
	}
	return nil
}

// space returns where the keys are.
func (e *etcd) space() space {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.used == nil {
		s := newSpace(prefixOf(e.options))
		e.used = &s
	}
	return *e.used
}

// connect returns the client, which it makes if there is none. One goroutine makes it, the others wait.
func (e *etcd) connect(ctx context.Context) (*clientv3.Client, error) {
	for {
		e.mu.Lock()
		switch {
		case e.closed:
			e.mu.Unlock()
			return nil, errClosed
		case e.client != nil:
			defer e.mu.Unlock()
			return e.client, nil
		case e.opening == nil:
			e.opening = make(chan struct{})
			o := e.options
			e.mu.Unlock()
			return e.open(o)
		}
		opening := e.opening
		e.mu.Unlock()
		select {
		case <-opening:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (e *etcd) open(o registry.Options) (*clientv3.Client, error) {
	c, err := newClient(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.opening)
	e.opening = nil
	switch {
	case err != nil:
		return nil, err
	case e.closed:
		return nil, errors.Join(errClosed, closeClient(c))
	}
	e.client = c
	return c, nil
}

// request is a context for one request, with the client to put it to.
func (e *etcd) request(ctx context.Context) (context.Context, context.CancelFunc, *clientv3.Client, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(e.Options()))
	c, err := e.connect(ctx)
	if err != nil {
		cancel()
		return nil, nil, nil, err
	}
	return ctx, cancel, c, nil
}

// list returns the services below a prefix as they were at a revision, by key.
func (e *etcd) list(ctx context.Context, prefix string) (services map[string]*registry.Service, revision int64, err error) {
	ctx, cancel, c, err := e.request(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer cancel()
	resp, err := c.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, fmt.Errorf("etcd: %w", err)
	}
	services = make(map[string]*registry.Service, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		e.take(services, string(kv.Key), kv.Value)
	}
	return services, resp.Header.Revision, nil
}

// take puts what is under a key among the services. What cannot be read counts as nothing.
func (e *etcd) take(services map[string]*registry.Service, key string, value []byte) {
	s, err := e.space().decode(key, value)
	if err != nil {
		logger.Debugf(context.Background(), "registry: etcd: %q: %v", key, err)
		delete(services, key)
		return
	}
	services[key] = s
}

// merged returns the services that have the name, or all.
func merged(services map[string]*registry.Service, name string) []*registry.Service {
	all := make([]*registry.Service, 0, len(services))
	for _, s := range services {
		if name == "" || s.Name == name { // "a-b" has keys where those of "a/b" are
			all = append(all, s)
		}
	}
	return registry.Merge(all)
}

// GetService implements registry.Registry.
func (e *etcd) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	if name == "" {
		return nil, registry.ErrNotFound
	}
	services, _, err := e.list(registry.NewGetOptions(opts...).Context, e.space().service(name))
	if err != nil {
		return nil, err
	}
	if all := merged(services, name); len(all) > 0 {
		return all, nil
	}
	return nil, registry.ErrNotFound
}

// ListServices implements registry.Registry.
func (e *etcd) ListServices(opts ...registry.ListOption) ([]*registry.Service, error) {
	services, _, err := e.list(registry.NewListOptions(opts...).Context, e.space().service(""))
	if err != nil {
		return nil, err
	}
	return merged(services, ""), nil
}
