package eventbus

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"unsafe"
)

// BaseListener hears events. It is called by whoever publishes, so by several goroutines at once if they do.
//
// Listeners are removed by giving them again. They are the same if they are equal; functions if they are the same
// value, not only the same code: keep a closure or method value in a variable to remove it. A listener that cannot be
// compared, such as a struct with a slice, is only removed by name; make it a pointer.
type BaseListener interface {
	// Process is called with each event. An error ends the publishing; see the package documentation.
	Process(event IEvent) error
}

// IListener is a listener that knows what it listens to; [EventBus.Subscribe] asks it once.
type IListener interface {
	// Listen returns the events to be called with: names as strings, or events, whose names count. A map from names
	// to listeners (map[string]interface{} with a [BaseListener], a [ListenerItem] or a func(IEvent) error as value)
	// makes those listen instead, an item with its own priority.
	Listen() []interface{}
	// Process is called with each event. An error ends the publishing; see the package documentation.
	Process(event IEvent) error
}

// ListenerFunc is a function as a listener.
type ListenerFunc func(e IEvent) error

// Process calls the function.
func (f ListenerFunc) Process(e IEvent) error { return f(e) }

// registration is a listener under one name.
type registration struct {
	listener BaseListener
	owner    IListener // who subscribed, nil if it was nobody
	priority int
}

// call runs the listener, and turns its panic into an error.
func (r *registration) call(name string, e IEvent) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(name, r.listener, v)
		}
	}()
	return r.listener.Process(e)
}

// checkListener refuses what cannot be called.
func checkListener(name string, l BaseListener) error {
	if l != nil {
		if v := reflect.ValueOf(l); v.Kind() != reflect.Func || !v.IsNil() {
			return nil
		}
	}
	return fmt.Errorf("eventbus: %w (of %q)", ErrNilListener, name)
}

// same reports whether two listeners are one and the same. Comparing interfaces that hold functions would panic.
func same(a, b any) bool {
	if a == nil || b == nil || reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Kind() == reflect.Func {
		return closure(va) == closure(vb)
	}
	return va.Comparable() && vb.Comparable() && a == b
}

// closure returns the identity of a function value: the address of its code and the variables it captured. What
// reflect and %p offer is the address of the code alone, which is the same for all closures of one place.
func closure(f reflect.Value) unsafe.Pointer {
	p := reflect.New(f.Type())
	p.Elem().Set(f)
	return *(*unsafe.Pointer)(p.UnsafePointer())
}

// wanted is one thing that a subscriber asks for.
type wanted struct {
	name string
	registration
}

// wants returns what a subscriber asks for, or all that is wrong with it.
func wants(l IListener, priority int) (out []wanted, errs []error) {
	add := func(name string, item *ListenerItem) {
		name, err := listenedName(name)
		if err == nil {
			err = checkListener(name, item.Listener)
		}
		if err != nil {
			errs = append(errs, err)
			return
		}
		out = append(out, wanted{name, registration{item.Listener, l, item.Priority}})
	}
	for _, item := range l.Listen() {
		switch it := item.(type) {
		case string:
			add(it, &ListenerItem{priority, l})
		case IEvent:
			add(it.Name(), &ListenerItem{priority, l})
		case map[string]interface{}:
			for _, name := range slices.Sorted(maps.Keys(it)) {
				if li, err := itemOf(it[name], priority); err != nil {
					errs = append(errs, err)
				} else {
					add(name, li)
				}
			}
		default:
			errs = append(errs, fmt.Errorf("eventbus: %w %T in what %T listens to", ErrItem, item, l))
		}
	}
	return out, errs
}

// itemOf returns the listener behind a name in a subscriber's map.
func itemOf(v any, priority int) (*ListenerItem, error) {
	switch l := v.(type) {
	case *ListenerItem:
		if l != nil {
			return l, nil
		}
	case ListenerItem:
		return &l, nil
	case BaseListener:
		return &ListenerItem{priority, l}, nil
	case func(IEvent) error:
		return &ListenerItem{priority, ListenerFunc(l)}, nil
	case nil:
	default:
		return nil, fmt.Errorf("eventbus: %w %T as a listener", ErrItem, v)
	}
	return nil, wrap(ErrNilListener)
}
