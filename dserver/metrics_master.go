package dserver

import (
	"context"
	"sync"
	"time"

	"github.com/osgochina/dmicro/metrics"
)

const (
	figuresPeriod = 2 * time.Second        // between rounds of questions when nobody looks at a page
	figuresTime   = 500 * time.Millisecond // of a round; who does not answer counts with what it said before
	figuresFresh  = 100 * time.Millisecond // how old a round may be for whoever looks at a page
	emptyTime     = 5 * time.Second        // after which a page that no worker has is taken down
	maxSumPages   = 64
	maxLastFile   = maxPages * 2 * maxPacked
)

// figures are the metrics pages of all workers: each shows the sum of what the workers have counted, and of what those
// have counted that are gone. Its methods may be called from any goroutine.
type figures struct {
	master *master
	stop   context.CancelFunc
	ended  context.Context
	wg     sync.WaitGroup

	mu    sync.Mutex // held through a round
	asked time.Time  // end of the last round
	pages map[ctlPageKey]*sumPage
}

func newFigures(m *master) *figures {
	f := &figures{master: m, pages: make(map[ctlPageKey]*sumPage)}
	f.ended, f.stop = context.WithCancel(context.Background())
	return f
}

// begin asks the workers from time to time until close: for pages that are not shown yet, and so that little is lost of
// what a worker has counted that is killed.
func (f *figures) begin() {
	f.wg.Go(func() {
		tick := time.NewTicker(figuresPeriod)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.refresh()
			case <-f.ended.Done():
				return
			}
		}
	})
}

// close takes the pages down. The workers have ended.
func (f *figures) close() {
	f.stop()
	f.mu.Lock()
	var down []metrics.Published
	for _, p := range f.pages {
		if p.shown != nil {
			down = append(down, p.shown)
			p.shown = nil
		}
	}
	f.mu.Unlock()
	f.wg.Wait() // nothing is begun any more
	takeDown(down)
	f.dropFiles()
}

// refresh asks all workers, unless that was done a moment ago.
func (f *figures) refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended.Err() != nil || time.Since(f.asked) < figuresFresh {
		return
	}
	down := f.round(f.ended)
	f.asked = time.Now()
	if len(down) > 0 {
		f.wg.Go(func() { takeDown(down) })
	}
}

// round asks all workers, and returns the pages that are to be taken down.
func (f *figures) round(ctx context.Context) (down []metrics.Published) {
	answers := f.ask(ctx)
	for _, p := range f.pages {
		p.wanted = false
	}
	answered := make(map[*worker]bool)
	for _, t := range answers {
		answered[t.worker] = true
		if t.worker.retired {
			continue
		}
		for _, told := range t.pages {
			if p := f.page(told); p != nil && told.Open {
				p.wanted = true
			}
		}
		f.take(t.worker, t.figures)
	}
	settled := f.settled(answered)
	for _, p := range f.pages {
		if p.wanted {
			p.empty = time.Time{}
			f.show(p)
		} else if settled && p.empty.IsZero() {
			p.empty = time.Now()
		}
		if p.shown != nil && settled && !p.empty.IsZero() && time.Since(p.empty) >= emptyTime {
			down = append(down, p.shown)
			p.shown = nil
		}
	}
	return down
}

// settled reports whether it is known of every service which pages it has: it has told so, or has no worker and is to
// have none.
func (f *figures) settled(answered map[*worker]bool) bool {
	for _, v := range f.master.services {
		w := v.current()
		if w != nil && answered[w] {
			continue
		}
		if state := v.status().state; w != nil || state != StateStopped && state != StateFatal {
			return false
		}
	}
	return true
}
