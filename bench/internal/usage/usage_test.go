package usage

import (
	"runtime"
	"testing"
	"time"
)

var sink []byte

func TestWhatIsUsedIsCounted(t *testing.T) {
	before := Now()
	for range 100 {
		sink = make([]byte, 10_000)
	}
	for start := CPU(); CPU()-start < 5*time.Millisecond && runtime.GOOS != "windows"; {
		runtime.Gosched()
	}
	used := Now().Since(before)
	if used.Allocs < 100 || used.Allocs > 10_000 || used.Bytes < 1_000_000 {
		t.Errorf("100 allocations of 10,000 bytes count as %d of %d bytes", used.Allocs, used.Bytes)
	}
	if runtime.GOOS != "windows" && (used.CPU < 5*time.Millisecond || used.Peak < 1<<20) {
		t.Errorf("used %v of CPU and %d bytes at most", used.CPU, used.Peak)
	}
}

func TestWhatIsHeldIsSeen(t *testing.T) {
	before := Held()
	block := make([]byte, 32<<20)
	for i := range block {
		block[i] = 1
	}
	after := Held()
	runtime.KeepAlive(block)
	if after.Heap < before.Heap+31<<20 {
		t.Errorf("a block of 32 MiB makes the heap grow from %d to %d", before.Heap, after.Heap)
	}
	if runtime.GOOS == "linux" && after.Resident < before.Resident+24<<20 {
		t.Errorf("a block of 32 MiB makes the process grow from %d to %d", before.Resident, after.Resident)
	}
}
