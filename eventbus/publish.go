package eventbus

import (
	"errors"
	"fmt"
)

// Fire publishes an event of that name with these parameters for data, and returns it. It runs the listeners on the
// goroutine of the caller. When nobody listens it returns nil, nil.
//
// If an event of that name is registered (see AddEvent), a copy of it is published, of a *Event or a [Cloner]; any other
// kind is published itself and better not fired by two goroutines at once. Its data are the parameters or, if those are
// nil, a copy of its own. The parameters are not copied, so a listener that stores something stores it in them.
//
// The error is that of a listener, unchanged; see the package documentation. Or it matches [ErrName], and the event is nil.
func (b *EventBus) Fire(name string, params map[interface{}]interface{}) (e IEvent, err error) {
	v := b.view()
	name, c, err := v.resolve(name)
	if err != nil || c.empty() {
		return nil, err
	}
	e = fired(v.events[name], name, params)
	return e, b.run(name, e, &c)
}

// fired returns the event to publish for a registered one, which may be nil.
func fired(registered IEvent, name string, params map[interface{}]interface{}) IEvent {
	switch r := registered.(type) {
	case nil:
		return NewEvent(name, params)
	case *Event:
		return r.fresh(name, params)
	case Cloner:
		if c := r.Clone(); c != nil {
			registered = c
		}
	}
	if params != nil {
		registered.SetData(params)
	}
	return registered
}

// Publish publishes an event under its name. It runs the listeners on the goroutine of the caller.
//
// The error is that of a listener, unchanged; see the package documentation. Or it matches [ErrNilEvent] or [ErrName].
func (b *EventBus) Publish(e IEvent) error {
	if e == nil {
		return wrap(ErrNilEvent)
	}
	name, c, err := b.view().resolve(e.Name())
	if err != nil {
		return err
	}
	return b.run(name, e, &c)
}

// PublishBatch fires each string and publishes each [IEvent], in that order, whatever becomes of the others. It returns the
// errors, nil if there are none; for anything else in the list one that matches [ErrItem].
func (b *EventBus) PublishBatch(es ...interface{}) (ers []error) {
	for _, item := range es {
		var err error
		switch it := item.(type) {
		case string:
			_, err = b.Fire(it, nil)
		case IEvent:
			err = b.Publish(it)
		default:
			err = fmt.Errorf("eventbus: %w %T to publish", ErrItem, item)
		}
		if err != nil {
			ers = append(ers, err)
		}
	}
	return ers
}

// run calls the listeners.
func (b *EventBus) run(name string, e IEvent, c *chain) error {
	owner, ok := e.(claimer)
	if ok && !owner.claim() {
		e = another(e)
		owner, ok = e.(claimer)
		ok = ok && owner.claim()
	}
	if ok {
		defer owner.release()
	}
	e.Abort(false)
	var errs []error
	for _, rs := range c {
		for i := range rs {
			if err := rs[i].call(name, e); err != nil {
				if !b.config.ContinueOnError {
					return err
				}
				errs = append(errs, err)
			}
			if e.IsAborted() {
				return errors.Join(errs...)
			}
		}
	}
	return errors.Join(errs...)
}
