package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/osgochina/dmicro/logger"
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

// sumPage is one page, guarded by figures.mu.
type sumPage struct {
	page   metrics.Page
	sum    *metrics.Sum      // nil if figures of this format cannot be added up
	shown  metrics.Published // nil while it is not
	empty  time.Time         // since when no worker has it; zero while one does
	wanted bool              // in this round
	grief  string            // the last that was logged
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

// dropFiles removes last figures that nobody has read.
func (f *figures) dropFiles() {
	left, _ := filepath.Glob(filepath.Join(f.master.dir, "[0-9]*.figures")) // the pattern is good
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// takeDown closes pages, without any lock: those who look at them are waited for.
func takeDown(pages []metrics.Published) {
	for _, p := range pages {
		if err := p.Close(); err != nil {
			logger.Warningf(context.Background(), "closing a metrics page: %v", err)
		}
	}
}

// told is what a worker has answered.
type told struct {
	worker  *worker
	pages   []ctlPage
	figures []ctlFigures
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

// ask returns the answers that come in time.
func (f *figures) ask(ctx context.Context) (answers []told) {
	ctx, cancel := context.WithTimeout(ctx, figuresTime)
	defer cancel()
	workers := f.master.everyWorker()
	come := make(chan told, len(workers))
	waiting := 0
	for _, w := range workers {
		if !w.asked.CompareAndSwap(false, true) {
			continue // it still owes the last answer: it hangs
		}
		waiting++
		go func() {
			defer w.asked.Store(false)
			if t, ok := w.tellFigures(ctx); ok {
				come <- t
				return
			}
			come <- told{}
		}()
	}
	for ; waiting > 0; waiting-- {
		select {
		case t := <-come:
			if t.worker != nil {
				answers = append(answers, t)
			}
		case <-ctx.Done():
			return answers
		}
	}
	return answers
}

// tellFigures asks one worker.
func (w *worker) tellFigures(ctx context.Context) (told, bool) {
	t := told{worker: w}
	if _, err := os.Lstat(w.socket); errors.Is(err, fs.ErrNotExist) {
		return t, true // without ctl there is no socket until there is a page
	}
	var all ctlPages
	if stat := w.call(ctx, methodPages, nil, &all); !stat.OK() {
		return t, false
	}
	t.pages = all.List[:min(len(all.List), maxPages)]
	for _, p := range t.pages {
		var one ctlFigures
		if stat := w.call(ctx, methodFigures, p.ctlPageKey, &one); stat.OK() {
			t.figures = append(t.figures, one)
		} else {
			logger.Debugf(ctx, "worker %d: the figures of %v: %v", w.pid, p.ctlPageKey, stat)
		}
	}
	return t, true
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

// page returns the page that a worker speaks of, or nil if it cannot be shown.
func (f *figures) page(told ctlPage) *sumPage {
	p := f.pages[told.ctlPageKey]
	if p == nil {
		if len(f.pages) >= maxSumPages {
			return nil
		}
		p = &sumPage{page: metrics.Page{
			Format: told.Format, ContentType: told.ContentType, Address: told.Address, Path: told.Path,
		}}
		f.pages[told.ctlPageKey] = p
		sum, err := metrics.NewSum(told.Format)
		if err != nil {
			p.complain(err)
			return nil
		}
		p.sum = sum
		p.page.Snapshot = func(ctx context.Context) ([]byte, error) {
			f.refresh()
			return sum.Snapshot(ctx)
		}
	}
	if p.sum == nil || p.page.Format != told.Format {
		return nil
	}
	return p
}

// complain logs what is wrong with a page, once.
func (p *sumPage) complain(err error) {
	if text := err.Error(); text != p.grief {
		p.grief = text
		logger.Errorf(context.Background(), "metrics page %v of the workers: %v", keyOf(p.page), err)
	}
}

// show shows a page. Where that fails it is tried again in the next round.
func (f *figures) show(p *sumPage) {
	if p.shown != nil {
		return
	}
	shown, err := metrics.Serve(p.page)
	if err != nil {
		p.complain(err)
		return
	}
	p.shown, p.grief = shown, ""
	logger.Infof(context.Background(), "metrics page: the sum of the workers is shown at http://%v%s", shown.Addr(), p.page.Path)
}

// take puts the figures of a worker in the place of those that it had.
func (f *figures) take(w *worker, list []ctlFigures) {
	for _, told := range list {
		p := f.page(told.Page)
		if p == nil || told.Packed == nil {
			continue
		}
		text, err := unpack(told.Packed)
		if err != nil {
			p.complain(err)
			continue
		}
		p.sum.Set(w.name(), text)
	}
}

// name is one that no other worker has had.
func (w *worker) name() string { return w.service.name + " " + strconv.Itoa(w.generation) }

// retire is called when a worker has ended: what it has counted stays, what it held does not.
func (f *figures) retire(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.retired {
		return
	}
	w.retired = true
	last, err := readLast(lastFigures(f.master.dir, w.pid))
	if err != nil {
		logger.Warningf(context.Background(), "the last figures of worker %d: %v", w.pid, err)
	}
	f.take(w, last)
	for _, p := range f.pages {
		if p.sum == nil {
			continue
		}
		if err := p.sum.Drop(w.name()); err != nil {
			p.complain(err)
		}
	}
}

// readLast reads and removes the last figures of a worker. One that was killed has left none.
func readLast(path string) (last []ctlFigures, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	_ = os.Remove(path)
	text, err := io.ReadAll(io.LimitReader(file, maxLastFile))
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		return nil, err
	}
	return last[:min(len(last), maxPages)], nil
}

// everyWorker lists the workers that serve, and those that are leaving.
func (m *master) everyWorker() (all []*worker) {
	for _, v := range m.services {
		v.mu.Lock()
		if v.worker != nil {
			all = append(all, v.worker)
		}
		all = append(all, v.leaving...)
		v.mu.Unlock()
	}
	return all
}
