package drpc

import "sync"

// minPending is the size of the table of pending calls when the first call is made; it is a power of two.
const minPending = 16

// pending is the table of calls of one connection that wait for their reply, by sequence number. Sequence numbers are
// handed out in order, so a slot is found by masking; a call that outlives a whole turn of the table is in its way
// and moves the newer one to the overflow map.
//
// Whoever takes a call out of the table completes it, and nobody else.
type pending struct {
	mu       sync.Mutex
	slots    []*callCmd
	overflow map[int32]*callCmd
	n        int
	closed   bool
	emptied  chan struct{} // closed when the last call of a sealed table is taken out
}

// add enters a call. It returns false once the table is closed.
func (p *pending) add(seq int32, c *callCmd) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if p.n >= len(p.slots)/2 {
		p.grow()
	}
	p.put(seq, c)
	p.n++
	return true
}

func (p *pending) put(seq int32, c *callCmd) {
	if i := p.index(seq); p.slots[i] == nil {
		p.slots[i] = c
		return
	}
	if p.overflow == nil {
		p.overflow = make(map[int32]*callCmd)
	}
	p.overflow[seq] = c
}

func (p *pending) index(seq int32) int { return int(uint32(seq) & uint32(len(p.slots)-1)) }

// grow doubles the table.
func (p *pending) grow() {
	old := p.slots
	p.slots = make([]*callCmd, max(minPending, 2*len(old)))
	for _, c := range old {
		if c != nil {
			p.put(c.output.Seq(), c)
		}
	}
}

// take takes the call with this sequence number out, nil if there is none.
func (p *pending) take(seq int32) *callCmd {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.slots) == 0 {
		return nil
	}
	if i := p.index(seq); p.slots[i] != nil && p.slots[i].output.Seq() == seq {
		c := p.slots[i]
		p.slots[i] = nil
		p.taken()
		return c
	}
	c := p.overflow[seq]
	if c != nil {
		delete(p.overflow, seq)
		p.taken()
	}
	return c
}

// taken counts a call that was taken out.
func (p *pending) taken() {
	if p.n--; p.n == 0 && p.emptied != nil {
		close(p.emptied)
		p.emptied = nil
	}
}

// seal refuses new calls and keeps those that wait. The channel closes when the last of them has been taken out.
func (p *pending) seal() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.n == 0 {
		return closedChan
	}
	if p.emptied == nil {
		p.emptied = make(chan struct{})
	}
	return p.emptied
}

// close takes all calls out and refuses new ones.
func (p *pending) close() []*callCmd {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	calls := make([]*callCmd, 0, p.n)
	for _, c := range p.slots {
		if c != nil {
			calls = append(calls, c)
		}
	}
	for _, c := range p.overflow {
		calls = append(calls, c)
	}
	p.slots, p.overflow, p.n = nil, nil, 0
	if p.emptied != nil {
		close(p.emptied)
		p.emptied = nil
	}
	return calls
}

// len is the number of calls that wait.
func (p *pending) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}
