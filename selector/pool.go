package selector

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/cache"
)

// pool is one service.
type pool struct {
	core  *core
	entry *cache.Entry
	total atomic.Int64 // calls at all nodes

	lists atomic.Pointer[lists]
	dirty atomic.Bool // an ejection changed

	mu      sync.Mutex // of building lists and of ejections
	records map[recordKey]*record
	closed  bool
}

// recordKey tells nodes apart. Another address is another server.
type recordKey struct{ version, id, address string }

// lists is what is chosen from. It does not change.
type lists struct {
	of       *cache.Snapshot     // what it was made of
	services []*registry.Service // that passed the filters
	members  []*Member           // that are not ejected, or all if there are no others
	chooser  Chooser             // nil if there are no members
	sticky   bool
}

// current returns what to choose from.
func (p *pool) current(ctx context.Context) (*lists, error) {
	snap, err := p.entry.Load(ctx)
	if err != nil {
		if errors.Is(err, registry.ErrNotFound) {
			return nil, ErrNotFound
		}
		return nil, err
	}
	l := p.lists.Load()
	if l == nil || l.of != snap || p.dirty.Load() {
		l = p.build(snap, l)
	}
	if l.chooser == nil {
		return nil, ErrNoneAvailable
	}
	return l, nil
}

// build makes lists of what the registry says, unless another goroutine did while this one waited.
func (p *pool) build(snap *cache.Snapshot, seen *lists) *lists {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.lists.Load()
	if old != seen && old.of == snap && !p.dirty.Load() {
		return old
	}
	p.dirty.Store(false)
	l := &lists{of: snap, services: filtered(snap.Services, p.core.options.Filters)}
	var ejected []*Member
	records := make(map[recordKey]*record, len(p.records))
	for _, s := range l.services {
		for _, n := range s.Nodes {
			k := recordKey{s.Version, n.Id, n.Address}
			m := &Member{Node: n, Service: s, weight: weightOf(n.Metadata), record: p.recordOf(k, old == nil)}
			records[k] = m.record
			if m.ejection.active {
				ejected = append(ejected, m)
			} else {
				l.members = append(l.members, m)
			}
		}
	}
	for k, r := range p.records {
		if records[k] == nil && r.ejection.active {
			r.ejection.timer.Stop()
		}
	}
	p.records = records
	if len(l.members) == 0 {
		l.members = ejected
	}
	if len(l.members) > 0 {
		var previous Chooser
		if old != nil {
			previous = old.chooser
		}
		l.chooser = p.core.balancer.Build(l.members, previous)
		_, l.sticky = l.chooser.(Sticky)
	}
	p.lists.Store(l)
	return l
}

// recordOf returns what is known of a node. The caller has the lock.
func (p *pool) recordOf(k recordKey, first bool) *record {
	if r := p.records[k]; r != nil {
		return r
	}
	r := &record{key: k, pool: p, total: &p.total}
	if !first {
		p.warm(r)
	}
	return r
}

// choose returns a member that r and the start of new nodes allow.
func (p *pool) choose(l *lists, r Request) *Member {
	const tries = 8
	limit := r.Attempt + tries
	for first := true; r.Attempt < limit; r.Attempt++ {
		m := l.chooser.Choose(r)
		if !r.allows(m) {
			continue
		}
		if first && !l.sticky && m.warming.Load() != 0 && !p.core.health.warmed(m.record, r.now) {
			first = false
			continue
		}
		return m
	}
	for i, n := rand.IntN(len(l.members)), len(l.members); n > 0; i, n = i+1, n-1 {
		if m := l.members[i%len(l.members)]; r.allows(m) {
			return m
		}
	}
	return nil
}

// mark counts what Mark was told.
func (p *pool) mark(n *registry.Node, o Outcome) {
	p.mu.Lock()
	var found []*record
	for k, r := range p.records {
		if k.id == n.Id && k.address == n.Address {
			found = append(found, r)
		}
	}
	p.mu.Unlock()
	for _, r := range found {
		r.note(o, clock.Now())
	}
}

// reset forgets failures and ejections.
func (p *pool) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.records {
		p.admit(r)
		r.ejection.times = 0
		r.warming.Store(0)
		r.consecutive.Store(0)
		r.calls.Store(0)
		r.failures.Store(0)
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range p.records {
		p.admit(r)
	}
}

// ErrUnreachable is what Mark is told, or wrapped in what it is told, when there is no connection to a node.
var ErrUnreachable = errors.New("unreachable")

// outcomeOf returns what an error given to Mark means.
func outcomeOf(err error) Outcome {
	var op *net.OpError
	switch {
	case err == nil:
		return Succeeded
	case errors.Is(err, context.Canceled):
		return Ignored
	case errors.Is(err, ErrUnreachable), errors.As(err, &op) && op.Op == "dial":
		return Unreachable
	}
	return Failed
}
