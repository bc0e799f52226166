package drpc

import (
	"errors"
	"sync/atomic"
)

// uncounted is the size in bytes up to which requests are bounded by their number alone.
const uncounted = 4 << 10

var (
	errBusy         = errors.New("the session has too many requests at work, this one was not executed")
	errEndpointBusy = errors.New("the endpoint has too many requests at work, this one was not executed")
)

// load is the requests of a link, or of an endpoint, that were received and not answered yet. What counts for all
// sessions is changed by all processors: it has a cache line of its own.
type load struct {
	_        [64]byte
	requests atomic.Int64
	bytes    atomic.Int64 // of those above uncounted
	_        [48]byte
}

// begin counts a request of a link. An error says why it must not be executed; it is counted all the same.
func (l *link) begin(c *handlerCtx) error {
	cfg, all := &l.sess.ep.cfg, &l.sess.ep.load
	own, total := int(l.running.Add(1)), int(all.requests.Add(1))
	var err error
	switch {
	case above(own, cfg.MaxRequests):
		err = errBusy
	case above(total, cfg.MaxEndpointRequests):
		err = errEndpointBusy
	}
	if size := int64(c.size()); size > uncounted {
		c.held = size
		ownBytes, totalBytes := l.held.Add(size), all.bytes.Add(size)
		switch {
		case err != nil:
		case own > 1 && above(ownBytes, cfg.MaxRequestBytes):
			err = errBusy
		case total > 1 && above(totalBytes, cfg.MaxEndpointRequestBytes):
			err = errEndpointBusy
		}
	}
	return err
}

// size is how many bytes a request holds: its frame counts whole, for what was parsed out of it, a status or a meta, is
// held too.
func (c *handlerCtx) size() int {
	size := max(c.input.ReceivedLen(), int(c.input.Size()))
	if c.frame != nil {
		size = max(size, len(c.frame.B))
	}
	return size
}

// finished takes back what begin counted.
func (l *link) finished(c *handlerCtx) {
	all := &l.sess.ep.load
	if c.held > 0 {
		l.held.Add(-c.held)
		all.bytes.Add(-c.held)
	}
	if l.running.Add(-1) == 0 && l.resting.Load() {
		l.rest()
	}
	all.requests.Add(-1)
}

// above reports whether n is more than limit allows, which is none if it is negative.
func above[N int | int64](n, limit N) bool { return limit >= 0 && n > limit }
