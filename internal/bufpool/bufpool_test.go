package bufpool

import (
	"bytes"
	"testing"

	"github.com/osgochina/dmicro/internal/race"
)

func TestGetHoldsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 511, 512, 513, 1024, 1025, MaxPooled - 1, MaxPooled, MaxPooled + 1, 3 * MaxPooled} {
		b := Get(n)
		if len(b.B) != 0 || cap(b.B) < n {
			t.Errorf("Get(%d): len %d cap %d", n, len(b.B), cap(b.B))
		}
		Put(b)
	}
}

func TestPutOddCapacityKeepsTheClassPromise(t *testing.T) {
	t.Parallel()
	for range 64 {
		Put(&Buf{B: make([]byte, 0, 1500)})
		if b := Get(2048); cap(b.B) < 2048 {
			t.Fatalf("cap %d in the class of 2048", cap(b.B))
		}
	}
}

func TestGrowKeepsContent(t *testing.T) {
	t.Parallel()
	b := Get(0)
	want := bytes.Repeat([]byte("0123456789"), 1000)
	for _, c := range want {
		b.Grow(1)
		b.B = append(b.B, c)
	}
	if !bytes.Equal(b.B, want) {
		t.Fatal("content changed while growing")
	}
	Put(b)
	Put(nil)
}

func TestGetPutDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector makes sync.Pool drop buffers")
	}
	if n := testing.AllocsPerRun(1000, func() { Put(Get(4096)) }); n > 0.1 {
		t.Errorf("%v allocations", n)
	}
}
