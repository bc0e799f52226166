package dserver

import (
	"context"
	"time"

	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
)

// sumPage is one page, guarded by figures.mu.
type sumPage struct {
	page      metrics.Page
	sum       *metrics.Sum      // nil if figures of this format cannot be added up
	shown     metrics.Published // nil while it is not
	empty     time.Time         // since when no worker has it; zero while one does
	wanted    bool              // in this round
	complaint string            // the last that was logged
}

// takeDown closes pages, without any lock: those who look at them are waited for.
func takeDown(pages []metrics.Published) {
	for _, p := range pages {
		if err := p.Close(); err != nil {
			logger.Warningf(context.Background(), "closing a metrics page: %v", err)
		}
	}
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
	if text := err.Error(); text != p.complaint {
		p.complaint = text
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
	p.shown, p.complaint = shown, ""
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
