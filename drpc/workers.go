package drpc

import (
	"runtime"
	"sync/atomic"
)

// maxIdleWorkers is how many goroutines of an endpoint wait for work, with the stacks they have grown.
const maxIdleWorkers = 512

// task is a piece of work for the workers.
type task interface{ run() }

// workers runs tasks on goroutines that it keeps. A task never queues: with no idle worker it gets a new goroutine, or
// handlers that wait for calls over the same session would wait for each other.
type workers struct {
	tasks  chan task
	alive  atomic.Int32 // goroutines, idle or not
	idle   atomic.Int32
	closed atomic.Bool
}

func newWorkers() *workers { return &workers{tasks: make(chan task)} }

// submit runs t on another goroutine, at once.
func (w *workers) submit(t task) {
	select {
	case w.tasks <- t:
	default:
		go w.work(t)
	}
}

// funcTask is a function as a task.
type funcTask func()

func (f funcTask) run() { f() }

// goFunc is submit for a function.
func (w *workers) goFunc(f func()) { w.submit(funcTask(f)) }

// work runs t and then what else comes. Its name in a stack is how Close recognises that it must not wait; see
// FromHandler.
func (w *workers) work(t task) {
	w.alive.Add(1)
	defer w.alive.Add(-1)
	for t != nil {
		t.run()
		if w.idle.Add(1) > maxIdleWorkers || w.closed.Load() {
			w.idle.Add(-1)
			return
		}
		t = <-w.tasks
		w.idle.Add(-1)
	}
}

// close ends the idle workers, and the busy ones once they are done.
func (w *workers) close() {
	w.closed.Store(true)
	for w.idle.Load() > 0 {
		select {
		case w.tasks <- nil: // an idle worker, or one that is about to be, takes it
		default:
			runtime.Gosched()
		}
	}
}
