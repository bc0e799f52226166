package proclog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// queueSize bounds what waits for a slow logger.
	queueSize = 4 << 20
	// lineSize bounds a line; a longer one is written in pieces.
	lineSize = 64 << 10
	// lineWait is how long the beginning of a line waits for its end. Then it is shown, so that a prompt is seen.
	lineWait = time.Second
	// keepSize is the most memory that a quiet queue holds on to.
	keepSize = 256 << 10
)

// Pump carries what a program writes from its pipe to a logger, in whole lines. It reads whatever the logger does:
// a program is never held up by its log. What a logger that is too slow or broken could not take is dropped
// in whole lines, and a line in the log says how many bytes that was.
type Pump struct {
	from *os.File
	to   Logger

	eof  chan struct{} // closed when nothing more comes
	done chan struct{} // closed when everything is with the logger
	wake chan struct{} // has a token when there is work

	mu      sync.Mutex
	queue   []byte
	dropped int64
}

// NewPump begins to carry. The pump owns from, the reading end of a pipe, and borrows to. It ends when all
// writers of the pipe are gone, or by Finish.
func NewPump(from *os.File, to Logger) *Pump {
	p := &Pump{
		from: from, to: to,
		eof: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	go p.read()
	go p.write()
	return p
}

// Finish ends the pump after the program has ended: it waits for what is in the pipe, at most for the grace, because a
// process that the program has left behind may hold the pipe open, then closes it and waits for the logger, again at most
// for the grace. It reports whether the logger has everything; otherwise the pump lets go when the logger does.
func (p *Pump) Finish(grace time.Duration) bool {
	limit := time.NewTimer(grace)
	defer limit.Stop()
	select {
	case <-p.eof:
	case <-limit.C:
		_ = p.from.Close() // ends the read
	}
	limit.Reset(grace)
	select {
	case <-p.done:
		return true
	case <-limit.C:
		return false
	}
}

func (p *Pump) read() {
	defer close(p.eof)
	defer p.from.Close()
	buf, n := make([]byte, lineSize), 0 // buf[:n] is a line that has not ended
	for {
		var until time.Time
		if n > 0 {
			until = time.Now().Add(lineWait)
		}
		_ = p.from.SetReadDeadline(until) // without deadlines, as on Windows, a line's beginning waits for its end
		m, err := p.from.Read(buf[n:])
		n += m
		end := bytes.LastIndexByte(buf[:n], '\n') + 1
		if err != nil || end == 0 && n == len(buf) {
			end = n
		}
		p.put(buf[:end])
		n = copy(buf, buf[end:n])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// put queues lines, or counts them as dropped.
func (p *Pump) put(lines []byte) {
	if len(lines) == 0 {
		return
	}
	p.mu.Lock()
	if len(p.queue)+len(lines) > queueSize {
		p.dropped += int64(len(lines))
	} else {
		p.queue = append(p.queue, lines...)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Pump) write() {
	defer close(p.done)
	var spare []byte
	for ended := false; !ended; {
		select {
		case <-p.wake:
		case <-p.eof:
			ended = true
		}
		if spare = p.flush(spare[:0]); cap(spare) > keepSize {
			spare = nil
		}
	}
}

// flush writes what is queued and returns the memory of it for the next queue.
func (p *Pump) flush(spare []byte) []byte {
	p.mu.Lock()
	lines, lost := p.queue, p.dropped
	p.queue, p.dropped = spare, 0
	p.mu.Unlock()
	if len(lines) > 0 {
		if n, err := p.to.Write(lines); err != nil {
			lost += int64(len(lines) - n)
			p.lose(lost)
			return lines
		}
	}
	if lost > 0 {
		if _, err := fmt.Fprintf(p.to, "supervisor: %d bytes of output were dropped, the log was too slow or failed\n", lost); err != nil {
			p.lose(lost)
		}
	}
	return lines
}

// lose remembers bytes that could not be written, for the notice that follows when the logger works again.
func (p *Pump) lose(n int64) {
	p.mu.Lock()
	p.dropped += n
	p.mu.Unlock()
}
