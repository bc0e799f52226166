package eventbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/osgochina/dmicro/logger"
)

// AsyncPublish publishes an event on another goroutine and returns at once. It never waits: if [Config].QueueSize events
// are waiting already, or the bus is closed, the event is dropped. Drops and errors are told to [Config].OnError; see
// [EventBus.Enqueue] for who wants to know.
//
// The event belongs to the bus until its listeners have run; see [IEvent] about publishing one twice.
func (b *EventBus) AsyncPublish(e IEvent) {
	if e == nil {
		b.report(nil, wrap(ErrNilEvent))
		return
	}
	if err := b.queue.tryPush(e); err != nil {
		b.lose(e, wrap(err))
	}
}

// Enqueue is AsyncPublish that waits for room while the queue is full, until the context ends, and returns the error if the
// event was not accepted: it matches [ErrNilEvent], [ErrClosed] or the cause of the context. What the listeners return is
// still told to [Config].OnError.
//
// A listener that is itself run by a worker should give a context that ends: if all of them wait for room, there is nobody
// to make it.
func (b *EventBus) Enqueue(ctx context.Context, e IEvent) error {
	if e == nil {
		return wrap(ErrNilEvent)
	}
	if err := b.queue.push(ctx, e); err != nil {
		return wrap(err)
	}
	return nil
}

// Pending returns the number of asynchronous events that wait for a worker.
func (b *EventBus) Pending() int { return b.queue.len() }

// Dropped returns the number of events that AsyncPublish dropped so far, and that Close gave up.
func (b *EventBus) Dropped() uint64 { return b.dropped.Load() }

// Wait returns when no asynchronous event waits or is being handled any more, those published meanwhile included. If the
// context ends before, it returns its cause. A listener that calls it on a worker waits for itself, so until then.
func (b *EventBus) Wait(ctx context.Context) error {
	if err := b.queue.wait(ctx); err != nil {
		return fmt.Errorf("eventbus: events are still being handled: %w", err)
	}
	return nil
}

// Close ends asynchronous publishing: it lets no more events in and returns when all that were accepted have been handled.
// If the context ends before, those that still wait are dropped, and told to [Config].OnError with [ErrClosed]; the
// error wraps the cause of the context. Listeners that are running then cannot be stopped; Wait waits for them.
//
// Publishing synchronously goes on as before, and there is nothing else to close: a bus that is not used any more needs no
// Close. It may be called again, which waits again.
func (b *EventBus) Close(ctx context.Context) error {
	b.queue.end()
	err := b.queue.wait(ctx)
	if err == nil {
		return nil
	}
	left := b.queue.discard()
	for _, e := range left {
		b.lose(e, wrap(ErrClosed))
	}
	return fmt.Errorf("eventbus: closed with %d events not handled: %w", len(left), err)
}

// handle publishes an event on a worker. Listeners are contained by Publish; this holds what the methods of the event
// do, which would end the process here.
func (b *EventBus) handle(e IEvent) {
	defer func() {
		if v := recover(); v != nil {
			b.report(e, newPanicError("", e, v))
		}
	}()
	if err := b.Publish(e); err != nil {
		b.report(e, err)
	}
}

// report tells what an asynchronous event has come to.
func (b *EventBus) report(e IEvent, err error) { b.tell(e, err, b.log) }

// lose counts and tells an event that no listener has seen.
func (b *EventBus) lose(e IEvent, err error) {
	b.dropped.Add(1)
	b.tell(e, err, b.logDrop)
}

// tell tells OnError, or log without it. It does not panic, whatever it calls does.
func (b *EventBus) tell(e IEvent, err error, log func(IEvent, error)) {
	defer func() {
		if v := recover(); v != nil {
			logger.Errorf(context.Background(), "eventbus %s: reporting %q panicked: %v", b.name, err, v)
		}
	}()
	if b.config.OnError != nil {
		b.config.OnError(e, err)
		return
	}
	log(e, err)
}

// warnEvery is the pause between two lines that say that events are dropped.
const warnEvery = time.Second

// logDrop is the default of OnError for what is dropped.
func (b *EventBus) logDrop(_ IEvent, err error) {
	now, last := time.Now().UnixNano(), b.warned.Load()
	if (last == 0 || now-last >= int64(warnEvery)) && b.warned.CompareAndSwap(last, now) {
		logger.Warningf(context.Background(), "eventbus %s: events are dropped, %d so far: %v", b.name, b.Dropped(), err)
	}
}

// log is the default of OnError for all else. Data of events are not logged.
func (b *EventBus) log(e IEvent, err error) {
	ctx := context.Background()
	var p *PanicError
	if errors.As(err, &p) {
		logger.Errorf(ctx, "eventbus %s: %v\n%s", b.name, err, p.Stack)
		return
	}
	name := ""
	if e != nil {
		name = e.Name()
	}
	logger.Errorf(ctx, "eventbus %s: event %q: %v", b.name, name, err)
}
