package eventbus

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/logger"
)

// failures notes what OnError is told.
type failures struct {
	mu   sync.Mutex
	errs []error
}

func (f *failures) add(_ IEvent, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

func (f *failures) all() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.errs)
}

// blocked returns a bus whose listener of "a" says that it runs and goes on when told.
func blocked(t *testing.T, c Config) (b *EventBus, running <-chan IEvent, goOn chan<- struct{}) {
	t.Helper()
	b = NewWithConfig("", c)
	r, g := make(chan IEvent, 100), make(chan struct{})
	must(t, b.Listen("a", ListenerFunc(func(e IEvent) error {
		r <- e
		<-g
		return nil
	})))
	return b, r, g
}

func TestAsyncPublishReachesListenersElsewhere(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	release := make(chan struct{})
	must(t, b.Listen("a", ListenerFunc(func(e IEvent) error {
		<-release // would never end on the goroutine of the publisher
		tr.add(e.Get("k").(string))
		return nil
	})))
	b.AsyncPublish(NewEvent("a", map[interface{}]interface{}{"k": "v"}))
	close(release)
	must(t, b.Wait(t.Context()))
	tr.want(t, "v")
}

func TestOneWorkerKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := NewWithConfig("", Config{Workers: 1})
	var got []int // only the worker uses it
	must(t, b.Listen("a", ListenerFunc(func(e IEvent) error {
		got = append(got, e.(*Typed[int]).Value)
		return nil
	})))
	const n = 10000
	for i := range n {
		b.AsyncPublish(NewTyped("a", i))
	}
	must(t, b.Close(t.Context()))
	if len(got) != n || !slices.IsSorted(got) {
		t.Errorf("%d of %d events, sorted: %v", len(got), n, slices.IsSorted(got))
	}
}

func TestWorkersAreBoundedAndLeaveNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, running, goOn := blocked(t, Config{Workers: 3})
		for range 5 {
			b.AsyncPublish(NewEvent("a", nil))
		}
		synctest.Wait()
		if len(running) != 3 || b.Pending() != 2 {
			t.Errorf("%d run, %d wait; want 3 and 2", len(running), b.Pending())
		}
		close(goOn)
		must(t, b.Wait(t.Context()))
		if len(running) != 5 || b.Pending() != 0 || b.Dropped() != 0 {
			t.Errorf("%d ran, %d wait, %d dropped", len(running), b.Pending(), b.Dropped())
		}
		if cap(b.queue.slots)-len(b.queue.slots) != DefaultQueueSize {
			t.Errorf("%d slots are still taken", len(b.queue.slots))
		}
	})
}

func TestFullQueueDropsAndTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(failures)
		b, running, goOn := blocked(t, Config{Workers: 1, QueueSize: 2, OnError: f.add})
		b.AsyncPublish(NewEvent("a", nil))
		synctest.Wait() // the worker has it, so the queue is empty
		for range 5 {
			b.AsyncPublish(NewEvent("a", nil))
		}
		errs := f.all()
		if len(errs) != 3 || b.Dropped() != 3 || !errors.Is(errs[0], ErrQueueFull) {
			t.Errorf("dropped %d, told %v; want 3 times %v", b.Dropped(), errs, ErrQueueFull)
		}
		close(goOn)
		must(t, b.Close(t.Context()))
		if len(running) != 3 {
			t.Errorf("%d ran, want 3", len(running))
		}
	})
}

func TestEnqueueWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, running, goOn := blocked(t, Config{Workers: 1, QueueSize: 1})
		must(t, b.Enqueue(t.Context(), NewEvent("a", nil)))
		synctest.Wait()
		must(t, b.Enqueue(t.Context(), NewEvent("a", nil))) // waits in the queue

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Enqueue(ctx, NewEvent("a", nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Enqueue into a full queue = %v", err)
		}
		if err := b.Enqueue(ctx, NewEvent("a", nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Enqueue with a context that is over = %v", err)
		}
		result := make(chan error, 1)
		go func() { result <- b.Enqueue(t.Context(), NewEvent("a", nil)) }()
		synctest.Wait()
		if len(result) != 0 {
			t.Error("Enqueue did not wait")
		}
		goOn <- struct{}{} // makes room
		must(t, <-result)

		go func() { result <- b.Enqueue(t.Context(), NewEvent("a", nil)) }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- b.Close(t.Context()) }()
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Errorf("Enqueue that waits while the bus is closed = %v", err)
		}
		close(goOn)
		must(t, <-closed)
		if len(running) != 3 || b.Dropped() != 0 {
			t.Errorf("%d ran, %d dropped; want 3 and 0", len(running), b.Dropped())
		}
		over, end := context.WithCancelCause(t.Context())
		end(errTest)
		if err := b.Enqueue(over, NewEvent("a", nil)); !errors.Is(err, errTest) {
			t.Errorf("with a context that is over: %v", err)
		}
		if err := b.Enqueue(t.Context(), nil); !errors.Is(err, ErrNilEvent) {
			t.Errorf("Enqueue(nil) = %v", err)
		}
	})
}

func TestCloseHandlesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	f, tr := new(failures), new(trace)
	b := NewWithConfig("", Config{OnError: f.add})
	tr.listen(t, b, "a", "ran")
	for range 100 {
		b.AsyncPublish(NewEvent("a", nil))
	}
	must(t, b.Close(t.Context()))
	if got := len(tr.take()); got != 100 {
		t.Errorf("%d of 100 events were handled", got)
	}
	b.AsyncPublish(NewEvent("a", nil))
	if err := b.Enqueue(t.Context(), NewEvent("a", nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("Enqueue on a closed bus = %v", err)
	}
	if errs := f.all(); len(errs) != 1 || !errors.Is(errs[0], ErrClosed) || b.Dropped() != 1 {
		t.Errorf("told %v, dropped %d", errs, b.Dropped())
	}
	must(t, b.Close(t.Context()))
	must(t, b.Publish(NewEvent("a", nil)))
	tr.want(t, "ran")
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(failures)
		b, running, goOn := blocked(t, Config{Workers: 1, OnError: f.add})
		for range 4 {
			b.AsyncPublish(NewEvent("a", nil))
		}
		synctest.Wait()
		over := errors.New("no more time")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, over)
		defer cancel()
		if err := b.Wait(ctx); !errors.Is(err, over) {
			t.Errorf("Wait = %v", err)
		}
		if err := b.Close(ctx); !errors.Is(err, over) || !strings.Contains(err.Error(), "3 events") {
			t.Errorf("Close = %v", err)
		}
		if errs := f.all(); len(errs) != 3 || !errors.Is(errs[2], ErrClosed) || b.Dropped() != 3 || b.Pending() != 0 {
			t.Errorf("told %v, dropped %d, pending %d", errs, b.Dropped(), b.Pending())
		}
		close(goOn)
		must(t, b.Wait(t.Context()))
		if len(running) != 1 {
			t.Errorf("%d ran, want the one that ran already", len(running))
		}
	})
}

// rude is an event whose own methods panic.
type rude struct{ Event }

func (*rude) Name() string { panic("no name for you") }

func TestFailuresOfAsynchronousEventsAreToldAndContained(t *testing.T) {
	t.Parallel()
	f, tr := new(failures), new(trace)
	b := NewWithConfig("", Config{Workers: 1, OnError: f.add})
	must(t, b.Listen("fail", tr.listener("fail", errTest)))
	must(t, b.Listen("panic", ListenerFunc(panics)))
	must(t, b.Listen("exit", ListenerFunc(func(IEvent) error {
		runtime.Goexit()
		return nil
	})))
	tr.listen(t, b, "good", "good")
	b.AsyncPublish(nil)
	for _, e := range []IEvent{NewEvent("fail", nil), NewEvent("panic", nil), new(rude), NewEvent("exit", nil), NewEvent("9", nil), NewEvent("good", nil)} {
		b.AsyncPublish(e)
	}
	must(t, b.Wait(t.Context()))
	tr.want(t, "fail", "good")
	errs := f.all()
	if len(errs) != 5 {
		t.Fatalf("told %v", errs)
	}
	var p, r *PanicError
	if !errors.Is(errs[0], ErrNilEvent) || errs[1] != errTest || !errors.As(errs[2], &p) || !errors.As(errs[3], &r) || !errors.Is(errs[4], ErrName) {
		t.Errorf("told %v", errs)
	}
	if !strings.HasSuffix(p.Listener, "eventbus.panics") || r.Listener != "*eventbus.rude" {
		t.Errorf("panics of %q and %q", p.Listener, r.Listener)
	}
}

func TestOnErrorThatPanicsIsContained(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	b := NewWithConfig("", Config{OnError: func(IEvent, error) {
		told.Add(1)
		panic("in OnError")
	}})
	must(t, b.Listen("a", ListenerFunc(panics)))
	b.AsyncPublish(new(rude))
	b.AsyncPublish(NewEvent("a", nil))
	must(t, b.Wait(t.Context()))
	b.AsyncPublish(nil)
	if told.Load() != 3 {
		t.Errorf("told %d times, want 3", told.Load())
	}
}

// lines is a handler of the log.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Log(level int, v ...interface{}) {}

func (l *lines) LogF(level int, format string, v ...interface{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, v...))
}

// TestLogIsToldWithoutOnError is not parallel: the level of the log belongs to the process.
func TestLogIsToldWithoutOnError(t *testing.T) {
	out := new(lines)
	logger.SetLevel(logger.LevelCritical | logger.LevelError | logger.LevelWarning)
	must(t, logger.SetConfigWithMap(map[string]any{"stdout": false}))
	logger.AddHandler("eventbus", out)
	defer func() {
		logger.RemoveHandler("eventbus")
		must(t, logger.SetConfigWithMap(map[string]any{"stdout": true}))
		logger.SetLevel(logger.LevelCritical)
	}()
	synctest.Test(t, func(t *testing.T) {
		b := NewWithConfig("shop", Config{Workers: 1})
		must(t, b.Listen("fail", ListenerFunc(func(IEvent) error { return errTest })))
		must(t, b.Listen("panic", ListenerFunc(panics)))
		b.AsyncPublish(NewEvent("fail", nil))
		b.AsyncPublish(NewEvent("panic", nil))
		other := New("other") // whose end is a failure like any other here
		must(t, other.Close(t.Context()))
		must(t, b.Listen("forward", ListenerFunc(func(e IEvent) error { return other.Enqueue(t.Context(), NewEvent("b", nil)) })))
		b.AsyncPublish(NewEvent("forward", nil))
		b.AsyncPublish(NewEvent("forward", nil))
		must(t, b.Close(t.Context()))
		for range 3 {
			b.AsyncPublish(NewEvent("fail", nil)) // one line for those of a second
		}
		time.Sleep(warnEvery)
		b.AsyncPublish(NewEvent("fail", nil))
	})
	want := []string{"test", "eventbus.panics", `event "forward"`, `event "forward"`, "dropped, 1 so far", "dropped, 4 so far"}
	if len(out.text) != len(want) {
		t.Fatalf("logged %q", out.text)
	}
	for i, text := range want {
		if !strings.Contains(out.text[i], text) {
			t.Errorf("line %d is %q, want %q in it", i, out.text[i], text)
		}
	}
}

func TestQueueDoesNotGrowWithWhatPassesThrough(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	q := newQueue(100, 1, func(IEvent) { <-next })
	e := NewEvent("a", nil)
	for range 11 { // one is being handled, ten wait
		if err := q.tryPush(e); err != nil {
			t.Fatal(err)
		}
	}
	for range 10000 {
		next <- struct{}{}
		if err := q.push(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	q.mu.Lock()
	size := cap(q.waiting)
	q.mu.Unlock()
	if size > 64 {
		t.Errorf("room for %d events, but never more than 11 waited", size)
	}
	close(next)
	if err := q.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}
