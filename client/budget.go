package client

import "sync/atomic"

const (
	// retryShare is how many calls pay for one retry: retries are a fifth of the calls at most.
	retryShare = 5
	// savedRetries is how many retries may be saved up, and how many there are in the beginning.
	savedRetries = 100
)

// budget limits the retries that make servers work more. It counts in fifths of a retry.
type budget struct{ saved atomic.Int64 }

func newBudget() *budget {
	b := new(budget)
	b.saved.Store(savedRetries * retryShare)
	return b
}

// earn is called for each call.
func (b *budget) earn() {
	if b.saved.Load() < savedRetries*retryShare {
		b.saved.Add(1)
	}
}

// spend reports whether one more retry may be made, and takes it off.
func (b *budget) spend() bool {
	if b.saved.Add(-retryShare) >= 0 {
		return true
	}
	b.saved.Add(retryShare)
	return false
}
