package httpproto

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	// maxTurns is how many requests without X-Seq one connection may have unanswered; clients wait for each reply, or
	// pipeline a few.
	maxTurns = 128
	// maxHeld is how many bytes of replies may wait for one that comes before them.
	maxHeld = 8 << 20
)

var (
	errTooManyTurns = fmt.Errorf("more than %d requests without a reply", maxTurns)
	errTooMuchHeld  = errors.New("http proto: too many bytes wait for the reply to an earlier request")
)

// turn is one reply in the order in which a client must get them.
type turn struct {
	seq     int32 // by which the session knows the request
	number  int32 // X-Seq of the request
	peer    bool  // it had one
	old     bool  // HTTP/1.0
	head    bool  // the method was HEAD: no body
	gzip    bool  // the client takes gzip
	last    bool  // the connection ends behind it
	unknown string
	frame   []byte // while it waits; never empty
}

// turns are the replies that a client expects in the order of its requests.
//
// A request without X-Seq is given a number below zero, which no request with X-Seq has that is not in here too. From
// the first one on all replies of the connection are in order. They are written under the lock: nothing else would keep
// one reply behind another on its way to the connection.
type turns struct {
	mu    sync.Mutex
	queue []*turn
	held  int
	next  int32
	sized atomic.Int32 // len(queue), for those who only want to know whether it is empty

	ordered bool // only the reading goroutine
}

// waiting reports whether a reply is still to come.
func (ts *turns) waiting() bool { return ts.sized.Load() > 0 }

// add puts t at the end.
func (ts *turns) add(t *turn) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.queue) >= maxTurns {
		return errTooManyTurns
	}
	ts.next--
	if ts.next >= 0 { // wrapped
		ts.next = -1
	}
	t.seq = ts.next
	ts.queue = append(ts.queue, t)
	ts.sized.Store(int32(len(ts.queue)))
	return nil
}

// find returns the turn with this number, nil if its reply needs none.
func (ts *turns) find(seq int32) *turn {
	if seq >= 0 || !ts.waiting() {
		return nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.queue {
		if t.seq == seq {
			return t
		}
	}
	return nil
}

// done writes frame as the reply of t, or keeps it until all replies before it were written.
func (p *httpProto) done(t *turn, frame []byte) error {
	ts := &p.replies
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.queue) == 0 || ts.queue[0] != t {
		if ts.held > 0 && ts.held+len(frame) > maxHeld {
			return errTooMuchHeld
		}
		ts.held += len(frame)
		t.frame = bytes.Clone(frame)
		return nil
	}
	err := p.write(frame)
	ts.pop()
	for err == nil && !t.last && len(ts.queue) > 0 && ts.queue[0].frame != nil {
		t = ts.queue[0]
		err = p.write(t.frame)
		ts.held -= len(t.frame)
		ts.pop()
	}
	if err == nil && t.last {
		err = p.closeWrite()
	}
	return err
}

func (ts *turns) pop() {
	ts.queue[0] = nil
	ts.queue = ts.queue[1:]
	ts.sized.Store(int32(len(ts.queue)))
}
