package eventbus

import (
	"fmt"
	"testing"

	"github.com/osgochina/dmicro/internal/race"
)

// silent returns a bus with that many listeners that do nothing, and those of many other names.
func silent(tb testing.TB, listeners int) *EventBus {
	tb.Helper()
	b := New("bench")
	l := ListenerFunc(func(IEvent) error { return nil })
	for i := range 100 {
		if err := b.Listen(fmt.Sprintf("other.name%d", i), l); err != nil {
			tb.Fatal(err)
		}
	}
	for range listeners {
		if err := b.Listen("session.closed", l); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

func BenchmarkFire(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(fmt.Sprint("listeners=", n), func(b *testing.B) {
			bus := silent(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bus.Fire("session.closed", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(fmt.Sprint("listeners=", n), func(b *testing.B) {
			bus, e := silent(b, n), NewEvent("session.closed", nil)
			b.ReportAllocs()
			for b.Loop() {
				if err := bus.Publish(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFireParallel(b *testing.B) {
	bus := silent(b, 1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := bus.Fire("session.closed", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEmit(b *testing.B) {
	bus := silent(b, 0)
	if _, err := On(bus, "session.closed", func(n int) error { return nil }); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Emit(bus, "session.closed", 7); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAsyncPublish(b *testing.B) {
	bus, e := silent(b, 1), NewEvent("session.closed", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := bus.Enqueue(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	if err := bus.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// TestAllocations holds what the documents promise.
func TestAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	empty, full := silent(t, 0), silent(t, 10)
	e := NewEvent("session.closed", nil)
	for _, tt := range []struct {
		what string
		run  func()
		want float64
	}{
		{"Fire that nobody hears", func() { _, _ = empty.Fire("session.closed", nil) }, 0},
		{"Fire", func() { _, _ = full.Fire("session.closed", nil) }, 1},
		{"Publish", func() { _ = full.Publish(e) }, 0},
		{"Emit that nobody hears", func() { _ = Emit(empty, "session.closed", 7) }, 0},
		{"Emit", func() { _ = Emit(full, "session.closed", 7) }, 1},
		{"Hears", func() { full.Hears("session.closed") }, 0},
	} {
		if got := testing.AllocsPerRun(100, tt.run); got > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.what, got, tt.want)
		}
	}
}
