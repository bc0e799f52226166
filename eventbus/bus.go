package eventbus

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Defaults of [Config].
const (
	// DefaultQueueSize is the number of asynchronous events that may wait.
	DefaultQueueSize = 65536
	// DefaultWorkers is the number of asynchronous events that are handled at once.
	DefaultWorkers = 16
)

// Config is the settings of a bus. The zero value has the defaults.
type Config struct {
	// QueueSize is how many asynchronous events may wait. A slot takes 16 bytes, and none is taken before it is
	// needed. 0 or less means [DefaultQueueSize].
	QueueSize int
	// Workers is how many asynchronous events are handled at once. With 1 they are handled in the order they were
	// published, and a slow listener holds up all that follow. 0 or less means [DefaultWorkers].
	Workers int
	// ContinueOnError lets the listeners after one that failed or panicked run, too; their errors are returned
	// together, by errors.Join.
	ContinueOnError bool
	// OnError is told each asynchronous event that failed or was dropped. The error of a failed one is what Publish
	// returns; that of a dropped one matches [ErrQueueFull] or [ErrClosed]. The function is called on the goroutine of
	// the worker, for dropped ones on that of the publisher, and by several at once. For an AsyncPublish of nil the event is
	// nil and the error matches [ErrNilEvent]. Nil writes to the log: errors, panics
	// with their stack, and once a second that events are dropped.
	OnError func(e IEvent, err error)
}

// EventBus connects those who publish events with those who listen to them. Make one with [New] or [NewWithConfig].
// Its methods may be used by any number of goroutines at once.
type EventBus struct {
	name    string
	config  Config
	mu      sync.Mutex // guards lists and events
	lists   map[string]*list
	events  map[string]IEvent
	current atomic.Pointer[view] // nil when it has to be made anew
	queue   *queue
	dropped atomic.Uint64
	warned  atomic.Int64 // when the log was told last that events are dropped, in Unix nanoseconds
}

// New returns a bus with the default settings. The name is for people: it appears in the log.
func New(name string) *EventBus { return NewWithConfig(name, Config{}) }

// NewWithConfig returns a bus with settings of your own. The name is for people: it appears in the log.
func NewWithConfig(name string, config Config) *EventBus {
	if config.QueueSize <= 0 {
		config.QueueSize = DefaultQueueSize
	}
	if config.Workers <= 0 {
		config.Workers = DefaultWorkers
	}
	b := &EventBus{name: name, config: config, lists: make(map[string]*list), events: make(map[string]IEvent)}
	b.queue = newQueue(config.QueueSize, config.Workers, b.handle)
	return b
}

// Clear removes all listeners and registered events. Asynchronous events that wait are handled, but nobody hears them.
func (b *EventBus) Clear() {
	b.change(func() {
		clear(b.lists)
		clear(b.events)
	})
}

// Reset is Clear under its older name.
func (b *EventBus) Reset() { b.Clear() }

// wrap puts the package in front of an error that stands alone.
func wrap(err error) error { return fmt.Errorf("eventbus: %w", err) }
