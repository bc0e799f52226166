// Package memory is a registry within one process: for tests, and for clients whose servers never change.
//
// It has no goroutines. All functions may be called concurrently.
package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/osgochina/dmicro/registry"
)

// ServicesKey is the key of the context option under which services, a map[string][]*registry.Service, are
// registered from the start.
type ServicesKey struct{}

// NewRegistry returns an empty registry. Nodes stay until they are deregistered, unless Register was given a TTL; then
// they have to be registered again before it is over.
func NewRegistry(opts ...registry.Option) registry.Registry {
	m := &memory{records: map[key]*record{}, watchers: map[*watcher]bool{}}
	m.options.Apply(opts...)
	if seed, ok := m.options.Context.Value(ServicesKey{}).(map[string][]*registry.Service); ok {
		for _, services := range seed {
			for _, s := range services {
				_ = m.Register(s) // what is invalid cannot be served
			}
		}
	}
	return m
}

// key is what a node is known by.
type key struct{ name, version, id string }

// record is a node and the metadata that its service was registered with.
type record struct {
	seq      uint64         // counts registrations: the metadata of the last one is that of the service
	node     *registry.Node // never changed
	metadata map[string]string
	expires  time.Time // zero: never
}

// memory is a registry.
type memory struct {
	mu       sync.Mutex
	options  registry.Options
	seq      uint64
	records  map[key]*record
	watchers map[*watcher]bool
	timer    *time.Timer // of the next record that expires, nil if none does
}

// Init implements registry.Registry.
func (m *memory) Init(opts ...registry.Option) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.options.Apply(opts...)
	return nil
}

// Options implements registry.Registry.
func (m *memory) Options() registry.Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.options
}

// String returns "memory".
func (m *memory) String() string { return "memory" }

// Register implements registry.Registry.
func (m *memory) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	s, err := s.Valid()
	if err != nil {
		return err
	}
	var expires time.Time
	if ttl := registry.NewRegisterOptions(opts...).TTL; ttl > 0 {
		expires = time.Now().Add(ttl)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range s.Nodes {
		m.seq++
		m.records[key{s.Name, s.Version, n.Id}] = &record{seq: m.seq, node: n, metadata: s.Metadata, expires: expires}
	}
	m.changed()
	return nil
}

// Deregister implements registry.Registry.
func (m *memory) Deregister(s *registry.Service, _ ...registry.DeregisterOption) error {
	s, err := s.Valid()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range s.Nodes {
		delete(m.records, key{s.Name, s.Version, n.Id})
	}
	m.changed()
	return nil
}

// changed drops what has expired, tells the watchers, and comes back when the next record expires. The caller has the
// lock.
func (m *memory) changed() {
	var next time.Time
	for k, r := range m.records {
		switch {
		case r.expires.IsZero():
		case !time.Now().Before(r.expires):
			delete(m.records, k)
		case next.IsZero() || r.expires.Before(next):
			next = r.expires
		}
	}
	for w := range m.watchers {
		if w.Context().Err() != nil {
			delete(m.watchers, w)
			continue
		}
		w.Set(m.list(w.service))
	}
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
	if !next.IsZero() {
		m.timer = time.AfterFunc(time.Until(next), m.expire)
	}
}

func (m *memory) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed()
}

// list returns what is registered, of one service or of all. It shares the nodes. The caller has the lock.
func (m *memory) list(service string) []*registry.Service {
	var keys []key
	for k, r := range m.records {
		if (service == "" || k.name == service) && (r.expires.IsZero() || time.Now().Before(r.expires)) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(m.records[a].seq, m.records[b].seq) })
	all := make([]*registry.Service, len(keys))
	for i, k := range keys {
		r := m.records[k]
		all[i] = &registry.Service{Name: k.name, Version: k.version, Metadata: r.metadata, Nodes: []*registry.Node{r.node}}
	}
	return registry.Merge(all)
}

// copies returns what list does, for callers to keep.
func (m *memory) copies(service string) []*registry.Service {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.list(service)
	for i, s := range all {
		all[i] = s.Clone()
	}
	return all
}

// GetService implements registry.Registry. It returns copies.
func (m *memory) GetService(name string, _ ...registry.GetOption) ([]*registry.Service, error) {
	if name == "" {
		return nil, registry.ErrNotFound
	}
	if all := m.copies(name); len(all) > 0 {
		return all, nil
	}
	return nil, registry.ErrNotFound
}

// ListServices implements registry.Registry. It returns copies.
func (m *memory) ListServices(...registry.ListOption) ([]*registry.Service, error) {
	return m.copies(""), nil
}

// watcher is a feed that the registry forgets when it is stopped.
type watcher struct {
	*registry.Feed
	m       *memory
	service string
}

// Stop implements registry.Watcher.
func (w *watcher) Stop() {
	w.Feed.Stop()
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	delete(w.m.watchers, w)
}

// Watch implements registry.Registry.
func (m *memory) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	o := registry.NewWatchOptions(opts...)
	w := &watcher{registry.NewFeed(o.Context), m, o.Service}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = true
	w.Set(m.list(w.service))
	return w, nil
}
