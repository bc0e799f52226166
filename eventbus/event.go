package eventbus

import (
	"maps"
	"sync"
	"sync/atomic"
)

// IEvent is what travels over a bus. [Event] implements it; types of your own embed Event, or implement it by
// themselves.
//
// One value is meant to be published by one goroutine at a time. If it may be published again while it still is, and
// it is no plain *Event, let it implement [Cloner].
type IEvent interface {
	// Name is the name to publish under.
	Name() string
	// Get returns what Set stored under the key, nil if nothing.
	Get(key interface{}) interface{}
	// Set stores a value for later listeners and for who published.
	Set(key interface{}, val interface{})
	// Data returns everything that was stored.
	Data() map[interface{}]interface{}
	// SetData replaces everything that was stored, and returns the event.
	SetData(map[interface{}]interface{}) IEvent
	// Abort with true keeps the listeners that have not run yet from running. The bus calls it with false before
	// the first one.
	Abort(bool)
	// IsAborted returns what Abort said last.
	IsAborted() bool
}

// Cloner is an event of which there may be several at once. [EventBus.Fire] publishes a clone of a registered event, and
// an event that embeds [Event] is cloned if it is published while it still is being published. So no publishing aborts
// another, or sees the parameters of another.
type Cloner interface {
	// Clone returns an event of the same name and content, to be changed independently.
	Clone() IEvent
}

// Event is an event that carries values under keys. The zero value has no name; SetName gives it one. It must not be
// copied after first use. Its methods may be used by any number of goroutines at once.
//
// A *Event that is published while it still is being published reaches the listeners as another *Event with the same
// data: what is stored in one is seen in both, but each is aborted alone.
type Event struct {
	mu      sync.RWMutex
	name    string
	data    map[interface{}]interface{}
	origin  *Event // holds the data instead; nil in general
	aborted atomic.Bool
	claimed atomic.Bool
}

var _ IEvent = (*Event)(nil)

// NewEvent returns an event with that name, which is checked when the event is published or added to a bus, and with
// these data, which are not copied; nil means none.
func NewEvent(name string, data map[interface{}]interface{}) *Event {
	return &Event{name: name, data: data}
}

// Get returns the value of the key, nil if there is none.
func (e *Event) Get(key interface{}) interface{} {
	e = e.home()
	e.mu.RLock()
	defer e.mu.RUnlock() // deferred, as a key that cannot be hashed panics
	return e.data[key]
}

// Set gives the key a value.
func (e *Event) Set(key interface{}, val interface{}) {
	e = e.home()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.data == nil {
		e.data = make(map[interface{}]interface{})
	}
	e.data[key] = val
}

// Name returns the name of the event.
func (e *Event) Name() string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.name
}

// SetName changes the name. A bus that the event was added to goes on knowing it by the old one.
func (e *Event) SetName(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.name = name
}

// Data returns the data themselves, never nil. Use the map only while no other goroutine uses the event; Get and Set
// have no such limit.
func (e *Event) Data() map[interface{}]interface{} {
	e = e.home()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.data == nil {
		e.data = make(map[interface{}]interface{})
	}
	return e.data
}

// SetData replaces the data; the map is not copied. It returns the event, which is the embedded one if e is embedded.
func (e *Event) SetData(data map[interface{}]interface{}) IEvent {
	h := e.home()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.data = data
	return e
}

// Abort with true keeps the listeners that have not run yet from running; with false they run.
func (e *Event) Abort(abort bool) { e.aborted.Store(abort) }

// IsAborted reports whether the event was aborted since it was published last.
func (e *Event) IsAborted() bool { return e.aborted.Load() }

// AttachTo adds the event to a bus; see [EventBus.AddEvent]. A type that embeds Event must be added with AddEvent: the
// embedded event does not know what it is embedded in. An error matches [ErrNilBus] or [ErrName].
func (e *Event) AttachTo(m *EventBus) error {
	if m == nil {
		return wrap(ErrNilBus)
	}
	return m.AddEvent(e)
}

// home returns the event that holds the data.
func (e *Event) home() *Event {
	if e.origin != nil {
		return e.origin
	}
	return e
}

// twin returns an event with the same data that is aborted by itself.
func (e *Event) twin() *Event { return &Event{name: e.Name(), origin: e.home()} }

// fresh returns an event that shares nothing with e, with params for data if there are any.
func (e *Event) fresh(name string, params map[interface{}]interface{}) *Event {
	if params == nil {
		params = e.copied()
	}
	return NewEvent(name, params)
}

// copied returns a copy of the data.
func (e *Event) copied() map[interface{}]interface{} {
	h := e.home()
	h.mu.RLock()
	defer h.mu.RUnlock()
	return maps.Clone(h.data)
}

// claimer is an event that knows whether it is being published: an Event, or what embeds one.
type claimer interface {
	claim() bool
	release()
}

func (e *Event) claim() bool { return e.claimed.CompareAndSwap(false, true) }
func (e *Event) release()    { e.claimed.Store(false) }

// another returns a copy to publish while e is being published, e itself if it cannot be copied.
func another(e IEvent) IEvent {
	switch ev := e.(type) {
	case *Event:
		return ev.twin()
	case Cloner:
		if c := ev.Clone(); c != nil {
			return c
		}
	}
	return e
}
