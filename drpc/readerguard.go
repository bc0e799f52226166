package drpc

import (
	"sync"
	"time"

	"github.com/osgochina/dmicro/internal/clock"
)

// guardPeriod is how often the guard looks.
const guardPeriod = time.Millisecond

// readerGuard sees to it that the connections of an endpoint are read on while their readers are kept by handlers. It
// looks at all of them now and then for as long as there are such handlers, instead of setting a timer for each: to set
// one wakes a thread that waits for it, which costs a lone call more than everything that DMicro does with it.
type readerGuard struct {
	mu    sync.Mutex
	posts []guardPost
	timer *time.Timer // made for the first post
}

// guardPost is a connection whose reader runs handlers.
type guardPost struct {
	link *link
	run  clock.Time // the run that was seen last
}

// watch guards l until its reader has run no handler for a while.
func (g *readerGuard) watch(l *link) {
	if !l.reader.guarded.CompareAndSwap(false, true) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.posts = append(g.posts, guardPost{link: l})
	switch {
	case g.timer == nil:
		g.timer = time.AfterFunc(guardPeriod, g.look)
	case len(g.posts) == 1:
		g.timer.Reset(guardPeriod)
	}
}

// look looks at each connection once, and comes again while there are any.
func (g *readerGuard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := g.posts[:0]
	for _, p := range g.posts {
		if p.look() {
			kept = append(kept, p)
		}
	}
	clear(g.posts[len(kept):])
	if g.posts = kept; len(kept) > 0 {
		g.timer.Reset(guardPeriod)
	}
}

// look has the connection read on where a handler keeps the reader, and reports whether it is to be guarded further.
func (p *guardPost) look() bool {
	r := &p.link.reader
	if run := r.lastRun(); r.busy() || run != p.run {
		if p.run = run; r.busy() && run.Since() >= maxInline {
			p.link.readOn()
		}
		return true
	}
	r.guarded.Store(false)
	// A run that began before could still count on the guard.
	return (r.busy() || r.lastRun() != p.run) && r.guarded.CompareAndSwap(false, true)
}
