package logger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Handler receives a copy of every line that passes the level, beside the ordinary output: the arguments exactly
// as the caller gave them, on the goroutine that logs. So a handler must be safe for concurrent use, must be quick, and
// must not log itself. A handler that panics is contained; the first panic is reported in the log.
type Handler interface {
	// Log receives a line of Print, Info and the other functions without a format. Level is one of the Level
	// bits, LevelNone for Print and Println.
	Log(level int, v ...interface{})
	// LogF receives a line of Printf, Infof and the other functions with a format.
	LogF(level int, format string, v ...interface{})
}

// registration is one handler under its name.
type registration struct {
	name     string
	handler  Handler
	reported atomic.Bool // a handler that panics on every line must not double the log
}

// handlers is the set of handlers: copied on write, so that a line that is being written walks a list that cannot
// change under it, and so that having none costs one load.
type handlers struct {
	mu   sync.Mutex // serialises writers
	list atomic.Pointer[[]*registration]
}

func (hs *handlers) all() []*registration {
	if list := hs.list.Load(); list != nil {
		return *list
	}
	return nil
}

// without is a fresh copy of the list that lacks name.
func (hs *handlers) without(name string) []*registration {
	old := hs.all()
	list := make([]*registration, 0, len(old)+1)
	for _, r := range old {
		if r.name != name {
			list = append(list, r)
		}
	}
	return list
}

func (hs *handlers) add(name string, h Handler) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := append(hs.without(name), &registration{name: name, handler: h})
	hs.list.Store(&list)
}

func (hs *handlers) remove(name string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := hs.without(name)
	hs.list.Store(&list)
}

// each calls fn with every handler and reports the first panic of each of them to failed.
func (hs *handlers) each(fn func(Handler), failed func(error)) {
	for _, r := range hs.all() {
		if err := r.guard(fn); err != nil && r.reported.CompareAndSwap(false, true) {
			failed(err)
		}
	}
}

// guard runs fn on the handler and turns a panic into an error: a broken observer must not take the line's caller
// down.
func (r *registration) guard(fn func(Handler)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("logger: handler %q panicked: %v", r.name, p)
		}
	}()
	fn(r.handler)
	return nil
}

// AddHandler makes h receive every line from now on, under a name. A handler already known by that name is replaced.
// A nil handler is the same as RemoveHandler.
func AddHandler(name string, w Handler) {
	if w == nil {
		std.handlers.remove(name)
		return
	}
	std.handlers.add(name, w)
}

// RemoveHandler takes the handler of that name out; an unknown name is fine. A line that is being written on
// another goroutine may still reach the handler once after RemoveHandler returned.
func RemoveHandler(name string) { std.handlers.remove(name) }

// offer gives a line without a format to the handlers.
func (s *sink) offer(ctx context.Context, level int, v []any) {
	s.handlers.each(func(h Handler) { h.Log(level, v...) }, func(err error) { s.reportHandler(ctx, err) })
}

// offerf gives a line with a format to the handlers.
func (s *sink) offerf(ctx context.Context, level int, format string, v []any) {
	s.handlers.each(func(h Handler) { h.LogF(level, format, v...) }, func(err error) { s.reportHandler(ctx, err) })
}

func (s *sink) reportHandler(ctx context.Context, err error) {
	s.out.Load().writer.Error(ctx, err)
}
