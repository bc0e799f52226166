package eventbus

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

type paid struct{ amount int }

func (p paid) String() string { return fmt.Sprint("paid ", p.amount) }

func TestOnHearsItsTypeOnly(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	listen := func(_ func(), err error) { must(t, err) }
	listen(On(b, "a", func(p paid) error { tr.add("value"); return nil }))
	listen(On(b, "a", func(p *paid) error { tr.add("pointer"); return nil }))
	listen(On(b, "a", func(s fmt.Stringer) error { tr.add("stringer " + s.String()); return nil }))
	listen(On(b, "a", func(r io.Reader) error { tr.add("reader"); return nil }))
	listen(On(b, "a", func(e *order) error { tr.add(fmt.Sprint("order ", e.number)); return nil }))
	listen(On(b, "a", func(e *Event) error { tr.add("event"); return nil }))
	listen(On(b, "*", func(v any) error { tr.add(fmt.Sprintf("any %T", v)); return nil }))
	o := &order{number: 7}
	o.SetName("a")
	for _, tt := range []struct {
		what string
		err  error
		want []string
	}{
		{"value", Emit(b, "a", paid{1}), []string{"value", "stringer paid 1", "any eventbus.paid"}},
		{"pointer", Emit(b, "a", &paid{2}), []string{"pointer", "stringer paid 2", "any *eventbus.paid"}},
		{"boxed", Emit[any](b, "a", paid{3}), []string{"value", "stringer paid 3", "any eventbus.paid"}},
		{"interface", Emit[io.Reader](b, "a", strings.NewReader("")), []string{"reader", "any *strings.Reader"}},
		{"nil", Emit[error](b, "a", nil), []string{"any *eventbus.Typed[error]"}},
		{"embedding", b.Publish(o), []string{"order 7", "any *eventbus.order"}},
		{"plain", b.Publish(NewEvent("a", nil)), []string{"event", "any *eventbus.Event"}},
		{"elsewhere", Emit(b, "b", 1), []string{"any int"}},
	} {
		must(t, tt.err)
		got := tr.ran
		if n := len(tt.want); len(got) < n || fmt.Sprint(got[:n]) != fmt.Sprint(tt.want) {
			t.Fatalf("%s: ran %q, want %q", tt.what, got, tt.want)
		}
		tr.ran = got[len(tt.want):]
	}
	if len(tr.ran) != 0 {
		t.Errorf("ran beside: %q", tr.ran)
	}
}

func TestOnStops(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	fn := func(int) error { tr.add("ran"); return nil }
	first, err := On(b, "a.*", fn)
	must(t, err)
	second, err := On(b, "a.*", fn)
	must(t, err)
	must(t, Emit(b, "a.b", 1))
	tr.want(t, "ran", "ran")
	first()
	first()
	must(t, Emit(b, "a.b", 1))
	tr.want(t, "ran")
	second()
	must(t, Emit(b, "a.b", 1))
	tr.want(t)
	if b.Hears("a.b") {
		t.Error("somebody still listens")
	}
}

func TestTypedAndUntypedMix(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	must(t, b.Listen("a", ListenerFunc(func(e IEvent) error {
		tr.add(fmt.Sprint(e.Name(), " ", e.(*Typed[int]).Value))
		e.Set("k", "kept")
		e.Abort(true)
		return nil
	})))
	_, err := On(b, "a", func(int) error { return errTest }, High)
	must(t, err)
	if err := Emit(b, "a", 1); err != errTest {
		t.Errorf("Emit = %v", err)
	}
	tr.want(t)
	b.Clear()
	must(t, b.Listen("a", tr.listener("untyped", nil)))
	_, err = On(b, "a", func(int) error { panic("typed") })
	must(t, err)
	var p *PanicError
	if err := Emit(b, " a ", 1); !errors.As(err, &p) || !strings.Contains(p.Listener, "TestTypedAndUntypedMix") {
		t.Errorf("Emit = %v, want the name of the function", err)
	}
	tr.want(t, "untyped")
}

func TestCloneOfTypedIsIndependent(t *testing.T) {
	t.Parallel()
	e := NewTyped("a", 7)
	e.Set("k", 1)
	c := e.Clone().(*Typed[int])
	c.Abort(true)
	if c.Name() != "a" || c.Value != 7 || c.Get("k") != 1 {
		t.Errorf("clone %q %d with data %v", c.Name(), c.Value, c.Data())
	}
	c.Set("k", 2)
	if e.IsAborted() || e.Get("k") != 1 {
		t.Errorf("a change of the clone changed the event: aborted %v, data %v", e.IsAborted(), e.Data())
	}
}

func TestFiringsOfARegisteredTypedEventDoNotShareData(t *testing.T) {
	t.Parallel()
	b := New("")
	count(t, b, "a")
	registered := NewTyped("a", 7)
	registered.Set("own", true)
	must(t, b.AddEvent(registered))
	e, err := b.Fire("a", map[interface{}]interface{}{"n": 1})
	if typed, ok := e.(*Typed[int]); err != nil || !ok || typed.Value != 7 || e.Get("n") != 1 || e.Get("own") != nil {
		t.Fatalf("Fire = %v, %v", e, err)
	}
	e.Set("stored", true)
	if registered.Get("n") != nil || registered.Get("own") != true || registered.Get("stored") != nil {
		t.Errorf("a firing changed the registered event: %v", registered.Data())
	}
	if e, err = b.Fire("a", nil); err != nil || e.Get("own") != true || e.Get("n") != nil {
		t.Errorf("Fire without parameters = %v, %v", e, err)
	}
}

func TestOnRefuses(t *testing.T) {
	t.Parallel()
	fn := func(int) error { return nil }
	for _, tt := range []struct {
		b    *EventBus
		name string
		fn   func(int) error
		want error
	}{
		{nil, "a", fn, ErrNilBus},
		{New(""), "a", nil, ErrNilListener},
		{New(""), "", fn, ErrName},
	} {
		if _, err := On(tt.b, tt.name, tt.fn); !errors.Is(err, tt.want) {
			t.Errorf("On = %v, want %v", err, tt.want)
		}
	}
	if err := Emit(nil, "a", 1); !errors.Is(err, ErrNilBus) {
		t.Errorf("Emit = %v", err)
	}
}
