// Package bufpool lends byte buffers in size classes, so that a frame costs no allocation of its own.
//
// Buffers above [MaxPooled] are left to the garbage collector: one large message must not pin its memory in the
// pool for ever. All functions may be called concurrently; a single Buf belongs to whoever got it until Put.
package bufpool

import (
	"math/bits"
	"sync"
)

const (
	minShift = 9  // 512 B, the smallest class: most frames of small calls fit.
	maxShift = 20 // 1 MiB, the largest class.
	classes  = maxShift - minShift + 1

	// MaxPooled is the capacity in bytes above which a buffer is not kept.
	MaxPooled = 1 << maxShift
)

// Buf is a lent buffer. B may be appended to and resliced freely; its capacity decides the class it returns to.
type Buf struct {
	B []byte
}

var pools [classes]sync.Pool

// Get returns a buffer of length 0 with a capacity of at least n bytes.
func Get(n int) *Buf {
	c := classFor(n)
	if c >= classes {
		return &Buf{B: make([]byte, 0, n)}
	}
	if b, ok := pools[c].Get().(*Buf); ok {
		return b
	}
	return &Buf{B: make([]byte, 0, 1<<(c+minShift))}
}

// Put takes b back. Nobody may use b or a slice of it afterwards. A nil b is ignored.
func Put(b *Buf) {
	if b == nil {
		return
	}
	c := cap(b.B)
	if c < 1<<minShift || c > MaxPooled {
		return
	}
	b.B = b.B[:0]
	// Rounded down, so that a buffer that append grew to an odd size still honours the promise of its class.
	pools[bits.Len(uint(c))-1-minShift].Put(b)
}

// Grow makes room for n more bytes behind the content of b, moving to a larger class where needed.
func (b *Buf) Grow(n int) {
	if cap(b.B)-len(b.B) >= n {
		return
	}
	want := max(len(b.B)+n, 2*cap(b.B))
	next := Get(want)
	// The arrays change places, so that b keeps its identity and the old array finds its way back.
	old := b.B
	b.B, next.B = append(next.B, old...), old
	Put(next)
}

// classFor returns the smallest class that holds n bytes; classes or more means none does.
func classFor(n int) int {
	if n <= 1<<minShift {
		return 0
	}
	return bits.Len(uint(n-1)) - minShift
}
