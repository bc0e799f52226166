package eventbus

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestOrderOfNameGroupAndWildcard(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	tr.listen(t, b, "*", "all", Max)
	tr.listen(t, b, "a.*", "a.*", High)
	tr.listen(t, b, "a.b.*", "a.b.* low", Low)
	tr.listen(t, b, "a.b.*", "a.b.*")
	tr.listen(t, b, "a.b.c", "a.b.c", Min)
	tr.listen(t, b, "a.b.c", "a.b.c first", 1234)
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"a.b.c", []string{"a.b.c first", "a.b.c", "a.b.*", "a.b.* low", "all"}},
		{"a.b", []string{"a.*", "all"}},
		{"a", []string{"all"}},
		{"a.b.c.d", []string{"all"}},
		{"a.*", []string{"a.*", "all"}},
		{"A.b", []string{"all"}},
	} {
		must(t, b.Publish(NewEvent(tt.name, nil)))
		tr.want(t, tt.want...)
		if e, err := b.Fire(" "+tt.name+" ", nil); err != nil || e.Name() != tt.name {
			t.Errorf("Fire(%q) = %v, %v", tt.name, e, err)
		}
		tr.want(t, tt.want...)
	}
}

func TestFireRunsGroupsWithoutOthers(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	tr.listen(t, b, "a.*", "group")
	if e, err := b.Fire("a.b", nil); e == nil || err != nil {
		t.Errorf("Fire = %v, %v", e, err)
	}
	tr.want(t, "group")
	if e, err := b.Fire("a", nil); e != nil || err != nil {
		t.Errorf("Fire that nobody hears = %v, %v; want nil, nil", e, err)
	}
	if b.HasListeners("a.b") || !b.HasListeners("a.*") || !b.Hears("a.b") || b.Hears("a") {
		t.Error("HasListeners looks at the very name, Hears at all that hear it")
	}
}

func TestErrorAndAbortEndThePublishing(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	abort := ListenerFunc(func(e IEvent) error { e.Abort(true); return nil })
	for _, tt := range []struct {
		what    string
		at      string
		do      func(*trace) ListenerFunc
		goOn    bool
		want    []string
		err     error
		aborted bool
	}{
		{"error", "a.b", func(tr *trace) ListenerFunc { return tr.listener("stop", boom) }, false, []string{"one", "stop"}, boom, false},
		{"error in the group", "a.*", func(tr *trace) ListenerFunc { return tr.listener("stop", boom) }, false, []string{"one", "two", "stop"}, boom, false},
		{"abort", "a.b", func(*trace) ListenerFunc { return abort }, false, []string{"one"}, nil, true},
		{"abort at the end", "*", func(*trace) ListenerFunc { return abort }, false, []string{"one", "two", "group"}, nil, true},
		{"error, continued", "a.b", func(tr *trace) ListenerFunc { return tr.listener("stop", boom) }, true, []string{"one", "stop", "two", "group", "all"}, boom, false},
		{"abort, continued", "a.*", func(*trace) ListenerFunc { return abort }, true, []string{"one", "two"}, nil, true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			b, tr := NewWithConfig("", Config{ContinueOnError: tt.goOn}), new(trace)
			tr.listen(t, b, "a.b", "one", High+1)
			must(t, b.Listen(tt.at, tt.do(tr), High))
			tr.listen(t, b, "a.b", "two")
			tr.listen(t, b, "a.*", "group")
			tr.listen(t, b, "*", "all")
			e := NewEvent("a.b", nil)
			for range 2 { // abort is forgotten before the next time
				err := b.Publish(e)
				if !errors.Is(err, tt.err) || !tt.goOn && err != tt.err {
					t.Errorf("Publish = %v, want %v", err, tt.err)
				}
				if e.IsAborted() != tt.aborted {
					t.Errorf("IsAborted = %v", e.IsAborted())
				}
				tr.want(t, tt.want...)
			}
		})
	}
}

func TestContinueJoinsErrors(t *testing.T) {
	t.Parallel()
	b, tr := NewWithConfig("", Config{ContinueOnError: true}), new(trace)
	first, second := errors.New("first"), errors.New("second")
	must(t, b.Listen("a", tr.listener("1", first)))
	must(t, b.Listen("a", ListenerFunc(func(e IEvent) error { panic("third") })))
	must(t, b.Listen("*", ListenerFunc(func(e IEvent) error { e.Abort(true); return second })))
	_, err := b.Fire("a", nil)
	var p *PanicError
	if !errors.Is(err, first) || !errors.Is(err, second) || !errors.As(err, &p) || p.Value != "third" {
		t.Errorf("Fire = %v, want all three errors", err)
	}
}

func panics(IEvent) error { panic(fmt.Errorf("wrapped: %w", errTest)) }

var errTest = errors.New("test")

func TestPanicIsNamedAndContained(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	tr.listen(t, b, "a", "one", High)
	must(t, b.Listen("a", ListenerFunc(panics)))
	tr.listen(t, b, "a", "never", Low)
	for range 2 { // nothing stays locked or claimed
		e, err := b.Fire(" a ", nil)
		var p *PanicError
		if e == nil || !errors.As(err, &p) || !errors.Is(err, errTest) {
			t.Fatalf("Fire = %v, %v", e, err)
		}
		if p.Event != "a" || !strings.HasSuffix(p.Listener, "eventbus.panics") ||
			!strings.Contains(err.Error(), p.Listener) || !strings.Contains(err.Error(), "wrapped: test") ||
			!strings.Contains(string(p.Stack), "eventbus.panics") {
			t.Errorf("panic reported as %+v", p)
		}
		tr.want(t, "one")
	}
	for _, tt := range []struct {
		l    any
		want string
	}{
		{&subscriber{}, "*eventbus.subscriber"},
		{mark(1), "eventbus.mark"},
		{&typedListener[int]{func(int) error { return nil }}, "eventbus.TestPanicIsNamedAndContained.func"},
	} {
		if got := describe(tt.l); !strings.Contains(got, tt.want) {
			t.Errorf("describe = %q, want %q", got, tt.want)
		}
	}
}

func TestListenersMayUseTheBus(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	var self ListenerFunc
	self = func(e IEvent) error {
		b.UnListen("a", self)
		tr.add("self")
		tr.listen(t, b, "a", "new")
		if _, err := b.Fire("b", nil); err != nil {
			return err
		}
		e.Set("seen", true)
		return nil
	}
	must(t, b.Listen("a", self, High))
	tr.listen(t, b, "a", "old")
	tr.listen(t, b, "b", "nested")
	must(t, b.Publish(NewEvent("a", nil)))
	tr.want(t, "self", "nested", "old")
	must(t, b.Publish(NewEvent("a", nil)))
	tr.want(t, "old", "new")
}

func TestPublishBatch(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	must(t, b.Listen("a", tr.listener("a", errTest)))
	tr.listen(t, b, "b", "b")
	errs := b.PublishBatch("a", NewEvent("b", nil), 7, nil, NewEvent("a", nil), "b")
	tr.want(t, "a", "b", "a", "b")
	if len(errs) != 4 || errs[0] != errTest || !errors.Is(errs[1], ErrItem) || !errors.Is(errs[2], ErrItem) || errs[3] != errTest {
		t.Errorf("PublishBatch = %v", errs)
	}
	if errs := b.PublishBatch("b"); errs != nil {
		t.Errorf("PublishBatch without an error = %v", errs)
	}
	if err := b.Publish(nil); !errors.Is(err, ErrNilEvent) {
		t.Errorf("Publish(nil) = %v", err)
	}
}

// order is an event that embeds Event and can be cloned.
type order struct {
	Event
	number int
}

func (o *order) Clone() IEvent {
	c := &order{number: o.number}
	c.SetName(o.Name())
	return c
}

func TestRegisteredEvents(t *testing.T) {
	t.Parallel()
	b := New("")
	count(t, b, "*")
	type data = map[interface{}]interface{}

	plain := NewEvent("plain", data{"k": 1})
	must(t, plain.AttachTo(b))
	e, err := b.Fire("plain", nil)
	if err != nil || e == IEvent(plain) || e.Get("k") != 1 {
		t.Errorf("Fire = %v, %v; want a copy", e, err)
	}
	e.Set("k", 2)
	if plain.Get("k") != 1 {
		t.Error("a firing changed the registered event")
	}
	given := data{"x": 3}
	e, _ = b.Fire("plain", given)
	e.Set("y", 4)
	if e.Get("k") != nil || given["y"] != 4 {
		t.Errorf("parameters do not replace the data: %v, %v", e.Data(), given)
	}

	cloned := &order{number: 5}
	cloned.SetName("cloned")
	must(t, b.AddEvent(cloned))
	e, _ = b.Fire("cloned", data{"x": 1})
	if o, ok := e.(*order); !ok || o == cloned || o.number != 5 || o.Get("x") != 1 || cloned.Get("x") != nil {
		t.Errorf("Fire = %v, want a clone", e)
	}

	if err := b.AddEvent(nil); !errors.Is(err, ErrNilEvent) {
		t.Errorf("AddEvent(nil) = %v", err)
	}
	if err := plain.AttachTo(nil); !errors.Is(err, ErrNilBus) {
		t.Errorf("AttachTo(nil) = %v", err)
	}
	later := NewEvent("plain", nil)
	must(t, b.AddEvent(later))
	if got, ok := b.GetEvent(" plain "); !ok || got != IEvent(later) || !b.HasEvent("cloned") {
		t.Error("the last event of a name does not stay")
	}
	b.RemoveEvent("plain")
	if b.HasEvent("plain") || !b.HasEvent("cloned") {
		t.Error("RemoveEvent removed the wrong one")
	}
	b.RemoveEvents()
	if b.HasEvent("cloned") {
		t.Error("RemoveEvents kept one")
	}
}

// TestConcurrentPublishesAreAborted alone: half of the publishings abort, the others must run to the end.
func TestConcurrentPublishesAreAbortedAlone(t *testing.T) {
	t.Parallel()
	clonable := &order{}
	clonable.SetName("a")
	registered := NewEvent("a", nil)
	for what, publish := range map[string]func(b *EventBus, i int) error{
		"the same event": func(b *EventBus, i int) error { return b.Publish(registered) },
		"a clonable one": func(b *EventBus, i int) error { return b.Publish(clonable) },
		"a name":         func(b *EventBus, i int) error { _, err := b.Fire("a", nil); return err },
		"a value":        func(b *EventBus, i int) error { return Emit(b, "a", i) },
	} {
		t.Run(what, func(t *testing.T) {
			b := New("")
			must(t, b.AddEvent(registered))
			var begun, ended atomic.Int64
			both := make(chan struct{})
			must(t, b.Listen("a", ListenerFunc(func(e IEvent) error {
				n := begun.Add(1)
				if n == 2 {
					close(both)
				}
				<-both // so that they overlap for sure
				if n%2 == 0 {
					e.Abort(true)
				}
				runtime.Gosched()
				return nil
			}), High))
			must(t, b.Listen("a", ListenerFunc(func(e IEvent) error { ended.Add(1); return nil })))
			const publishers, times = 4, 100
			var wg sync.WaitGroup
			for range publishers {
				wg.Go(func() {
					for i := range times {
						if err := publish(b, i); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if begun.Load() != publishers*times || ended.Load() != publishers*times/2 {
				t.Errorf("%d began, %d ended; want %d and half of it", begun.Load(), ended.Load(), publishers*times)
			}
		})
	}
}

func TestFiringsDoNotShareData(t *testing.T) {
	t.Parallel()
	b := New("")
	must(t, b.AddEvent(NewEvent("a", map[interface{}]interface{}{"own": true})))
	must(t, b.Listen("a", ListenerFunc(func(e IEvent) error {
		n := e.Get("n")
		for range 10 {
			runtime.Gosched()
			if e.Get("n") != n || e.Get("own") != nil {
				return fmt.Errorf("the parameters %v became %v", n, e.Data())
			}
		}
		e.Set("done", n)
		return nil
	})))
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for i := range 100 {
				n := p*1000 + i
				e, err := b.Fire("a", map[interface{}]interface{}{"n": n})
				if err != nil || e.Get("done") != n {
					t.Errorf("Fire = %v, %v", e.Data(), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestNestedPublishOfTheSameEventSharesItsData(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	e := NewEvent("a", nil)
	must(t, b.Listen("a", ListenerFunc(func(got IEvent) error {
		if got.Get("nested") != nil {
			got.Abort(true)
			got.SetData(map[interface{}]interface{}{"nested": "seen"})
			return nil
		}
		got.Set("nested", true)
		return b.Publish(got)
	})))
	tr.listen(t, b, "a", "after")
	must(t, b.Publish(e))
	tr.want(t, "after")
	if e.Get("nested") != "seen" || e.IsAborted() {
		t.Errorf("data %v, aborted %v", e.Data(), e.IsAborted())
	}
}

func TestEventZeroValue(t *testing.T) {
	t.Parallel()
	var e Event
	if e.Name() != "" || e.Get("k") != nil || e.IsAborted() {
		t.Error("a zero event is not empty")
	}
	e.Data()["k"] = 1
	e.SetName("a")
	if e.Get("k") != 1 || e.Name() != "a" || len(NewEvent("a", nil).Data()) != 0 {
		t.Error("Data is not the map itself")
	}
	if got := e.SetData(nil); got != IEvent(&e) || e.Get("k") != nil {
		t.Error("SetData(nil) kept something")
	}
	e.Set("k", 2)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a key that cannot be hashed did not panic")
			}
		}()
		e.Set([]int{}, 1)
	}()
	if e.Get("k") != 2 {
		t.Error("the event is of no use after a panic")
	}
}

// TestEverythingAtOnce is for the race detector.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	b := NewWithConfig("", Config{QueueSize: 8, Workers: 2, OnError: func(IEvent, error) {}})
	shared := NewEvent("a.b", nil)
	jobs := []func(i int){
		func(i int) {
			l := ListenerFunc(func(e IEvent) error { e.Set("k", i); e.Abort(i%3 == 0); return nil })
			name := []string{"a.b", "a.*", "*"}[i%3]
			if err := b.Listen(name, l, i); err != nil {
				t.Error(err)
			}
			b.UnListen(name, l)
		},
		func(i int) {
			stop, err := On(b, "a.*", func(n int) error { return nil })
			if err != nil {
				t.Error(err)
				return
			}
			stop()
		},
		func(i int) { _ = b.Publish(shared) },
		func(i int) { _, _ = b.Fire("a.b", map[interface{}]interface{}{"k": i}) },
		func(i int) { b.AsyncPublish(shared) },
		func(i int) { _ = Emit(b, "a.b", i) },
		func(i int) { _ = b.AddEvent(NewEvent("a.b", nil)); b.RemoveEvents() },
		func(i int) { b.Listeners(); b.ListenedNames(); b.Hears("a.b"); b.Pending(); b.Dropped() },
		func(i int) { b.Clear() },
		func(i int) { _ = b.Wait(t.Context()) },
	}
	var wg sync.WaitGroup
	for _, job := range jobs {
		wg.Go(func() {
			for i := range 200 {
				job(i)
			}
		})
	}
	wg.Wait()
	must(t, b.Close(t.Context()))
}
