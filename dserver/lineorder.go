package dserver

import "sync"

// maxAhead bounds the lines that wait for one that is missing.
const maxAhead = 4096

// lineOrder puts the lines of a log back into their order. It may be used
// concurrently.
type lineOrder struct {
	mu    sync.Mutex
	next  int
	ahead map[int]string
	emit  func(line string)
}

func newLineOrder(emit func(string)) *lineOrder {
	return &lineOrder{next: 1, ahead: make(map[int]string), emit: emit}
}

// add takes the line with that number and emits it and its followers as soon as
// all before them are there. A line without a number, 0, is emitted at once: its
// server does not count. Emission is one at a time.
func (o *lineOrder) add(number int, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if number < o.next { // not numbered, or late after skip
		o.emit(line)
		return
	}
	o.ahead[number] = line
	if len(o.ahead) > maxAhead {
		o.skip()
	}
	for {
		line, ok := o.ahead[o.next]
		if !ok {
			return
		}
		delete(o.ahead, o.next)
		o.next++
		o.emit(line)
	}
}

// restart begins a new subscription, whose first line is number 1.
func (o *lineOrder) restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next = 1
	clear(o.ahead)
}

// skip gives the missing line up.
func (o *lineOrder) skip() {
	first := 0
	for n := range o.ahead {
		if first == 0 || n < first {
			first = n
		}
	}
	o.next = first
}
