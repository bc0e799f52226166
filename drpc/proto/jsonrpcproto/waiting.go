package jsonrpcproto

import (
	"errors"
	"sync"
)

const (
	// maxWaiting is how many requests of one connection whose ids must be remembered may be unanswered.
	maxWaiting = 4096
	// maxID is how many bytes such an id may have.
	maxID = 256
	// maxBatch is how many elements a batch may have.
	maxBatch = 256
	// reserve is what each reply of a batch may take up at least, however large the others are.
	reserve = 512
)

var (
	errTooMany   = errors.New("too many requests without a reply")
	errTooLarge  = errors.New("jsonrpc proto: the replies of this batch exceed the message limit")
	errLongID    = errors.New("the id is too long")
	errNoRequest = errors.New("neither a request nor a response")
)

// request is one whose reply needs more than a number.
type request struct {
	id      string // as it came, JSON
	foreign bool   // the peer is not one of this framework
	batch   *batch // nil for a request of its own line
}

// batch collects the replies to the requests of one line.
type batch struct {
	replies []byte // separated by commas
	open    bool   // not all of its requests were read
	pending int    // requests without a reply
}

// waiting are the requests whose replies are written in another form than those of a peer of this framework. The session
// knows them by numbers below zero, which no other request has.
type waiting struct {
	mu       sync.Mutex
	requests map[int32]*request
	next     int32
}

// add enters a request and returns its number.
func (w *waiting) add(r *request) (int32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(r.id) > maxID:
		return 0, errLongID
	case len(w.requests) >= maxWaiting:
		return 0, errTooMany
	case w.requests == nil:
		w.requests = make(map[int32]*request)
	}
	for {
		if w.next--; w.next >= 0 { // wrapped
			w.next = -1
		}
		if w.requests[w.next] == nil {
			break
		}
	}
	w.requests[w.next] = r
	if r.batch != nil {
		r.batch.pending++
	}
	return w.next, nil
}

// find returns the request with this number, nil if its reply is one like all others.
func (w *waiting) find(seq int32) *request {
	if seq >= 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[seq]
}

// done takes a request out.
func (w *waiting) done(seq int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, seq)
}

// collect adds the reply to a request of a batch, nil for a request that gets none. It appends all replies to dst if
// this was the last one. With an error nothing has changed.
func (w *waiting) collect(dst []byte, b *batch, seq int32, reply []byte, limit int) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(reply) > reserve && len(b.replies)+len(reply) > limit-maxBatch*reserve {
		return dst, errTooLarge
	}
	if seq < 0 {
		delete(w.requests, seq)
		b.pending--
	}
	if len(reply) > 0 && len(b.replies) > 0 {
		b.replies = append(b.replies, ',')
	}
	b.replies = append(b.replies, reply...)
	return b.take(dst), nil
}

// closed notes that the last element of a batch was read, and appends the replies to dst if all are there.
func (w *waiting) closed(dst []byte, b *batch) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.open = false
	return b.take(dst)
}

// take appends the replies to dst if no more will come. A batch of notifications has none.
func (b *batch) take(dst []byte) []byte {
	if b.open || b.pending > 0 || len(b.replies) == 0 {
		return dst
	}
	dst = append(append(append(dst, '['), b.replies...), "]\r\n"...)
	b.replies = nil
	return dst
}
