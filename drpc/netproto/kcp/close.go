package kcp

import "time"

const (
	// firstRepeat and lastRepeat are the pauses between the datagrams that say the same until they are answered.
	firstRepeat = 50 * time.Millisecond
	lastRepeat  = 500 * time.Millisecond
)

// Close ends the connection. It returns when the peer has everything, or after Config.Linger; at once where the peer has
// closed first or is lost. A second Close waits for the first and returns nil.
func (c *Conn) Close() error {
	if c.beginClose() {
		c.linger()
		c.release()
	}
	<-c.closeFinished
	return nil
}

// abort ends the connection without waiting. The peer learns of it.
func (c *Conn) abort() {
	if c.beginClose() {
		c.release()
	}
}

// beginClose makes reads and writes end. It returns false when that has been done before.
func (c *Conn) beginClose() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.closing = true
	if c.peerClosing {
		c.finish() // it reads no more
	}
	c.wake()
	return true
}

// linger tells the peer, until it answers or time is up.
func (c *Conn) linger() {
	c.writing.Lock() // by now nobody writes any more
	put := c.put
	c.writing.Unlock()
	limit := time.NewTimer(c.hub.cfg.Linger)
	defer limit.Stop()
	if c.hub.cfg.Older {
		c.lingerOlder(limit.C)
		return
	}
	for pause := firstRepeat; ; pause = min(2*pause, lastRepeat) {
		select {
		case <-c.done:
			return
		default:
			c.hub.tell(c.port.peer, c.conv, closing, put)
		}
		again := time.NewTimer(pause)
		select {
		case <-c.done:
		case <-limit.C:
			again.Stop()
			return
		case <-again.C:
		}
		again.Stop()
	}
}

// lingerOlder gives KCP the time to repeat what is lost: an older peer never says that it has everything.
func (c *Conn) lingerOlder(limit <-chan time.Time) {
	select {
	case <-c.done:
	case <-limit:
	case <-time.After(olderLinger):
	}
}

// olderLinger is a few round trips.
const olderLinger = 200 * time.Millisecond

// release gives back what the connection holds.
func (c *Conn) release() {
	c.mu.Lock()
	last := gone
	if c.peerClosing {
		last = closed
	}
	c.finish()
	c.mu.Unlock()
	c.hub.tell(c.port.peer, c.conv, last, 0) // the peer need not wait any longer, whatever for
	_ = c.kcp.Close()                        // nobody else closes it
	_ = c.port.Close()
	c.hub.remove(c)
	close(c.closeFinished)
}
