package codec

import (
	"fmt"
	"sync"
	"testing"
)

// numbered is a codec of which there can be as many as there are ids.
type numbered struct {
	JSONCodec
	id byte
}

func (n numbered) ID() byte     { return n.id }
func (n numbered) Name() string { return fmt.Sprint("number ", n.id) }

func TestRegistryIsFilledWhileOthersLookUp(t *testing.T) {
	t.Parallel()
	var (
		r  registry
		wg sync.WaitGroup
	)
	for id := 1; id < 256; id++ {
		want := numbered{id: byte(id)}
		wg.Go(func() { r.add(want) })
		wg.Go(func() {
			if got, err := r.get(want.id); err == nil && got != Codec(want) {
				t.Errorf("get(%d) = %v", id, got)
			}
			if got, err := r.getByName(want.Name()); err == nil && got != Codec(want) {
				t.Errorf("getByName(%q) = %v", want.Name(), got)
			}
		})
	}
	wg.Wait()
	for id := 1; id < 256; id++ {
		want := numbered{id: byte(id)}
		if got, err := r.get(want.id); err != nil || got != Codec(want) {
			t.Errorf("get(%d) = %v, %v", id, got, err)
		}
		if got, err := r.getByName(want.Name()); err != nil || got != Codec(want) {
			t.Errorf("getByName(%q) = %v, %v", want.Name(), got, err)
		}
	}
}
