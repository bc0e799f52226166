// Package idtable keeps things that have an id and a name, such as codecs and transfer filters, for the whole process.
//
// Looking up takes no lock, since every message does it. All methods may be called concurrently.
package idtable

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

// Table holds items of one kind. Make one with [New].
type Table[T Item] struct {
	pkg, kind string

	mu     sync.Mutex // of Add, which publishes an item under its name first
	byID   [256]atomic.Pointer[T]
	byName sync.Map // string to T
}

// New returns an empty table. pkg and kind name it in what Add panics with.
func New[T Item](pkg, kind string) *Table[T] { return &Table[T]{pkg: pkg, kind: kind} }

// Get returns the item with the id given, and whether there is one.
func (t *Table[T]) Get(id byte) (item T, ok bool) {
	if p := t.byID[id].Load(); p != nil {
		return *p, true
	}
	return item, false
}

// GetByName returns the item with the name given, and whether there is one. The case of letters counts.
func (t *Table[T]) GetByName(name string) (item T, ok bool) {
	if v, found := t.byName.Load(name); found {
		return v.(T), true
	}
	return item, false
}

// Add registers an item. It panics, for these are mistakes of the program, if the item is nil, if its name is empty, or
// if another one has its id or its name.
func (t *Table[T]) Add(item T) {
	if any(item) == nil {
		panic(fmt.Sprintf("%s: Reg of nil", t.pkg))
	}
	id, name := item.ID(), item.Name()
	if name == "" {
		panic(fmt.Sprintf("%s: Reg of id %d without a name", t.pkg, id))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byID[id].Load(); old != nil {
		panic(fmt.Sprintf("%s: Reg of %q: %s %q is registered already under the id %d", t.pkg, name, t.kind, (*old).Name(), id))
	}
	if _, taken := t.byName.LoadOrStore(name, item); taken {
		panic(fmt.Sprintf("%s: Reg of id %d: a %s with the name %q is registered already", t.pkg, id, t.kind, name))
	}
	t.byID[id].Store(&item)
}
