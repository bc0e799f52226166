package eventbus

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// names is the rule as the contract words it.
var names = regexp.MustCompile(`^[a-zA-Z][\w\-.*]*$`)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		event bool // is it one of an event?
		hear  bool // may one listen to it?
	}{
		{"app", true, true},
		{"  app.start\t\n", true, true},
		{"a", true, true},
		{"Z_9-x.y", true, true},
		{"app.*", true, true},
		{"app.*.x", true, true},
		{"*", false, true},
		{" * ", false, true},
		{"", false, false},
		{"   ", false, false},
		{"9a", false, false},
		{".a", false, false},
		{"**", false, false},
		{"a b", false, false},
		{"a\n", true, true}, // a blank at its end
		{"a\x00", false, false},
		{"gr\u00fcn", false, false},
		{"a@", false, false},
		{"a[", false, false},
		{"a`", false, false},
		{"a{", false, false},
	} {
		if _, err := eventName(tt.name); (err == nil) != tt.event || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("eventName(%q): %v", tt.name, err)
		}
		err := New("").Listen(tt.name, ListenerFunc(func(IEvent) error { return nil }))
		if (err == nil) != tt.hear || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("Listen(%q) = %v", tt.name, err)
		}
	}
}

func TestEveryEntranceChecksNames(t *testing.T) {
	t.Parallel()
	b := New("")
	count(t, b, Wildcard)
	const bad = "no name"
	for what, err := range map[string]error{
		"Listen":    b.Listen(bad, ListenerFunc(func(IEvent) error { return nil })),
		"Subscribe": b.Subscribe(&subscriber{items: []any{bad}}),
		"AddEvent":  b.AddEvent(NewEvent(bad, nil)),
		"AttachTo":  NewEvent(Wildcard, nil).AttachTo(b),
		"Publish":   b.Publish(NewEvent(bad, nil)),
		"Batch":     errors.Join(b.PublishBatch(bad)...),
		"Emit":      Emit(b, bad, 1),
	} {
		if !errors.Is(err, ErrName) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if e, err := b.Fire(Wildcard, nil); e != nil || !errors.Is(err, ErrName) {
		t.Errorf("Fire = %v, %v", e, err)
	}
	if _, ok := b.GetEvent(bad); ok || b.HasEvent(bad) || b.HasListeners(bad) || b.Hears(bad) || b.ListenersByName(bad) != nil {
		t.Error("something has a name that none can have")
	}
	b.UnListen(bad, nil)
	b.RemoveEvent(bad)
	b.RemoveListenersByName(bad)
	if got := b.ListenedNames(); len(got) != 1 {
		t.Errorf("listened names = %v", got)
	}
}

// reaches says in other words which names a listener hears.
func reaches(pattern, name string) bool {
	if pattern == "*" || pattern == name {
		return true
	}
	parts := strings.Split(name, ".")
	return strings.HasSuffix(pattern, ".*") && len(parts) > 1 &&
		strings.Join(parts[:len(parts)-1], ".")+".*" == pattern
}

func FuzzNames(f *testing.F) {
	for _, pattern := range []string{"*", "app", "app.*", "app.db.*", "a..*", "a*", "a.*.b", "", " app ", "9"} {
		for _, name := range []string{"app", "app.start", "app.db.open", "a..b", "app.", "app.*", "a.*.b", "*", "", "a\n"} {
			f.Add(pattern, name)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, n := strings.TrimSpace(pattern), strings.TrimSpace(name)
		b := New("")
		calls := 0
		err := b.Listen(pattern, ListenerFunc(func(IEvent) error { calls++; return nil }))
		if good := p == "*" || names.MatchString(p); (err == nil) != good {
			t.Fatalf("Listen(%q) = %v", pattern, err)
		}
		heard := err == nil
		err = b.Publish(NewEvent(name, nil))
		good := names.MatchString(n)
		if (err == nil) != good {
			t.Fatalf("Publish(%q) = %v", name, err)
		}
		want := 0
		if heard && good && reaches(p, n) {
			want = 1
		}
		if calls != want {
			t.Fatalf("%q was called %d times for %q, want %d", pattern, calls, name, want)
		}
		if b.Hears(name) != (want == 1) {
			t.Fatalf("Hears(%q) is wrong for %q", name, pattern)
		}
		if e, err := b.Fire(name, nil); (err == nil) != good || (e != nil) != (want == 1) {
			t.Fatalf("Fire(%q) = %v, %v", name, e, err)
		}
	})
}
