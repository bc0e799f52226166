package eventbus

// AddEvent registers an event, for [EventBus.Fire] to publish when its name is fired. It takes the place of an earlier
// one with that name. An error matches [ErrNilEvent] or [ErrName].
func (b *EventBus) AddEvent(e IEvent) error {
	if e == nil {
		return wrap(ErrNilEvent)
	}
	name, err := eventName(e.Name())
	if err != nil {
		return err
	}
	b.change(func() { b.events[name] = e })
	return nil
}

// GetEvent returns the event that is registered under a name.
func (b *EventBus) GetEvent(name string) (IEvent, bool) {
	name, err := eventName(name)
	if err != nil {
		return nil, false
	}
	e, ok := b.view().events[name]
	return e, ok
}

// HasEvent reports whether an event is registered under that name.
func (b *EventBus) HasEvent(name string) bool {
	_, ok := b.GetEvent(name)
	return ok
}

// RemoveEvent takes back what AddEvent registered under that name.
func (b *EventBus) RemoveEvent(name string) {
	if name, err := eventName(name); err == nil {
		b.change(func() { delete(b.events, name) })
	}
}

// RemoveEvents takes back all events that AddEvent registered.
func (b *EventBus) RemoveEvents() { b.change(func() { clear(b.events) }) }
