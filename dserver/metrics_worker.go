package dserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/metrics"
)

// lastTime bounds how long the last figures of a page are waited for.
const lastTime = time.Second

// workerPages are the metrics pages of a worker. The worker does not show them, since its master shows the sum of all
// workers, but tells the figures over its control socket, and leaves the last ones in a file.
type workerPages struct {
	server *DServer
	dir    string // run directory
	door   func() error

	mu     sync.Mutex
	opened *ctlServer // by door; nil where the program has ctl anyway
	list   []*workerPage
}

// workerPage is a page that is to be shown, or that has been.
type workerPage struct {
	of   *workerPages
	page metrics.Page
	turn chan struct{} // holds a token; one snapshot at a time: those that hang shall not pile up

	// Guarded by workerPages.mu.
	closed bool
	last   []byte // packed figures of a page that is closed; nil if there are none
}

// holdPages makes this worker keep its metrics pages for its master.
func (s *DServer) holdPages(dir string) *workerPages {
	p := &workerPages{server: s, dir: dir}
	p.door = sync.OnceValue(p.openDoor)
	metrics.SetPublisher(p.publish)
	return p
}

// openDoor makes sure that the master can ask. A program without ctl gets a socket that answers nothing else, and only if
// it has a page.
func (p *workerPages) openDoor() (err error) {
	if p.server.hasCtl() {
		return nil
	}
	if err = instance.Check(p.dir); err != nil {
		return err
	}
	c, err := p.server.openCtl(workerSocket(p.dir, os.Getpid()))
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = c
	return nil
}

// socket is what openDoor has opened, nil if nothing.
func (p *workerPages) socket() *ctlServer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// owns reports whether e serves the socket that openDoor has opened. There may be no pages.
func (p *workerPages) owns(e drpc.Endpoint) bool {
	if p == nil {
		return false
	}
	c := p.socket()
	return c != nil && c.endpoint == e
}

// publish is the metrics.Publisher of a worker.
func (p *workerPages) publish(page metrics.Page) (metrics.Published, error) {
	if err := p.door(); err != nil {
		return nil, fmt.Errorf("metrics page: %w", err)
	}
	key := keyOf(page)
	if len(key.Address)+len(key.Path) > maxPageKey {
		return nil, errors.New("metrics page: address and path are too long")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	own := &workerPage{of: p, page: page, turn: make(chan struct{}, 1)}
	for i, other := range p.list {
		switch {
		case keyOf(other.page) != key:
		case !other.closed:
			return nil, fmt.Errorf("metrics page %v: %w", key, metrics.ErrPathTaken)
		default:
			p.list[i] = own
			return own, nil
		}
	}
	if len(p.list) >= maxPages {
		return nil, fmt.Errorf("metrics page %v: a worker has %d pages at most", key, maxPages)
	}
	p.list = append(p.list, own)
	return own, nil
}

// Addr is nil: the master shows the page.
func (w *workerPage) Addr() net.Addr { return nil }

// Close keeps the last figures for the master.
func (w *workerPage) Close() error {
	last, err := w.take(lastTime)
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed, w.last = true, last
	return err
}

// take returns the packed figures as they are, or the last ones. Who takes them for another process waits for a while
// only: a snapshot may run code of the program.
func (w *workerPage) take(limit time.Duration) ([]byte, error) {
	w.of.mu.Lock()
	closed, last := w.closed, w.last
	w.of.mu.Unlock()
	if closed {
		return last, nil
	}
	over := time.After(limit)
	late := fmt.Errorf("metrics page %v: there are no figures within %v", keyOf(w.page), limit)
	select {
	case w.turn <- struct{}{}:
	case <-over:
		return nil, late
	}
	type outcome struct {
		packed []byte
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-w.turn }()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		text, err := w.page.Snapshot(ctx)
		if err != nil {
			done <- outcome{err: err}
			return
		}
		packed, err := pack(text)
		done <- outcome{packed, err}
	}()
	select {
	case out := <-done:
		if out.err != nil {
			return nil, fmt.Errorf("metrics page %v: %w", keyOf(w.page), out.err)
		}
		return out.packed, nil
	case <-over:
		return nil, late
	}
}

// told is what the master is told of the page; the lock is held.
func (w *workerPage) told() ctlPage {
	return ctlPage{
		ctlPageKey: keyOf(w.page), Format: w.page.Format, ContentType: w.page.ContentType, Open: !w.closed,
	}
}

func (p *workerPages) find(key ctlPageKey) (*workerPage, ctlPage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.list {
		if keyOf(w.page) == key {
			return w, w.told()
		}
	}
	return nil, ctlPage{}
}

func (p *workerPages) pages() (all ctlPages) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.list {
		all.List = append(all.List, w.told())
	}
	return all
}

// methods are those of the control socket.
func (p *workerPages) methods() map[string]ctlMethod {
	return map[string]ctlMethod{
		methodPages: withArg(func(drpc.CtxSession, ctlNone) (any, *drpc.Status) { return p.pages(), nil }),
		methodFigures: withArg(func(_ drpc.CtxSession, key ctlPageKey) (any, *drpc.Status) {
			w, told := p.find(key)
			if w == nil {
				return nil, drpc.NewStatus(ctlNotFound, "there is no such page")
			}
			packed, err := w.take(figuresTime)
			if err != nil {
				return nil, drpc.NewStatus(ctlFailed, err.Error())
			}
			return ctlFigures{Page: told, Packed: packed}, nil
		}),
	}
}

// leave writes the last figures to where the master looks for them when this process has ended, and does nothing if
// there is no master any more.
func (p *workerPages) leave() {
	if c := p.socket(); c != nil {
		c.close()
	}
	select {
	case <-p.server.orphaned:
		return
	default:
	}
	var last []ctlFigures
	for _, told := range p.pages().List {
		w, _ := p.find(told.ctlPageKey)
		packed, err := w.take(lastTime)
		if err != nil {
			logger.Warningf(context.Background(), "the last figures: %v", err)
		}
		if packed != nil {
			last = append(last, ctlFigures{Page: told, Packed: packed})
		}
	}
	if len(last) == 0 {
		return
	}
	text, err := json.Marshal(last)
	if err == nil {
		err = os.WriteFile(lastFigures(p.dir, os.Getpid()), text, 0o600)
	}
	if err != nil {
		logger.Warningf(context.Background(), "the last figures: %v", err)
	}
}
