package drpc

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"weak"
)

// live is the registry of the endpoints of this process that are not closed, by number. It holds them weakly: one that
// a program drops without closing it is collected as ever.
var live = liveEndpoints{entries: make(map[uint64]weak.Pointer[endpoint])}

type liveEndpoints struct {
	mu      sync.Mutex
	last    uint64
	entries map[uint64]weak.Pointer[endpoint]
}

// Endpoints returns the endpoints of this process that were made and not closed yet, in the order in which they were
// made. It is for what runs an application rather than being called by it: to find what to drain, or to show. Safe for
// concurrent use.
func Endpoints() []Endpoint {
	live.mu.Lock()
	defer live.mu.Unlock()
	var list []Endpoint
	for _, n := range slices.Sorted(maps.Keys(live.entries)) {
		if e := live.entries[n].Value(); e != nil {
			list = append(list, e)
		}
	}
	return list
}

// enter notes e until it is closed, or collected.
func (l *liveEndpoints) enter(e *endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.number = l.last
	l.entries[e.number] = weak.Make(e)
	runtime.AddCleanup(e, l.leave, e.number)
}

func (l *liveEndpoints) leave(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, number)
}
