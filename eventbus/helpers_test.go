package eventbus

import (
	"slices"
	"sync"
	"testing"
)

// trace notes what ran, in order.
type trace struct {
	mu  sync.Mutex
	ran []string
}

func (tr *trace) add(s string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.ran = append(tr.ran, s)
}

func (tr *trace) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	ran := tr.ran
	tr.ran = nil
	return ran
}

func (tr *trace) want(t *testing.T, want ...string) {
	t.Helper()
	if got := tr.take(); !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
}

// listener returns one that notes its label and returns the error.
func (tr *trace) listener(label string, err error) ListenerFunc {
	return func(IEvent) error {
		tr.add(label)
		return err
	}
}

// listen registers a listener that notes its label.
func (tr *trace) listen(t *testing.T, b *EventBus, name, label string, priority ...int) ListenerFunc {
	t.Helper()
	l := tr.listener(label, nil)
	must(t, b.Listen(name, l, priority...))
	return l
}

// count registers a listener that does nothing.
func count(t *testing.T, b *EventBus, name string) {
	t.Helper()
	must(t, b.Listen(name, ListenerFunc(func(IEvent) error { return nil })))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// subscriber is a listener that asks for items.
type subscriber struct {
	items   []any
	process ListenerFunc
}

func (s *subscriber) Listen() []interface{} { return s.items }

func (s *subscriber) Process(e IEvent) error { return s.process(e) }
