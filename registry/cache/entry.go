package cache

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/internal/backoff"
	"github.com/osgochina/dmicro/registry"
)

// Snapshot is what is known of a service at a moment. It is shared and must not be changed; a change makes another one,
// so that comparing pointers tells whether there was one.
type Snapshot struct {
	Services []*registry.Service // sorted by version
	err      error               // why there are none
}

// Entry is a handle of one service.
type Entry struct {
	c        *cache
	name     string
	uncached bool

	current atomic.Pointer[Snapshot] // nil: never asked for, or not for a long time
	stale   atomic.Bool              // ask again
	used    atomic.Bool              // since the last tick

	mu      sync.Mutex
	view    map[nodeKey]nodeState
	flight  *flight
	crossed map[nodeKey]nodeState // what the watch reported during the flight; no node: gone
	watch   context.CancelFunc    // nil: not watched
	timer   *time.Timer
	ticks   uint64        // counts timers
	failing bool          // the last answer was an error
	idle    time.Duration // how long nobody asked
}

type nodeKey struct{ version, id string }

type nodeState struct {
	node     *registry.Node
	metadata map[string]string
}

// flight is a question to the registry that several wait for.
type flight struct {
	done chan struct{}
	snap *Snapshot
}

// Load returns what is known of the service. The first call waits for the registry, until ctx is done; later ones only
// while the registry has never answered. The error is registry.ErrNotFound if there is no node, or what the registry
// returned if it never answered. A call that need not wait costs some nanoseconds and allocates nothing.
func (e *Entry) Load(ctx context.Context) (*Snapshot, error) {
	s := e.current.Load()
	if s == nil || e.stale.Load() {
		var err error
		if s, err = e.refreshed(ctx, s); err != nil {
			return nil, err
		}
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return s, s.err
}

// refreshed asks the registry, and returns what was known if that can be used meanwhile.
func (e *Entry) refreshed(ctx context.Context, s *Snapshot) (*Snapshot, error) {
	if e.uncached || e.c.ctx.Err() != nil {
		services, err := e.c.Registry.GetService(e.name, registry.OptGetContext(ctx))
		return newSnapshot(services, err), nil
	}
	f := e.ask()
	if s.usable() {
		return s, nil
	}
	select {
	case <-f.done:
		return f.snap, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// usable reports whether the registry has answered, be it that there is nothing.
func (s *Snapshot) usable() bool {
	return s != nil && (s.err == nil || errors.Is(s.err, registry.ErrNotFound))
}

func newSnapshot(services []*registry.Service, err error) *Snapshot {
	nodes := 0
	services = registry.Merge(services)
	for _, s := range services {
		nodes += len(s.Nodes)
	}
	if err == nil && nodes == 0 {
		err = registry.ErrNotFound // what some registries mean by an empty list
	}
	if err != nil {
		return &Snapshot{err: err}
	}
	return &Snapshot{Services: services}
}

// ask makes sure that the registry is being asked.
func (e *Entry) ask() *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight == nil {
		e.flight = &flight{done: make(chan struct{})}
		e.crossed = map[nodeKey]nodeState{}
		go e.refresh(e.flight)
	}
	return e.flight
}

// refresh asks the registry and keeps the answer. The watch comes first, or what changes between them would be missed.
func (e *Entry) refresh(f *flight) {
	e.begin()
	services, err := e.c.Registry.GetService(e.name, registry.OptGetContext(e.c.ctx))
	e.mu.Lock()
	defer e.mu.Unlock()
	f.snap = e.keep(services, err)
	e.flight, e.crossed = nil, nil
	close(f.done)
}

// begin opens the watch unless it is open.
func (e *Entry) begin() {
	e.mu.Lock()
	if e.watch != nil {
		e.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(e.c.ctx)
	e.watch = cancel
	e.mu.Unlock()
	w := e.open(ctx)
	go e.follow(ctx, w)
}

// keep makes the answer of the registry what is known, with what crossed it, unless it is an error and more is known
// already, or the cache was stopped meanwhile. The caller has the lock.
func (e *Entry) keep(services []*registry.Service, err error) *Snapshot {
	answer, old, ttl := newSnapshot(services, err), e.current.Load(), e.c.options.TTL
	if e.c.ctx.Err() != nil {
		return answer
	}
	e.failing = !answer.usable()
	if answer.err != nil {
		ttl = min(ttl, retryAfter)
	}
	e.stale.Store(false)
	e.tickIn(ttl)
	switch {
	case e.failing && old.usable():
		return old
	case e.failing:
		e.view = map[nodeKey]nodeState{}
		e.current.Store(answer)
		return answer
	}
	e.view = map[nodeKey]nodeState{}
	for _, s := range answer.Services {
		for _, n := range s.Nodes {
			e.view[nodeKey{s.Version, n.Id}] = nodeState{n, s.Metadata}
		}
	}
	for k, state := range e.crossed {
		e.change(k, state)
	}
	return e.publish()
}

// equal reports whether both say the same, so that who has seen one need not look at the other.
func (s *Snapshot) equal(o *Snapshot) bool {
	if s.err != nil || o.err != nil {
		return s.err == o.err
	}
	if len(s.Services) != len(o.Services) {
		return false
	}
	for i, a := range s.Services {
		if !a.Equal(o.Services[i]) {
			return false
		}
	}
	return true
}

// tickIn lets the answer of the registry grow stale. The caller has the lock.
func (e *Entry) tickIn(d time.Duration) {
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.c.ctx.Err() == nil {
		e.ticks++
		n := e.ticks
		e.timer = time.AfterFunc(d, func() { e.tick(n, d) })
	}
}

// tick is called d after the last answer or tick, unless there was one since.
func (e *Entry) tick(n uint64, d time.Duration) {
	e.mu.Lock()
	if n != e.ticks {
		e.mu.Unlock()
		return
	}
	e.stale.Store(true)
	if e.idle += d; e.used.Swap(false) || e.failing { // what is known may not be had again soon
		e.idle = 0
	}
	idle := e.idle >= idleRounds*e.c.options.TTL
	if !idle {
		e.tickIn(e.c.options.TTL)
	}
	e.mu.Unlock()
	if idle {
		e.c.forget(e)
		e.park()
	}
}

// park ends the watch. The next Load begins anew.
func (e *Entry) park() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current.Store(nil)
	e.idle = 0
	e.ticks++
	if e.timer != nil {
		e.timer.Stop()
	}
	if e.watch != nil {
		e.watch()
		e.watch = nil
	}
}

// open opens the watch, nil if the registry cannot.
func (e *Entry) open(ctx context.Context) registry.Watcher {
	w, err := e.c.Registry.Watch(registry.OptWatchService(e.name), registry.OptWatchContext(ctx))
	if err != nil {
		return nil // the TTL does what the watch cannot
	}
	return w
}

// follow applies what w and its successors report until ctx is done.
func (e *Entry) follow(ctx context.Context, w registry.Watcher) {
	pauses := backoff.Series{First: firstPause, Last: lastPause}
	for {
		if w != nil && e.read(ctx, w) {
			pauses.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pauses.Next()):
		}
		if w = e.open(ctx); w != nil {
			e.ask() // what happened meanwhile was not seen
		}
	}
}

// read applies what w reports until it ends, and tells whether that was anything.
func (e *Entry) read(ctx context.Context, w registry.Watcher) (told bool) {
	defer w.Stop()
	defer context.AfterFunc(ctx, w.Stop)() // registries need not heed the context
	for {
		r, err := w.Next()
		if err != nil || ctx.Err() != nil {
			return told
		}
		told = true
		if r != nil && r.Service != nil && r.Service.Name == e.name {
			e.apply(ctx, r)
		}
	}
}

// apply notes what the watch reports.
func (e *Entry) apply(ctx context.Context, r *registry.Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	changed := false
	for _, n := range r.Service.Nodes {
		k, state := nodeKey{r.Service.Version, n.Id}, nodeState{n, r.Service.Metadata}
		if r.Action == registry.Delete {
			state = nodeState{}
		}
		if e.crossed != nil {
			e.crossed[k] = state
		}
		if e.current.Load() != nil && e.change(k, state) {
			changed = true
		}
	}
	if changed {
		e.publish()
	}
}

// change changes the view and reports whether that made a difference. The caller has the lock.
func (e *Entry) change(k nodeKey, state nodeState) bool {
	old := e.view[k]
	if state.node == nil {
		delete(e.view, k)
	} else {
		e.view[k] = state
	}
	return !old.node.Equal(state.node) || !maps.Equal(old.metadata, state.metadata)
}

// publish makes the view what is known. The caller has the lock.
func (e *Entry) publish() *Snapshot {
	keys := slices.SortedFunc(maps.Keys(e.view), func(a, b nodeKey) int { return cmp.Compare(a.id, b.id) })
	all := make([]*registry.Service, len(keys))
	for i, k := range keys {
		n := e.view[k]
		all[i] = &registry.Service{Name: e.name, Version: k.version, Metadata: n.metadata, Nodes: []*registry.Node{n.node}}
	}
	snap := newSnapshot(registry.Merge(all), nil)
	if old := e.current.Load(); old != nil && old.equal(snap) {
		return old
	}
	e.current.Store(snap)
	return snap
}
