package metrics

import (
	"context"
	"net"
	"sync/atomic"
)

// Page is figures that are shown at an address.
type Page struct {
	// Format names what Snapshot writes. Figures of one format can be added up by the [Merger] that is registered for it.
	Format string
	// ContentType is what HTTP calls the format.
	ContentType string
	// Address is the host and the port to show the page at; port 0 takes a free one.
	Address string
	// Path is the path of the page; it begins with a slash.
	Path string
	// Snapshot returns the figures as they are.
	Snapshot func(ctx context.Context) ([]byte, error)
}

// Published is a page that is being shown.
type Published interface {
	// Addr is where, nil if somebody else shows the page.
	Addr() net.Addr
	// Close takes the page down and waits until whoever was asking has an answer, for a few seconds at most. A second
	// Close returns nil.
	Close() error
}

// Publisher shows a page, or sees to it that somebody does.
type Publisher func(Page) (Published, error)

var publisher atomic.Pointer[Publisher]

// SetPublisher makes p show the pages of this process instead of [Serve], as in a worker whose master shows the figures
// of all its workers. A program calls it once, before the first page is published; a second call panics, since part of
// the pages would be unknown to either.
func SetPublisher(p Publisher) {
	if !publisher.CompareAndSwap(nil, &p) {
		panic("metrics: SetPublisher is called twice")
	}
}

// Publish shows a page: by the function of SetPublisher, else by Serve.
func Publish(p Page) (Published, error) {
	if set := publisher.Load(); set != nil {
		return (*set)(p)
	}
	return Serve(p)
}
