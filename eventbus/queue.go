package eventbus

import (
	"context"
	"sync"
)

// queue holds asynchronous events until a worker takes them. A worker is a goroutine that lives while there is something to
// do, so a bus that is forgotten leaves nothing behind.
type queue struct {
	handle func(IEvent)
	limit  int           // of workers
	slots  chan struct{} // holds one element for each event that waits
	closed chan struct{} // is closed when nothing is accepted any more

	mu      sync.Mutex
	ended   bool     // closed is closed
	waiting []IEvent // waiting[head:], oldest first
	head    int
	workers int           // not 0 while something waits
	idle    chan struct{} // is closed when workers gets 0; nil if nobody waits for that
}

func newQueue(size, workers int, handle func(IEvent)) *queue {
	return &queue{handle: handle, limit: workers, slots: make(chan struct{}, size), closed: make(chan struct{})}
}

// tryPush adds an event unless the queue is full or closed.
func (q *queue) tryPush(e IEvent) error {
	select {
	case q.slots <- struct{}{}:
		return q.accept(e)
	case <-q.closed:
		return ErrClosed
	default:
		return ErrQueueFull
	}
}

// push adds an event as soon as there is room.
func (q *queue) push(ctx context.Context, e IEvent) error {
	if ctx.Err() != nil { // a select would choose at random
		return context.Cause(ctx)
	}
	select {
	case q.slots <- struct{}{}:
		return q.accept(e)
	case <-q.closed:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// accept adds an event that has its slot.
func (q *queue) accept(e IEvent) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		<-q.slots
		return ErrClosed
	}
	if len(q.waiting) == cap(q.waiting) && q.head > len(q.waiting)/2 {
		n := copy(q.waiting, q.waiting[q.head:])
		clear(q.waiting[n:])
		q.waiting, q.head = q.waiting[:n], 0
	}
	q.waiting = append(q.waiting, e)
	if q.workers < q.limit {
		q.workers++
		go q.work()
	}
	return nil
}

// keep is the capacity, in events, that an empty queue may keep.
const keep = 1024

// work handles events until none waits.
func (q *queue) work() {
	finished := false
	defer func() {
		if !finished {
			go q.work() // a listener ended this goroutine, by runtime.Goexit: another takes its place
		}
	}()
	for {
		e, ok := q.pop()
		if !ok {
			finished = true
			return
		}
		q.handle(e)
	}
}

// pop takes the oldest event. If there is none the worker is no longer counted and must end.
func (q *queue) pop() (IEvent, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.waiting) {
		q.waiting, q.head = q.waiting[:0], 0
		if cap(q.waiting) > keep {
			q.waiting = nil
		}
		if q.workers--; q.workers == 0 && q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		return nil, false
	}
	e := q.waiting[q.head]
	q.waiting[q.head] = nil
	q.head++
	<-q.slots
	return e, true
}

// len returns the number of events that wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) - q.head
}

// wait returns when nothing waits and no worker works, or when the context ends.
func (q *queue) wait(ctx context.Context) error {
	q.mu.Lock()
	if q.workers == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end lets nothing in any more.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended = true
		close(q.closed)
	}
}

// discard takes out all that waits.
func (q *queue) discard() []IEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.waiting[q.head:]
	q.waiting, q.head = nil, 0
	return left // their slots stay taken: nothing is let in any more
}
