// Package backoff is the pauses between attempts of what goes on trying: longer from failure to failure, and not the same for
// all who have failed together.
//
// A [Series] belongs to one goroutine. [Jitter] may be called concurrently.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Series is the pauses after failures that follow each other. Both fields must be set.
type Series struct {
	First time.Duration // the pause after the first failure
	Last  time.Duration // the longest pause

	next time.Duration // 0 before the first
}

// Next returns the pause after one more failure: twice the one before, up to the last, with Jitter.
func (s *Series) Next() time.Duration {
	d := max(s.next, s.First)
	s.next = min(2*d, s.Last)
	return Jitter(d)
}

// Reset ends the series: an attempt has succeeded.
func (s *Series) Reset() { s.next = 0 }

// Jitter returns something between three quarters of d and d, so that those who began together part.
func Jitter(d time.Duration) time.Duration { return d - rand.N(d/4+1) }
