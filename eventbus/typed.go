package eventbus

import "fmt"

// Typed is an event that carries one value. [Emit] publishes it; make one by yourself for [EventBus.Enqueue]. Listeners
// that know no types find the value with
//
//	if t, ok := e.(*eventbus.Typed[Order]); ok { use(t.Value) }
type Typed[T any] struct {
	Event
	// Value is what is carried. It is not changed once the event is published.
	Value T
}

// NewTyped returns an event with that name, which is checked when it is published, and that value.
func NewTyped[T any](name string, value T) *Typed[T] {
	t := &Typed[T]{Value: value}
	t.name = name
	return t
}

// Clone returns an event with the same name and value, and a copy of the data.
func (t *Typed[T]) Clone() IEvent {
	c := NewTyped(t.Name(), t.Value)
	c.data = t.copied()
	return c
}

func (t *Typed[T]) payload() any { return t.Value }

// carrier is a Typed of any type.
type carrier interface{ payload() any }

// On calls fn with what is published under a name, a group such as "app.*", or [Wildcard], if it is a T: the value that
// [Emit] published, or else the event itself, so that T may be the type of your events. T may be an interface. What is no T is
// passed over. Errors of fn, panics and the priority mean what they mean for [EventBus.Listen].
//
// The function that is returned takes fn off the bus; it may be called more than once. An error matches [ErrName],
// [ErrNilListener] or [ErrNilBus].
func On[T any](b *EventBus, name string, fn func(T) error, priority ...int) (stop func(), err error) {
	if b == nil {
		return nil, wrap(ErrNilBus)
	}
	if fn == nil {
		return nil, fmt.Errorf("eventbus: %w (of %q)", ErrNilListener, name)
	}
	l := &typedListener[T]{fn}
	if err := b.Listen(name, l, priority...); err != nil {
		return nil, err
	}
	return func() { b.UnListen(name, l) }, nil
}

// Emit publishes a value under a name, for [On]. It runs the listeners on the goroutine of the caller and returns what
// [EventBus.Publish] returns. When nobody listens it costs no memory.
func Emit[T any](b *EventBus, name string, value T) error {
	if b == nil {
		return wrap(ErrNilBus)
	}
	name, c, err := b.view().resolve(name)
	if err != nil || c.empty() {
		return err
	}
	return b.run(name, NewTyped(name, value), &c)
}

// typedListener is a listener that looks at types. Its address tells it from others with the same function.
type typedListener[T any] struct{ fn func(T) error }

func (l *typedListener[T]) Process(e IEvent) error {
	if t, ok := e.(*Typed[T]); ok {
		return l.fn(t.Value)
	}
	if c, ok := e.(carrier); ok {
		if v, ok := c.payload().(T); ok {
			return l.fn(v)
		}
	}
	if v, ok := e.(T); ok {
		return l.fn(v)
	}
	return nil
}

func (l *typedListener[T]) describe() string { return describe(l.fn) }
