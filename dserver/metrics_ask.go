package dserver

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/osgochina/dmicro/logger"
)

// told is what a worker has answered.
type told struct {
	worker  *worker
	pages   []ctlPage
	figures []ctlFigures
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
