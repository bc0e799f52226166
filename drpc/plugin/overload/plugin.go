package overload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc"
)

// Name is the name of the plugin where Config names none.
const Name = "overload"

// Config configures a plugin.
type Config struct {
	// Name is the name of the plugin, for endpoints with several; "overload" by default.
	Name string
	// Default limits each method that Methods does not name, each by itself.
	Default Limit
	// Methods limits methods by their name, such as "/math/add". All that no handler has share the empty name.
	Methods map[string]Limit
	// Peer limits each peer over all methods.
	Peer Limit
	// PeerKey says which peer a message comes from; PeerOf by default. It is called for each message.
	PeerKey func(ctx drpc.ReadCtx) string
	// MaxPeers is how many peers are told apart; 10,000 by default. While all of them are at work or have used up their
	// rate, those that come in addition share one limit.
	MaxPeers int
}

// Method is what the plugin knows of a method.
type Method struct {
	// Name is the service method, empty for all that no handler has.
	Name string
	// Limit is the limit in force.
	Limit Limit
	// Running is how many are at work.
	Running int
	// Admitted and Refused count what came, Refused also what was over the limit of its peer.
	Admitted, Refused uint64
}

// Plugin refuses what is above its limits. New makes one.
type Plugin struct {
	cfg   Config
	peers *peers

	mu sync.Mutex // of those who change methods; a map that is published never changes
	// methods has those that have a limit of their own or a handler, so that peers cannot make it grow.
	methods atomic.Pointer[map[string]*method]
}

type method struct {
	*gate
	limit             atomic.Pointer[Limit]
	admitted, refused atomic.Uint64
}

var (
	_ drpc.AfterRegRouterPlugin     = (*Plugin)(nil)
	_ drpc.BeforeReadCallBodyPlugin = (*Plugin)(nil)
	_ drpc.BeforeReadPushBodyPlugin = (*Plugin)(nil)
)

// New returns a plugin with these limits, or what is wrong with them.
func New(cfg Config) (*Plugin, error) {
	for _, l := range append(slices.Collect(maps.Values(cfg.Methods)), cfg.Default, cfg.Peer) {
		if err := l.check(); err != nil {
			return nil, err
		}
	}
	cfg.Name = cmp.Or(cfg.Name, Name)
	if cfg.PeerKey == nil {
		cfg.PeerKey = PeerOf
	}
	if cfg.MaxPeers <= 0 {
		cfg.MaxPeers = defaultMaxPeers
	}
	p := &Plugin{cfg: cfg}
	if cfg.Peer != (Limit{}) {
		p.peers = newPeers(cfg.Peer, cfg.MaxPeers)
	}
	all := map[string]*method{"": newMethod(cfg.Default)}
	for name, l := range cfg.Methods {
		all[name] = newMethod(l)
	}
	p.methods.Store(&all)
	return p, nil
}

func newMethod(l Limit) *method {
	m := &method{gate: newGate(l)}
	m.limit.Store(&l)
	return m
}

// Name returns the name of the plugin.
func (p *Plugin) Name() string { return p.cfg.Name }

// AfterRegRouter gives a handler its own limit.
func (p *Plugin) AfterRegRouter(h *drpc.Handler) error {
	p.add(h.Name(), p.cfg.Default)
	return nil
}

// add adds a method unless it is there, and returns it.
func (p *Plugin) add(name string, l Limit) *method {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := *p.methods.Load()
	if m := all[name]; m != nil {
		return m
	}
	all = maps.Clone(all)
	all[name] = newMethod(l)
	p.methods.Store(&all)
	return all[name]
}

// SetLimit changes the limit of a method, for what comes from now on, or returns what is wrong with it.
func (p *Plugin) SetLimit(name string, l Limit) error {
	if err := l.check(); err != nil {
		return err
	}
	m := p.add(name, l)
	m.limit.Store(&l)
	m.set(l)
	return nil
}

// Methods returns the methods that have a limit or a handler, sorted by name.
func (p *Plugin) Methods() []Method {
	var list []Method
	for name, m := range *p.methods.Load() {
		list = append(list, Method{
			Name: name, Limit: *m.limit.Load(), Running: int(m.running.Load()),
			Admitted: m.admitted.Load(), Refused: m.refused.Load(),
		})
	}
	slices.SortFunc(list, func(a, b Method) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// BeforeReadCallBody refuses calls above a limit.
func (p *Plugin) BeforeReadCallBody(ctx drpc.ReadCtx) *drpc.Status { return p.admit(ctx) }

// BeforeReadPushBody refuses pushes above a limit.
func (p *Plugin) BeforeReadPushBody(ctx drpc.ReadCtx) *drpc.Status { return p.admit(ctx) }

func (p *Plugin) admit(ctx drpc.ReadCtx) *drpc.Status {
	all := *p.methods.Load()
	m := all[ctx.ServiceMethod()]
	if m == nil {
		m = all[""]
	}
	var peer *peerGate
	if p.peers != nil {
		peer = p.peers.take(p.cfg.PeerKey(ctx))
		if why := peer.enter(); why != "" {
			p.peers.give(peer)
			m.refused.Add(1)
			return busy("this peer has as many %s as it may", why)
		}
	}
	if why := m.enter(); why != "" {
		p.leave(peer)
		m.refused.Add(1)
		return busy("the method has as many %s as it may", why)
	}
	m.admitted.Add(1)
	if !drpc.OnFinish(ctx, func() {
		m.leave()
		p.leave(peer)
	}) {
		m.leave() // somebody else's context, whose end nobody tells
		p.leave(peer)
	}
	return nil
}

func (p *Plugin) leave(peer *peerGate) {
	if peer != nil {
		peer.leave()
		p.peers.give(peer)
	}
}

func busy(format, why string) *drpc.Status {
	return drpc.NewStatus(drpc.CodeBusy, drpc.CodeText(drpc.CodeBusy), fmt.Sprintf(format+", this one was not executed", why))
}
