package graceful

import (
	"io"
	"sync"
)

// wordsLimit is how much of either end of the output is kept.
const wordsLimit = 4 << 10

// lastWords passes output on and remembers its beginning and its end: the reason of a crash stands at the beginning,
// the reason of an orderly exit at the end.
type lastWords struct {
	to io.Writer

	mu      sync.Mutex
	head    []byte
	tail    []byte // at most twice wordsLimit, so that it need not move with every write
	dropped bool
}

// Write never fails: the process must not suffer from a standard error that is closed on this side.
func (w *lastWords) Write(p []byte) (int, error) {
	if w.to != nil {
		_, _ = w.to.Write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := p
	if room := wordsLimit - len(w.head); room > 0 {
		n := min(room, len(rest))
		w.head = append(w.head, rest[:n]...)
		rest = rest[n:]
	}
	if len(rest) > wordsLimit {
		rest, w.dropped = rest[len(rest)-wordsLimit:], true
		w.tail = w.tail[:0]
	}
	w.tail = append(w.tail, rest...)
	if len(w.tail) > 2*wordsLimit {
		w.tail = append(w.tail[:0], w.tail[len(w.tail)-wordsLimit:]...)
		w.dropped = true
	}
	return len(p), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	tail, dropped := w.tail, w.dropped
	if len(tail) > wordsLimit {
		tail, dropped = tail[len(tail)-wordsLimit:], true
	}
	if dropped {
		return string(w.head) + "\n[...]\n" + string(tail)
	}
	return string(w.head) + string(tail)
}
