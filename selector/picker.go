package selector

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/cache"
)

// Picker is a Selector that learns from each call. NewSelector returns one.
type Picker interface {
	Selector
	// Pick chooses a node for one call. Done of the choice must be called when the call has ended, once. It waits, until
	// ctx is done, only if the registry was not asked for the service before. The error is ErrNotFound if there is no
	// node, ErrNoneAvailable if the filters and the request leave none, that of ctx, or that of the registry.
	Pick(ctx context.Context, service string, r Request) (Choice, error)
	// Services returns what Pick chooses from, with the nodes that are left out for a while. It is shared and must not be
	// changed. It waits and fails as Pick does.
	Services(ctx context.Context, service string) ([]*registry.Service, error)
}

// Request says what node a call needs. The zero value is content with any.
type Request struct {
	// Key is what ConsistentHash goes by: calls with equal keys go to the same node.
	Key string
	// Avoid lists nodes that were tried already. They are chosen only if there are no others.
	Avoid []*registry.Node
	// Match tells whether a node will do; nil: any. It is called for each node that is considered, and must be fast.
	Match func(*registry.Service, *registry.Node) bool
	// Attempt counts how often a chooser was asked for this call before; callers leave it 0.
	Attempt int

	now clock.Time
}

func (r *Request) allows(m *Member) bool {
	for _, n := range r.Avoid {
		if n == m.Node || n != nil && n.Id == m.Node.Id && n.Address == m.Node.Address {
			return false
		}
	}
	return r.Match == nil || r.Match(m.Service, m.Node)
}

// Choice is the node chosen for one call. Node and Service are shared and must not be changed.
type Choice struct {
	Node    *registry.Node    // who is to be called
	Service *registry.Service // the one of its versions that the node belongs to

	record *record
	since  clock.Time
}

// Done tells how the call went; it took from Pick until now. It must be called exactly once.
func (c Choice) Done(o Outcome) {
	if c.record == nil {
		return
	}
	c.record.inFlight.Add(-1)
	c.record.total.Add(-1)
	if o == Ignored {
		return
	}
	at := clock.Now()
	if o == Succeeded {
		c.record.learn(at.Sub(c.since), at)
	}
	c.record.note(o, at)
}

// core is a selector between two Inits.
type core struct {
	options  Options
	health   Health
	balancer Balancer
	cache    cache.Cache
	pools    sync.Map // string to *pool
	count    int      // of pools, guarded by mu
	closed   bool
	mu       sync.Mutex
}

// maxPools bounds the services that are remembered: names may come from outside.
const maxPools = 1024

// ttlKey is a key of the context option that programs written for DMicro 1.x use.
const ttlKey = "selector_ttl"

func newCore(o Options) *core {
	ttl := o.TTL
	if d, ok := o.Context.Value(ttlKey).(time.Duration); ok && ttl == 0 {
		ttl = d
	}
	c := &core{options: o, health: o.Health.withDefaults(), balancer: o.Balancer, cache: cache.New(o.Registry, cache.WithTTL(ttl))}
	if c.balancer == nil {
		c.balancer = LeastLoad()
	}
	return c
}

func (c *core) pool(service string) *pool {
	if p, ok := c.pools.Load(service); ok {
		return p.(*pool)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.pools.Load(service); ok {
		return p.(*pool)
	}
	p := &pool{core: c, entry: c.cache.Entry(service)}
	if c.count < maxPools && !c.closed {
		c.count++
		c.pools.Store(service, p)
	}
	return p
}

func (c *core) close() {
	c.cache.Stop()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.pools.Range(func(_, p any) bool {
		p.(*pool).close()
		return true
	})
}

// selector implements Picker.
type selector struct {
	mu   sync.Mutex // of Init
	core atomic.Pointer[core]
}

// NewSelector returns a selector, which is a Picker, too. It does nothing until it is asked for a service.
func NewSelector(opts ...Option) Selector {
	s := &selector{}
	_ = s.Init(opts...) // it has no errors
	return s
}

// Init implements Selector.
func (s *selector) Init(opts ...Option) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, old := Options{}, s.core.Load()
	if old != nil {
		o = old.options
	}
	for _, opt := range opts {
		opt(&o)
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Registry == nil {
		o.Registry = registry.DefaultRegistry
	}
	s.core.Store(newCore(o))
	if old != nil {
		old.close()
	}
	return nil
}

// Options implements Selector.
func (s *selector) Options() Options { return s.core.Load().options }

// String returns "selector".
func (s *selector) String() string { return "selector" }

// Mark implements Selector.
func (s *selector) Mark(service string, node *registry.Node, err error) {
	if p, ok := s.core.Load().pools.Load(service); ok && node != nil {
		p.(*pool).mark(node, outcomeOf(err))
	}
}

// Reset implements Selector.
func (s *selector) Reset(service string) {
	if p, ok := s.core.Load().pools.Load(service); ok {
		p.(*pool).reset()
	}
}

// Close implements Selector.
func (s *selector) Close() error {
	s.core.Load().close()
	return nil
}

// Pick implements Picker.
func (s *selector) Pick(ctx context.Context, service string, r Request) (Choice, error) {
	p := s.core.Load().pool(service)
	l, err := p.current(ctx)
	if err != nil {
		return Choice{}, err
	}
	r.now = clock.Now()
	m := p.choose(l, r)
	if m == nil && len(r.Avoid) > 0 {
		r.Avoid = nil
		m = p.choose(l, r)
	}
	if m == nil {
		return Choice{}, fmt.Errorf("%w: no node matches", ErrNoneAvailable)
	}
	m.inFlight.Add(1)
	p.total.Add(1)
	return Choice{m.Node, m.Service, m.record, r.now}, nil
}

// Services implements Picker.
func (s *selector) Services(ctx context.Context, service string) ([]*registry.Service, error) {
	l, err := s.core.Load().pool(service).current(ctx)
	if err != nil {
		return nil, err
	}
	return l.services, nil
}

// Select implements Selector.
func (s *selector) Select(service string, opts ...SelectOption) (Next, error) {
	c := s.core.Load()
	o := SelectOptions{Strategy: c.options.Strategy, Context: context.Background()}
	for _, opt := range opts {
		opt(&o)
	}
	p := c.pool(service)
	l, err := p.current(o.Context)
	if err != nil {
		return nil, err
	}
	if o.Strategy == nil && len(o.Filters) == 0 {
		return func() (*registry.Node, error) { return p.choose(l, Request{now: clock.Now()}).Node, nil }, nil
	}
	services := filtered(l.available(), o.Filters)
	if len(services) == 0 {
		services = filtered(l.services, o.Filters) // better one that is ejected than none
		if o.Strategy == nil {
			o.Strategy = Random
		}
	}
	if len(services) == 0 {
		return nil, ErrNoneAvailable
	}
	if o.Strategy != nil {
		return o.Strategy(services), nil
	}
	return p.among(l, services)
}

// available returns the services with the members only.
func (l *lists) available() []*registry.Service {
	all := make([]*registry.Service, len(l.members))
	for i, m := range l.members {
		one := *m.Service
		one.Nodes = []*registry.Node{m.Node}
		all[i] = &one
	}
	return registry.Merge(all)
}

// among chooses with the balancer among the nodes of services.
func (p *pool) among(l *lists, services []*registry.Service) (Next, error) {
	allowed := make(map[*registry.Node]bool)
	for _, s := range services {
		for _, n := range s.Nodes {
			allowed[n] = true
		}
	}
	if len(allowed) == 0 {
		return nil, ErrNoneAvailable
	}
	match := func(_ *registry.Service, n *registry.Node) bool { return allowed[n] }
	return func() (*registry.Node, error) {
		if m := p.choose(l, Request{Match: match, now: clock.Now()}); m != nil {
			return m.Node, nil
		}
		return nil, ErrNoneAvailable
	}, nil
}
