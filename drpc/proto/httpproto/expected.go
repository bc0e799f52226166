package httpproto

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// maxExpected is how many requests to a server that does not number its replies may be unanswered.
const maxExpected = 1 << 16

// expected are the numbers of the requests whose replies will come without one, in the order in which they were sent.
type expected struct {
	// numbered says that the server is a peer of this framework, whose replies have numbers and need no order.
	numbered atomic.Bool

	mu   sync.Mutex
	seqs []int32
	lost bool // too many to remember
}

var (
	requestStart = []byte("POST ")
	seqHeader    = []byte("\r\n" + headerSeq + ": ")
)

// queued notes the number of a request, which stands in its head.
func (e *expected) queued(frame []byte) {
	if !bytes.HasPrefix(frame, requestStart) {
		return
	}
	_, rest, ok := bytes.Cut(frame, seqHeader)
	text, _, _ := bytes.Cut(rest, []byte("\r\n"))
	seq, valid := parseInt32(text)
	if !ok || !valid {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seqs) >= maxExpected {
		e.seqs, e.lost = nil, true
	}
	if !e.lost {
		e.seqs = append(e.seqs, seq)
	}
}

// take returns the number of the request that the next reply without one belongs to.
func (e *expected) take() (seq int32, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seqs) == 0 {
		return 0, false
	}
	seq = e.seqs[0]
	e.seqs = e.seqs[1:]
	return seq, true
}

// number notes that replies have numbers.
func (e *expected) number() {
	if e.numbered.Swap(true) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seqs = nil
}
