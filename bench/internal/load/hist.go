package load

import (
	"math/bits"
	"time"
)

// Hist counts durations in logarithmic buckets, 16 to each doubling, so that a quantile is off by 3 % at most. Counting
// allocates nothing. It is for one goroutine.
type Hist struct {
	counts [buckets]uint32
}

const (
	subBits = 4                         // 16 buckets to a doubling
	sub     = 1 << subBits              //
	octaves = 32                        // up to about 69 s; what takes longer counts as that
	buckets = sub + (octaves-1)*sub + 1 // the last holds what is above
)

// Record counts one duration.
func (h *Hist) Record(d time.Duration) { h.counts[bucketOf(d)]++ }

// Add adds the counts of other.
func (h *Hist) Add(other *Hist) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
}

// Count returns how many durations were counted.
func (h *Hist) Count() (n uint64) {
	for _, c := range h.counts {
		n += uint64(c)
	}
	return n
}

// Quantile returns the duration that the share q, 0 to 1, of all does not exceed; 0 if nothing was counted.
func (h *Hist) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := q * float64(total)
	seen := 0.0
	for i, c := range h.counts {
		if c > 0 && seen+float64(c) >= rank {
			low, high := bucketLow(i), bucketLow(i+1)
			return low + time.Duration(float64(high-low)*(rank-seen)/float64(c))
		}
		seen += float64(c)
	}
	return bucketLow(buckets - 1)
}

// bucketOf returns the bucket of a duration: below 16 ns each has its own, above the four bits behind the first count.
func bucketOf(d time.Duration) int {
	if d < sub {
		return int(max(d, 0))
	}
	shift := bits.Len64(uint64(d)) - 1 - subBits
	return min(sub+shift*sub+int(uint64(d)>>shift)-sub, buckets-1)
}

// bucketLow returns the shortest duration of a bucket.
func bucketLow(i int) time.Duration {
	if i < sub {
		return time.Duration(i)
	}
	shift := (i - sub) / sub
	return time.Duration(sub+(i-sub)%sub) << shift
}
