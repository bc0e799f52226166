package idtable

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

type thing struct {
	id   byte
	name string
}

func (t thing) ID() byte     { return t.id }
func (t thing) Name() string { return t.name }

func TestIsFilledWhileOthersLookUp(t *testing.T) {
	t.Parallel()
	r := New[Item]("test", "thing")
	var wg sync.WaitGroup
	for id := range 256 {
		want := thing{byte(id), fmt.Sprint("number ", id)}
		wg.Go(func() { r.Add(want) })
		wg.Go(func() {
			if got, ok := r.Get(want.id); ok && got != Item(want) {
				t.Errorf("Get(%d) = %v", id, got)
			}
			if got, ok := r.GetByName(want.name); ok && got != Item(want) {
				t.Errorf("GetByName(%q) = %v", want.name, got)
			}
		})
	}
	wg.Wait()
	for id := range 256 {
		want := thing{byte(id), fmt.Sprint("number ", id)}
		if got, ok := r.Get(want.id); !ok || got != Item(want) {
			t.Errorf("Get(%d) = %v, %v", id, got, ok)
		}
		if got, ok := r.GetByName(want.name); !ok || got != Item(want) {
			t.Errorf("GetByName(%q) = %v, %v", want.name, got, ok)
		}
	}
}

func TestMistakesPanicWithAText(t *testing.T) {
	t.Parallel()
	r := New[Item]("test", "thing")
	r.Add(thing{1, "one"})
	for want, item := range map[string]Item{
		"test: Reg of nil":                                               nil,
		"test: Reg of id 2 without a name":                               thing{2, ""},
		`thing "one" is registered already under the id 1`:               thing{1, "two"},
		`Reg of id 2: a thing with the name "one" is registered already`: thing{2, "one"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			r.Add(item)
		}()
	}
	if _, ok := r.Get(2); ok {
		t.Error("a refused item is there")
	}
}
