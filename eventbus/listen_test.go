package eventbus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEqualPrioritiesRunInTheOrderOfRegistration(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	var first, last []string
	for i := range 100 {
		if i%3 == 0 { // mixed, as a list that is sorted already would stay in order by any means
			tr.listen(t, b, "a", fmt.Sprint("high", i), High)
			first = append(first, fmt.Sprint("high", i))
		} else {
			tr.listen(t, b, "a", fmt.Sprint(i))
			last = append(last, fmt.Sprint(i))
		}
		if i == 50 {
			must(t, b.Publish(NewEvent("a", nil))) // what was sorted already stays in order
			tr.take()
		}
	}
	must(t, b.Publish(NewEvent("a", nil)))
	tr.want(t, slices.Concat(first, last)...)
}

func TestRemoving(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	one := tr.listen(t, b, "a", "one")
	two := tr.listen(t, b, "a", "two") // the same code as one
	must(t, b.Listen("b", two))
	fire := func(want ...string) {
		t.Helper()
		if _, err := b.Fire("a", nil); err != nil {
			t.Fatal(err)
		}
		tr.want(t, want...)
	}
	fire("one", "two")
	b.UnListen("a", tr.listener("one", nil)) // the same code again, but nobody registered it
	b.UnListen("a", nil)
	b.UnListen("c", one)
	fire("one", "two")
	b.UnListen(" a ", one)
	fire("two")
	b.UnListen("a", two)
	fire()
	if b.HasListeners("a") || !b.HasListeners("b") || slices.Contains(b.ListenedNames(), "a") {
		t.Errorf("after the last listener of a was removed: %v", b.ListenedNames())
	}
	must(t, b.Listen("a", two))
	b.RemoveListeners(two)
	if got := b.ListenedNames(); len(got) != 0 {
		t.Errorf("listened names = %v, want none", got)
	}
	must(t, b.Listen("a", one))
	must(t, b.Listen("a", two))
	b.RemoveListenersByName("a")
	fire()
	must(t, b.Listen("a", one))
	must(t, b.AddEvent(NewEvent("a", nil)))
	b.Reset()
	fire()
	if b.HasEvent("a") {
		t.Error("Reset kept an event")
	}
}

// values is a listener that cannot be compared.
type values struct{ of []string }

func (v values) Process(e IEvent) error { return errors.New(strings.Join(v.of, ",")) }

// table is a listener that is a map.
type table map[string]string

func (t table) Process(e IEvent) error { return nil }

// mark is a listener that is equal to another with the same number.
type mark int

func (mark) Process(IEvent) error { return nil }

func method(IEvent) error { return nil }

type controller struct{ n int }

func (c *controller) on(IEvent) error { c.n++; return nil }

func TestSame(t *testing.T) {
	t.Parallel()
	closureOf := func(n *int) ListenerFunc { return func(IEvent) error { *n++; return nil } }
	var x, y int
	f, g := closureOf(&x), closureOf(&y)
	c, d := new(controller), new(controller)
	bound := ListenerFunc(c.on)
	p, q := &subscriber{items: []any{"a"}}, &subscriber{items: []any{"a"}}
	for i, tt := range []struct {
		a, b BaseListener
		want bool
	}{
		{f, f, true},
		{f, g, false},
		{ListenerFunc(method), ListenerFunc(method), true},
		{bound, bound, true},
		{ListenerFunc(c.on), ListenerFunc(d.on), false},
		{p, p, true},
		{p, q, false},
		{mark(1), mark(1), true},
		{mark(1), mark(2), false},
		{mark(1), p, false},
		{values{[]string{"a"}}, values{[]string{"a"}}, false},
		{table{}, table{}, false},
		{nil, p, false},
		{nil, nil, false},
	} {
		if got := same(tt.a, tt.b); got != tt.want {
			t.Errorf("case %d: same = %v", i, got)
		}
	}
	b := New("")
	must(t, b.Listen("a", values{[]string{"x"}}))
	must(t, b.Listen("a", mark(1)))
	b.RemoveListeners(mark(1)) // compares with the one that cannot be compared
	if n := b.ListenersCount("a"); n != 1 {
		t.Errorf("%d listeners left, want 1", n)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	s := &subscriber{process: func(e IEvent) error {
		tr.add("own " + e.Name())
		return nil
	}}
	s.items = []any{
		" a ", NewEvent("b", nil), "grp.*", Wildcard,
		map[string]any{
			"a": NewListenerItem(tr.listener("item", nil), Max),
			"b": *NewListenerItem(tr.listener("value", nil), Min),
			"c": tr.listener("listener", nil),
			"d": func(IEvent) error { tr.add("func"); return nil },
		},
	}
	must(t, b.Subscribe(s, Low))
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"a", []string{"item", "own a", "own a"}},
		{"b", []string{"own b", "value", "own b"}},
		{"c", []string{"listener", "own c"}},
		{"d", []string{"func", "own d"}},
		{"grp.x", []string{"own grp.x", "own grp.x"}},
	} {
		must(t, b.Publish(NewEvent(tt.name, nil)))
		tr.want(t, tt.want...)
	}
	if got := b.ListenersByName("a").Items(); got[0].Priority != Max || got[1].Priority != Low {
		t.Errorf("priorities of a: %d and %d", got[0].Priority, got[1].Priority)
	}
	other := tr.listen(t, b, "a", "other")
	b.UnSubscribe(s)
	if got := b.ListenedNames(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("left after UnSubscribe: %v, want the listener of somebody else", got)
	}
	must(t, b.Subscribe(s))
	b.RemoveListeners(s)
	b.UnListen("a", other)
	if got := b.ListenedNames(); len(got) != 0 {
		t.Errorf("left after RemoveListeners: %v", got)
	}
	b.UnSubscribe(nil)
}

func TestSubscribeRefusesAllOrNothing(t *testing.T) {
	t.Parallel()
	b := New("")
	var none ListenerFunc
	err := b.Subscribe(&subscriber{items: []any{"good", "no good", 7, map[string]any{
		"x": nil, "y": 7, "z": none, "w": (*ListenerItem)(nil), "v": NewListenerItem(nil, 0), "u": mark(1),
	}}})
	for _, want := range []error{ErrName, ErrItem, ErrNilListener} {
		if !errors.Is(err, want) {
			t.Errorf("error %v does not match %v", err, want)
		}
	}
	if got := len(strings.Split(fmt.Sprint(err), "\n")); got != 7 {
		t.Errorf("%d of 7 mistakes told: %v", got, err)
	}
	if got := b.ListenedNames(); len(got) != 0 {
		t.Errorf("registered in spite of the error: %v", got)
	}
	for what, err := range map[string]error{
		"nil listener":   b.Listen("a", nil),
		"nil function":   b.Listen("a", none),
		"nil subscriber": b.Subscribe(nil),
	} {
		if !errors.Is(err, ErrNilListener) {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, b.Subscribe(&subscriber{})) // listens to nothing
}

func TestWhatABusHandsOutIsACopy(t *testing.T) {
	t.Parallel()
	b, tr := New(""), new(trace)
	one := tr.listen(t, b, "a", "one")
	q := b.ListenersByName("a")
	q.Add(NewListenerItem(tr.listener("high", nil), High))
	q.Add(NewListenerItem(tr.listener("normal", nil), Normal))
	q.Items()[0] = nil
	var order []int
	for _, it := range q.Items() {
		order = append(order, it.Priority)
		must(t, it.Listener.Process(nil))
	}
	tr.want(t, "high", "one", "normal")
	if !slices.Equal(order, []int{High, Normal, Normal}) {
		t.Errorf("priorities %v", order)
	}
	q.Remove(one)
	if q.Len() != 2 || q.IsEmpty() {
		t.Errorf("%d listeners after one of three was removed", q.Len())
	}
	q.Clear()
	b.Listeners()["a"].Clear()
	if !q.IsEmpty() || b.ListenersCount("a") != 1 {
		t.Error("a copy and the bus are not apart")
	}
	var none *ListenerQueue = b.ListenersByName("b")
	if none != nil || none.Len() != 0 || !none.IsEmpty() || none.Items() != nil {
		t.Error("a name without listeners has some")
	}
}
