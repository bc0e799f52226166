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
	// smallest is the size of the first class; each class is twice the one before. The sizes are an eighth above powers
	// of two, so that a body of such a size, as many are, still fits with the header of its frame.
	smallest = 512 + 512/8
	classes  = 11 // up to 576 KiB

	// MaxPooled is the capacity in bytes above which a buffer is not kept.
	MaxPooled = 1 << 20
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
	return &Buf{B: make([]byte, 0, smallest<<c)}
}

// Put takes b back. Nobody may use b or a slice of it afterwards. A nil b is ignored.
func Put(b *Buf) {
	if b == nil {
		return
	}
	n := cap(b.B)
	if n < smallest || n > MaxPooled {
		return
	}
	b.B = b.B[:0]
	// Rounded down, so that a buffer that append grew to an odd size still honours the promise of its class.
	pools[min(bits.Len(uint(n/smallest)), classes)-1].Put(b)
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
	if n <= smallest {
		return 0
	}
	return bits.Len(uint((n - 1) / smallest))
}
