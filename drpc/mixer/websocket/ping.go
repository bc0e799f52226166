package websocket

import (
	"fmt"
	"io"
	"sync"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/internal/clock"
)

// errSilent ends like a lost connection, which a redial mends.
var errSilent = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, ErrSilent)

// pinger looks after one connection with a timer, no goroutine.
type pinger struct {
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

// watch begins to look after the connection. Anything that comes shows that the peer is there, not only pongs.
func (c *Conn) watch(p Ping) {
	if p = p.complete(); p.Interval < 0 {
		return
	}
	c.pings.again(p.Interval, func() { c.check(p, 0) })
}

// check asks a peer that has been silent for the interval, and ends the connection of one that has said nothing since
// it was asked, at asked, one timeout ago. Only what came since then counts, not how late this check is.
func (c *Conn) check(p Ping, asked clock.Time) {
	heard := clock.Time(c.wire.in.at.Load())
	idle := heard.Since()
	next := p.Interval - idle
	switch {
	case asked != 0 && heard <= asked:
		if next = p.Timeout - asked.Since(); next <= 0 {
			c.cut(errSilent)
			return
		}
	case idle >= p.Interval:
		next, asked = p.Timeout, clock.Now()
		if err := c.ws.WriteControl(gorilla.PingMessage, nil, time.Now().Add(controlWait)); err != nil && !c.wire.out.closing() {
			c.cut(fmt.Errorf("ping: %w", err))
			return
		}
	default:
		asked = 0
	}
	c.pings.again(next, func() { c.check(p, asked) })
}

// again runs f after d, unless it was stopped.
func (p *pinger) again(d time.Duration, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.timer = time.AfterFunc(d, f)
	}
}

func (p *pinger) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
