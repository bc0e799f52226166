package eventbus

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
)

var (
	// ErrName says that a string is no name of an event; see the package
	// documentation for what is.
	ErrName = errors.New("invalid event name")

	// ErrNilListener says that there is nothing to call: nil, or a nil function.
	ErrNilListener = errors.New("listener is nil")

	// ErrNilEvent says that an event is nil.
	ErrNilEvent = errors.New("event is nil")

	// ErrNilBus says that a bus is nil.
	ErrNilBus = errors.New("bus is nil")

	// ErrItem says that a list holds something of a type it cannot hold:
	// that of [PublishBatch], or what [IListener].Listen returns.
	ErrItem = errors.New("unsupported type")

	// ErrQueueFull says that an asynchronous event was dropped because too many
	// were waiting already.
	ErrQueueFull = errors.New("queue is full")

	// ErrClosed says that an asynchronous event was dropped because the bus had
	// been closed.
	ErrClosed = errors.New("bus is closed")
)

// PanicError is the error of a listener that panicked.
type PanicError struct {
	// Event is the name under which was published.
	Event string
	// Listener is the listener: the name of the function, or the type. If a
	// method of an asynchronous event itself panicked, it is the type of that,
	// and Event is empty.
	Listener string
	// Value is what it panicked with.
	Value any
	// Stack is the stack at that moment, as text.
	Stack []byte
}

// Error names the listener, the event and what it panicked with.
func (e *PanicError) Error() string {
	return fmt.Sprintf("eventbus: listener %s of %q panicked: %v", e.Listener, e.Event, e.Value)
}

// Unwrap returns what the listener panicked with if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// newPanicError must be called by the deferred function that recovered.
func newPanicError(event string, listener, value any) *PanicError {
	return &PanicError{Event: event, Listener: describe(listener), Value: value, Stack: debug.Stack()}
}

// describer is a listener that stands for a function.
type describer interface{ describe() string }

// describe names a listener so that people find it in the source.
func describe(listener any) string {
	if d, ok := listener.(describer); ok {
		return d.describe()
	}
	if v := reflect.ValueOf(listener); v.Kind() == reflect.Func {
		if f := runtime.FuncForPC(v.Pointer()); f != nil {
			return f.Name()
		}
	}
	return fmt.Sprintf("%T", listener)
}
