// Package registry keeps things that have an id and a name, such as codecs and transfer filters, for the whole process.
//
// Looking up takes no lock, since every message does it. All methods may be called concurrently.
package registry

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Item is what can be registered.
type Item interface {
	ID() byte
	Name() string
}

// Registry holds items of one kind. Make one with [New].
type Registry[T Item] struct {
	pkg, kind string

	mu     sync.Mutex // of Add, which publishes an item under its name first
	byID   [256]atomic.Pointer[T]
	byName sync.Map // string to T
}

// New returns an empty registry. pkg and kind name it in what Add panics with.
func New[T Item](pkg, kind string) *Registry[T] { return &Registry[T]{pkg: pkg, kind: kind} }

// Get returns the item with the id given, and whether there is one.
func (r *Registry[T]) Get(id byte) (item T, ok bool) {
	if p := r.byID[id].Load(); p != nil {
		return *p, true
	}
	return item, false
}

// GetByName returns the item with the name given, and whether there is one. The case of letters counts.
func (r *Registry[T]) GetByName(name string) (item T, ok bool) {
	if v, found := r.byName.Load(name); found {
		return v.(T), true
	}
	return item, false
}

// Add registers an item. It panics, for these are mistakes of the program, if the item is nil, if its name is empty, or
// if another one has its id or its name.
func (r *Registry[T]) Add(item T) {
	if any(item) == nil {
		panic(fmt.Sprintf("%s: Reg of nil", r.pkg))
	}
	id, name := item.ID(), item.Name()
	if name == "" {
		panic(fmt.Sprintf("%s: Reg of id %d without a name", r.pkg, id))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.byID[id].Load(); old != nil {
		panic(fmt.Sprintf("%s: Reg of %q: %s %q is registered already under the id %d", r.pkg, name, r.kind, (*old).Name(), id))
	}
	if _, taken := r.byName.LoadOrStore(name, item); taken {
		panic(fmt.Sprintf("%s: Reg of id %d: a %s with the name %q is registered already", r.pkg, id, r.kind, name))
	}
	r.byID[id].Store(&item)
}
