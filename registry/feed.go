package registry

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Feed is a Watcher for whoever writes a registry: it is given whole lists and reports what changed between them. It
// never blocks who gives, and holds no more than one change a node: who reads slowly sees only the latest. Make one
// with [NewFeed].
type Feed struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	now   map[nodeKey]nodeState // what the registry has
	told  map[nodeKey]bool      // those that Next has reported as there
	queue []nodeKey             // where the two may differ, in the order it came
	dirty map[nodeKey]bool      // the keys in queue
	seen  map[nodeKey]nodeState // how those were that have gone since
	more  chan struct{}         // has room for one: there is something in queue
}

// nodeState is a node and the metadata of its service.
type nodeState struct {
	node     *Node
	metadata map[string]string
}

func (s nodeState) equal(o nodeState) bool {
	return s.node.Equal(o.node) && maps.Equal(s.metadata, o.metadata)
}

// NewFeed returns a feed that ends with ctx.
func NewFeed(ctx context.Context) *Feed {
	f := &Feed{
		now: map[nodeKey]nodeState{}, told: map[nodeKey]bool{}, dirty: map[nodeKey]bool{},
		seen: map[nodeKey]nodeState{}, more: make(chan struct{}, 1),
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// Set says what the registry has. The feed keeps the nodes, which must not change any more; it hands copies out.
func (f *Feed) Set(services []*Service) {
	next := make(map[nodeKey]nodeState)
	var order []nodeKey
	for _, s := range services {
		if s == nil {
			continue
		}
		for _, n := range s.Nodes {
			if n == nil {
				continue
			}
			k := nodeKey{s.Name, s.Version, n.Id}
			next[k] = nodeState{n, s.Metadata}
			order = append(order, k)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var gone []nodeKey
	for k := range f.now {
		if _, stays := next[k]; !stays {
			gone = append(gone, k)
		}
	}
	slices.SortFunc(gone, nodeKey.compare)
	for _, k := range gone {
		f.seen[k] = f.now[k]
		f.enqueue(k)
	}
	for _, k := range order {
		if was, known := f.now[k]; !known || !was.equal(next[k]) {
			f.enqueue(k)
		}
	}
	f.now = next
	if len(f.queue) > 0 {
		select {
		case f.more <- struct{}{}:
		default:
		}
	}
}

func (f *Feed) enqueue(k nodeKey) {
	if !f.dirty[k] {
		f.dirty[k] = true
		f.queue = append(f.queue, k)
	}
}

// Next implements Watcher.
func (f *Feed) Next() (*Result, error) {
	for {
		if f.ctx.Err() != nil {
			return nil, ErrWatcherStopped
		}
		if r := f.pop(); r != nil {
			return r, nil
		}
		select {
		case <-f.more:
		case <-f.ctx.Done():
		}
	}
}

// pop returns the first change, nil if there is none. A node that came and went before it was reported is reported as
// gone: who also asks GetService may have seen it there.
func (f *Feed) pop() *Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return nil
	}
	k := f.queue[0]
	f.queue = f.queue[1:]
	delete(f.dirty, k)
	now, is := f.now[k]
	action := Update
	switch {
	case !is:
		action, now = Delete, f.seen[k]
		delete(f.told, k)
	case !f.told[k]:
		action = Create
		f.told[k] = true
	}
	delete(f.seen, k)
	s := Service{Name: k.name, Version: k.version, Metadata: now.metadata, Nodes: []*Node{now.node}}
	return &Result{Action: action, Service: s.Clone()}
}

// Stop implements Watcher.
func (f *Feed) Stop() { f.cancel() }

// Done is closed when the watch is over.
func (f *Feed) Done() <-chan struct{} { return f.ctx.Done() }

// Context is done when the watch is over.
func (f *Feed) Context() context.Context { return f.ctx }
