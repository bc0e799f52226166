package eventbus

import (
	"errors"
	"maps"
	"slices"
)

// Subscribe registers a listener for all that its Listen method returns, with the priority given, else [Normal]. If
// anything is wrong nothing is registered, and the error joins all that is: they match [ErrName], [ErrItem] and
// [ErrNilListener].
func (b *EventBus) Subscribe(listener IListener, priority ...int) (err error) {
	if listener == nil {
		return wrap(ErrNilListener)
	}
	found, errs := wants(listener, pick(priority))
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	b.change(func() {
		for _, w := range found {
			b.add(w.name, w.registration)
		}
	})
	return nil
}

// UnSubscribe removes what Subscribe registered for the listener. Listeners are compared as [BaseListener] says.
func (b *EventBus) UnSubscribe(listener IListener) {
	b.change(func() { b.dropAll(func(r registration) bool { return same(r.owner, listener) }) })
}

// Listen registers a listener for a name, a group such as "app.*", or [Wildcard], with the priority given, else
// [Normal]. A listener that is registered twice runs twice. An error matches [ErrName] or [ErrNilListener].
func (b *EventBus) Listen(name string, listener BaseListener, priority ...int) (err error) {
	if name, err = listenedName(name); err != nil {
		return err
	}
	if err = checkListener(name, listener); err != nil {
		return err
	}
	b.change(func() { b.add(name, registration{listener: listener, priority: pick(priority)}) })
	return nil
}

// UnListen removes a listener from one name. Listeners are compared as [BaseListener] says.
func (b *EventBus) UnListen(name string, listener BaseListener) {
	if name, err := listenedName(name); err == nil {
		b.change(func() { b.drop(name, func(r registration) bool { return same(r.listener, listener) }) })
	}
}

// RemoveListenersByName removes all listeners that were registered for exactly that name.
func (b *EventBus) RemoveListenersByName(name string) {
	if name, err := listenedName(name); err == nil {
		b.change(func() { delete(b.lists, name) })
	}
}

// RemoveListeners removes a listener from all names, whether it was registered with Listen or Subscribe. Listeners are
// compared as [BaseListener] says.
func (b *EventBus) RemoveListeners(listener BaseListener) {
	b.change(func() {
		b.dropAll(func(r registration) bool { return same(r.listener, listener) || same(r.owner, listener) })
	})
}

// HasListeners reports whether somebody listens to exactly that name. Those of a group or of [Wildcard] count only if
// that is the name; see [EventBus.Hears].
func (b *EventBus) HasListeners(name string) bool { return b.ListenersCount(name) > 0 }

// Hears reports whether publishing an event of that name would run a listener, be it one of the name, of its group or
// of [Wildcard]. It costs some tens of nanoseconds and no memory, so that who publishes often can save making events that
// nobody hears.
func (b *EventBus) Hears(name string) bool {
	_, c, err := b.view().resolve(name)
	return err == nil && !c.empty()
}

// Listeners returns a copy of the listeners of each name.
func (b *EventBus) Listeners() map[string]*ListenerQueue {
	v := b.view()
	out := make(map[string]*ListenerQueue, len(v.exact))
	for name, rs := range v.exact {
		out[name] = queueOf(rs)
	}
	return out
}

// ListenersByName returns a copy of the listeners of exactly that name, nil if there are none.
func (b *EventBus) ListenersByName(name string) *ListenerQueue { return queueOf(b.registered(name)) }

// ListenersCount returns the number of listeners of exactly that name.
func (b *EventBus) ListenersCount(name string) int { return len(b.registered(name)) }

// ListenedNames returns the names that have listeners, sorted.
func (b *EventBus) ListenedNames() []string { return slices.Sorted(maps.Keys(b.view().exact)) }

// registered returns the listeners of exactly that name.
func (b *EventBus) registered(name string) []registration {
	name, err := listenedName(name)
	if err != nil {
		return nil
	}
	return b.view().exact[name]
}
