package drpc

import "sync"

// earlyWake is how many tasks the reader collects before it wakes a worker while there is still more to read.
const earlyWake = 16

// keptTasks is the capacity up to which the room for tasks is kept while there are none.
const keptTasks = 512

// backlog is the tasks of one connection, received and not begun yet. Whoever takes one while others wait makes sure
// that another worker is on its way: so no task ever waits for a handler that blocks, and yet a burst of short ones
// costs a wake or two instead of one each.
type backlog struct {
	mu     sync.Mutex
	tasks  []task
	next   int  // tasks before it were taken
	coming bool // a worker was woken and has not looked yet
}

// push adds a task and reports whether so many wait now that a worker should be woken at once.
func (b *backlog) push(t task) (wake bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.tasks) == cap(b.tasks) && b.next > len(b.tasks)/2 {
		// Under a load that never lets it run empty it must not grow by what was taken long ago.
		n := copy(b.tasks, b.tasks[b.next:])
		clear(b.tasks[n:])
		b.tasks, b.next = b.tasks[:n], 0
	}
	b.tasks = append(b.tasks, t)
	return len(b.tasks)-b.next >= earlyWake && b.summon()
}

// summon reports whether a worker is to be woken: something waits and nobody is coming.
func (b *backlog) summon() bool {
	if b.coming || b.next == len(b.tasks) {
		return false
	}
	b.coming = true
	return true
}

// waiting is summon for who does not hold the lock.
func (b *backlog) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.summon()
}

// pop takes a task, nil if none waits, and reports whether another worker is to be woken. arrived says that the caller
// is the worker that was on its way.
func (b *backlog) pop(arrived bool) (t task, wake bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if arrived {
		b.coming = false
	}
	if b.next == len(b.tasks) {
		return nil, false
	}
	t = b.tasks[b.next]
	b.tasks[b.next] = nil
	b.next++
	if b.next == len(b.tasks) {
		b.tasks, b.next = b.tasks[:0], 0
		if cap(b.tasks) > keptTasks {
			b.tasks = nil
		}
	}
	return t, b.summon()
}

// enqueue gives a task to the workers, at the latest when the reader has passed on all that came. Only for the reader.
func (l *link) enqueue(t task) {
	l.sock.Expect()
	if l.backlog.push(t) {
		l.sess.ep.workers.submit(l)
	}
}

// len is the number of tasks that wait.
func (b *backlog) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.tasks) - b.next
}

// run takes tasks for as long as there are any.
func (l *link) run() {
	for arrived := true; ; arrived = false {
		t, wake := l.backlog.pop(arrived)
		if wake {
			l.sess.ep.workers.submit(l)
		}
		if t == nil {
			return
		}
		l.sock.Arrive()
		t.run()
	}
}
