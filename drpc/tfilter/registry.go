package tfilter

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// registry finds filters without a lock, since each filtered message asks it.
// A writer holds mu.
type registry struct {
	mu     sync.Mutex
	byID   [256]atomic.Pointer[TransferFilter]
	byName sync.Map // string to TransferFilter
}

var filters registry

// Reg registers tFilter for the whole process.
//
// It panics, for these are mistakes of the program, if tFilter is nil, if its
// name is empty, or if a filter with the id or the name is registered already.
func Reg(tFilter TransferFilter) { filters.add(tFilter) }

// Get returns the filter of the id given, or an [UnknownIDError].
func Get(id byte) (TransferFilter, error) { return filters.get(id) }

// GetByName returns the filter of the name given, or an [UnknownNameError]. The
// case of letters counts.
func GetByName(name string) (TransferFilter, error) { return filters.getByName(name) }

func (r *registry) get(id byte) (TransferFilter, error) {
	if f := r.byID[id].Load(); f != nil {
		return *f, nil
	}
	return nil, UnknownIDError(id)
}

func (r *registry) getByName(name string) (TransferFilter, error) {
	if f, ok := r.byName.Load(name); ok {
		return f.(TransferFilter), nil
	}
	return nil, UnknownNameError(name)
}

func (r *registry) add(f TransferFilter) {
	if f == nil {
		panic("tfilter: Reg of nil")
	}
	id, name := f.ID(), f.Name()
	if name == "" {
		panic(fmt.Sprintf("tfilter: Reg of id %d without a name", id))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.byID[id].Load(); old != nil {
		panic(fmt.Sprintf("tfilter: Reg of %q: filter %q is registered already under the id %d", name, (*old).Name(), id))
	}
	if _, taken := r.byName.LoadOrStore(name, f); taken {
		panic(fmt.Sprintf("tfilter: Reg of id %d: a filter with the name %q is registered already", id, name))
	}
	r.byID[id].Store(&f)
}
