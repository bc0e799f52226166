package drpc

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

type taskFunc func()

func (f taskFunc) run() { f() }

func TestWorkersNeverQueueATask(t *testing.T) {
	t.Parallel()
	w := newWorkers()
	defer w.close()
	const n = 300
	var all, started sync.WaitGroup
	release := make(chan struct{})
	started.Add(n)
	for range n { // each waits for all others, so that a single queued one would stop them all
		all.Add(1)
		w.submit(taskFunc(func() {
			defer all.Done()
			started.Done()
			<-release
		}))
	}
	done := make(chan struct{})
	go func() { started.Wait(); close(done) }()
	polltest.Receive(t, "all tasks to run at once", done)
	close(release)
	all.Wait()
}

func TestWorkersAreKeptAndEnd(t *testing.T) {
	// Not parallel: it counts goroutines by name, and only those of its own may have the name of its task.
	w := newWorkers()
	for range 3 {
		var all sync.WaitGroup
		block := make(chan struct{})
		for range 2 * maxIdleWorkers {
			all.Add(1)
			w.submit(taskFunc(func() { <-block; all.Done() }))
		}
		close(block)
		all.Wait()
		polltest.Until(t, "superfluous workers to end", func() bool { return workersOf(w) <= maxIdleWorkers })
	}
	if n := workersOf(w); n < maxIdleWorkers/2 {
		t.Errorf("only %d workers are kept", n)
	}
	late := make(chan struct{})
	w.submit(taskFunc(func() { <-late }))
	w.close()
	if n := workersOf(w); n > 1 { // the busy one
		polltest.Until(t, "idle workers to end", func() bool { return workersOf(w) <= 1 })
	}
	close(late)
	polltest.Until(t, "the busy worker to end", func() bool { return workersOf(w) == 0 })
	ran := make(chan struct{})
	w.submit(taskFunc(func() { close(ran) }))
	polltest.Receive(t, "a task after close", ran)
	polltest.Until(t, "its worker to end", func() bool { return workersOf(w) == 0 })
}

// workersOf counts the goroutines of w by the pointer that stands in their stacks.
func workersOf(w *workers) int {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	count := 0
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "(*workers).work(") && strings.Contains(stack, fmt.Sprintf("%p", w)) {
			count++
		}
	}
	return count
}

func TestCodeOfHandlersAndHooksIsRecognised(t *testing.T) {
	t.Parallel()
	if FromHandler() {
		t.Error("a test passes for a handler")
	}
	w := newWorkers()
	defer w.close()
	got := make(chan bool, 1)
	w.submit(taskFunc(func() { got <- deep(200, FromHandler) }))
	if !polltest.Receive(t, "the task", got) {
		t.Error("a handler is not recognised under a deep stack")
	}
	var inHook bool
	list := []bound[ReadCtx]{{plugin: &refusal{}, fn: func(ReadCtx) *Status { inHook = FromHandler(); return nil }}}
	if runBound(hookAfterReadCallBody, list, ReadCtx(nil)); !inHook {
		t.Error("a message hook is not recognised")
	}
	inHook = false
	set := &hookSet{}
	set.rare[hookAfterListen] = []Plugin{&refusal{}}
	_ = runRare(set, hookAfterListen, func(Plugin) error { inHook = FromHandler(); return nil })
	if !inHook {
		t.Error("a rare hook is not recognised")
	}
	go func() { got <- FromHandler() }()
	if polltest.Receive(t, "the goroutine", got) {
		t.Error("a plain goroutine passes for a handler")
	}
}

func deep(n int, fn func() bool) bool {
	if n == 0 {
		return fn()
	}
	return deep(n-1, fn)
}
