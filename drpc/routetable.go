package drpc

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
)

// ErrConflict is what the error of a registration matches with errors.Is when the service method is taken.
var ErrConflict = errors.New("there is a handler conflict")

// routeTable is the handlers of an endpoint.
type routeTable struct {
	calls, pushes routes
	indexes       atomic.Int32 // handed out to handlers
}

func newRouteTable() *routeTable {
	t := new(routeTable)
	t.calls.publish()
	t.pushes.publish()
	return t
}

// insert adds handlers of one kind, all or none.
func (t *routeTable) insert(handlers []*Handler) error {
	if handlers[0].IsPush() {
		return t.pushes.insert(handlers)
	}
	return t.calls.insert(handlers)
}

func (t *routeTable) call(m *message.Msg) *Handler { return t.calls.find(m) }

func (t *routeTable) push(m *message.Msg) *Handler { return t.pushes.find(m) }

// routes is the handlers of one kind by service method. Readers use a copy that never changes, and so take no lock.
// It is renewed by the first of them that misses something in it after a registration, not by the registration: or
// registering many handlers would copy all of them each time.
type routes struct {
	published atomic.Pointer[map[string]*Handler]
	stale     atomic.Bool // all holds more than published
	unknown   atomic.Pointer[Handler]

	mu  sync.Mutex
	all map[string]*Handler
}

// insert adds handlers, all or none.
func (r *routes) insert(handlers []*Handler) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	added := make(map[string]*Handler, len(handlers))
	for _, h := range handlers {
		if r.all[h.name] != nil || added[h.name] != nil { // two methods of a controller may map to one name
			return fmt.Errorf("%w: %s", ErrConflict, h.name)
		}
		added[h.name] = h
	}
	if r.all == nil {
		r.all = make(map[string]*Handler)
	}
	maps.Copy(r.all, added)
	r.stale.Store(true)
	return nil
}

func (r *routes) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := maps.Clone(r.all)
	r.published.Store(&all)
	r.stale.Store(false)
}

// find returns the handler of a message, that of unknown ones where it has none, nil if there is none either.
func (r *routes) find(m *message.Msg) *Handler {
	h := r.lookup(m)
	if h == nil && r.stale.Load() {
		r.publish()
		h = r.lookup(m)
	}
	if h == nil {
		return r.unknown.Load()
	}
	return h
}

// lookup looks the service method up without making a string of what was received; m gets the handler's own.
func (r *routes) lookup(m *message.Msg) *Handler {
	handlers := *r.published.Load()
	raw := m.ServiceMethodBytes()
	if raw == nil {
		return handlers[m.ServiceMethod()]
	}
	h := handlers[string(raw)]
	if h != nil {
		m.SetServiceMethod(h.name)
	}
	return h
}
