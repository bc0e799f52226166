package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/backoff"
	"github.com/osgochina/dmicro/logger"
)

const (
	// firstTry is how long AfterListen waits for the first registration, so that usually a server that accepts can be
	// found. The registration goes on after it.
	firstTry = 500 * time.Millisecond
	// firstPause and lastPause bound the pauses between attempts that fail.
	firstPause = 250 * time.Millisecond
	lastPause  = 2 * time.Second
	// stopTimeout is the default of PluginConfig.StopTimeout.
	stopTimeout = 3 * time.Second
)

// PluginConfig is what a PluginRegistry registers, and how. All fields may be zero.
type PluginConfig struct {
	ServiceName string            // what the options of the registry say if empty
	Version     string            // the same; "1.0.0" if they say nothing either
	Metadata    map[string]string // of the node, beside "registry" and "server"
	// Advertise is the address that clients shall dial: "host" or "host:port". Empty means that of the listener, with
	// the first address of this machine that others can reach in place of a wildcard.
	Advertise string
	// Interval between registrations: DefaultRegisterInterval, or what the options of the registry say, if 0.
	Interval time.Duration
	// TTL of the nodes: three intervals if 0 and the options of the registry say nothing, at least DefaultRegisterTTL.
	TTL time.Duration
	// StopTimeout is how long closing the endpoint waits for the registry: 3 s if 0.
	StopTimeout time.Duration
}

// PluginRegistry keeps an endpoint registered as long as it listens: one node for each listener. A registry that cannot be
// reached neither keeps an endpoint from serving nor from closing; it is tried again until the endpoint closes. The
// methods may be called concurrently.
type PluginRegistry struct {
	registry Registry
	cfg      PluginConfig

	mu      sync.Mutex
	paths   []string         // service methods, sorted, never changed in place
	nodes   map[string]*Node // by listener; without paths
	closed  bool
	keeper  *keeper       // nil: not registered
	removed chan struct{} // closed when every Deregister so far has done with the registry
}

// keeper is a goroutine that registers again and again.
type keeper struct {
	cancel  context.CancelFunc
	ended   chan struct{}
	wake    chan struct{} // has room for one: register now
	waiting []chan error  // for the next attempt; guarded by PluginRegistry.mu
}

// NewRegistryPlugin returns NewPlugin with a config that takes all from the options of the registry.
func NewRegistryPlugin(registry Registry) *PluginRegistry { return NewPlugin(registry, PluginConfig{}) }

// NewPlugin returns a plugin for one endpoint. DefaultRegistry is used if registry is nil.
func NewPlugin(registry Registry, cfg PluginConfig) *PluginRegistry {
	if registry == nil {
		registry = DefaultRegistry
	}
	p := &PluginRegistry{registry: registry, cfg: cfg, nodes: map[string]*Node{}, removed: make(chan struct{})}
	close(p.removed)
	return p
}

// Name returns "registry".
func (p *PluginRegistry) Name() string { return "registry" }

// AfterRegRouter notes a service method. One that is added while the endpoint listens is registered soon.
func (p *PluginRegistry) AfterRegRouter(handler *drpc.Handler) error {
	if handler.IsUnknown() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, known := slices.BinarySearch(p.paths, handler.Name()); !known {
		p.paths = slices.Insert(slices.Clone(p.paths), i, handler.Name())
		p.keeper.wakeUp()
	}
	return nil
}

// AfterListen registers the listener. It waits a moment for the registry; what fails is logged and tried again. The
// error is that there is no service name, or that the address to advertise is none.
func (p *PluginRegistry) AfterListen(addr net.Addr) error {
	address, err := advertised(addr, p.cfg.Advertise)
	if err != nil {
		return err
	}
	name, version := p.service()
	if name == "" {
		return fmt.Errorf("registry plugin: %w: no name", ErrInvalidService)
	}
	metadata := map[string]string{"registry": p.registry.String(), "server": name}
	maps.Copy(metadata, p.cfg.Metadata)
	p.mu.Lock()
	p.nodes[addr.Network()+" "+addr.String()] = &Node{Id: name + "-" + address, Address: address, Metadata: metadata}
	p.mu.Unlock()
	tried, err := p.start()
	if err != nil {
		return nil // the endpoint is closing, which ListenAndServe says itself
	}
	timer := time.NewTimer(firstTry)
	defer timer.Stop()
	select {
	case <-tried:
	case <-timer.C:
	}
	logger.Infof(context.Background(), "registry: %s %s at %s", name, version, address)
	return nil
}

// Register registers the listeners there are, and keeps them registered until Deregister. It waits for a Deregister that
// is under way and returns the outcome of the first attempt; others follow whatever it was. The error is
// context.Canceled if Deregister came before that, ErrInvalidService if nothing listens, and drpc.ErrListenClosed once
// the endpoint closes.
func (p *PluginRegistry) Register() error {
	tried, err := p.start()
	if err != nil {
		return err
	}
	return <-tried
}

// BeforeCloseEndpoint removes the listeners from the registry for good. A registry that cannot be reached is logged,
// not returned: its nodes end with their TTL.
func (p *PluginRegistry) BeforeCloseEndpoint(drpc.Endpoint) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	if err := p.Deregister(); err != nil {
		logger.Warningf(context.Background(), "registry: %v", err)
	}
	return nil
}

// Deregister removes the listeners from the registry until Register, as for a server that is not ready for a while.
// It takes no longer than the stop timeout, after which the error is context.DeadlineExceeded; other errors are those of
// the registry. Doing it twice, or when nothing listens, is no error.
func (p *PluginRegistry) Deregister() error {
	p.mu.Lock()
	k, s := p.keeper, p.snapshot()
	if k == nil {
		p.mu.Unlock()
		return nil
	}
	before, removed := p.removed, make(chan struct{})
	p.keeper, p.removed = nil, removed
	p.mu.Unlock()
	k.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(p.cfg.StopTimeout, stopTimeout))
	defer cancel()
	done := make(chan error, 1)
	go func() { // a registry that heeds no context must not keep a server from stopping
		defer close(removed)
		<-k.ended
		done <- p.registry.Deregister(s, OptDeregisterContext(ctx))
		<-before // it may have been given up, and still go on
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("registry plugin: deregister %s: %w", s.Name, ctx.Err())
	}
}

// start makes sure that there is a keeper, and returns where the outcome of its next attempt arrives.
func (p *PluginRegistry) start() (<-chan error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, drpc.ErrListenClosed
	case len(p.nodes) == 0:
		return nil, fmt.Errorf("registry plugin: %w: nothing listens", ErrInvalidService)
	}
	if p.keeper == nil {
		ctx, cancel := context.WithCancel(context.Background())
		p.keeper = &keeper{cancel: cancel, ended: make(chan struct{}), wake: make(chan struct{}, 1)}
		go p.keep(ctx, p.keeper, p.removed)
	}
	tried := make(chan error, 1)
	p.keeper.waiting = append(p.keeper.waiting, tried)
	p.keeper.wakeUp()
	return tried, nil
}

// wakeUp makes a keeper register now; there may be none.
func (k *keeper) wakeUp() {
	if k == nil {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// keep registers now, whenever it is woken, and once an interval, until ctx is done. It begins when what was registered
// before has been removed, or that would take away what it registers.
func (p *PluginRegistry) keep(ctx context.Context, k *keeper, removed <-chan struct{}) {
	defer close(k.ended)
	select {
	case <-removed:
	case <-ctx.Done():
	}
	pauses, failing := backoff.Series{First: firstPause, Last: lastPause}, false
	next := time.NewTimer(p.interval())
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			_, waiting := p.attempt(k)
			answer(waiting, ctx.Err())
			return
		case <-k.wake:
		case <-next.C:
		}
		err := p.registerOnce(ctx, k)
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			if !failing {
				logger.Warningf(ctx, "registry: %v; will go on trying", err)
			}
			next.Reset(pauses.Next())
			failing = true
		default:
			if failing {
				name, _ := p.service()
				logger.Infof(ctx, "registry: %s is registered again", name)
			}
			next.Reset(backoff.Jitter(p.interval()))
			pauses.Reset()
			failing = false
		}
	}
}

func (p *PluginRegistry) registerOnce(ctx context.Context, k *keeper) error {
	s, waiting := p.attempt(k)
	err := p.registry.Register(s, OptRegisterContext(ctx), OptRegisterTTL(p.ttl()))
	answer(waiting, err)
	return err
}

// attempt returns what to register now, and who waits for the outcome.
func (p *PluginRegistry) attempt(k *keeper) (s *Service, waiting []chan error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, k.waiting = k.waiting, nil
	return p.snapshot(), waiting
}

func answer(waiting []chan error, err error) {
	for _, w := range waiting {
		w <- err
	}
}

// snapshot returns what to register. The caller has the lock.
func (p *PluginRegistry) snapshot() *Service {
	name, version := p.service()
	s := &Service{Name: name, Version: version}
	for _, n := range p.nodes {
		n = n.Clone()
		n.Paths = p.paths
		s.Nodes = append(s.Nodes, n)
	}
	return s
}

func (p *PluginRegistry) service() (name, version string) {
	o := p.registry.Options()
	return cmp.Or(p.cfg.ServiceName, o.ServiceName), cmp.Or(p.cfg.Version, o.ServiceVersion, "1.0.0")
}

func (p *PluginRegistry) interval() time.Duration {
	if d := cmp.Or(p.cfg.Interval, p.registry.Options().LeasesInterval); d > 0 {
		return d
	}
	return DefaultRegisterInterval
}

func (p *PluginRegistry) ttl() time.Duration {
	if d := cmp.Or(p.cfg.TTL, p.registry.Options().RegisterTTL); d > 0 {
		return d
	}
	return max(DefaultRegisterTTL, 3*p.interval())
}
