// Package cache stands in front of any registry, so that looking up a service costs next to nothing and goes on while
// the registry is away.
//
// A service that is asked for is watched from then on, and asked for again once a TTL in case the watch missed
// something. When the registry returns an error, the last list counts; when it says that there is no node, there is none.
//
// All functions may be called concurrently.
package cache

import (
	"context"
	"sync"
	"time"

	"github.com/osgochina/dmicro/registry"
)

// DefaultTTL is how often a service is asked for though it is watched, unless WithTTL says otherwise.
const DefaultTTL = time.Minute

const (
	// retryAfter is the TTL of an error, and of the last list after one.
	retryAfter = time.Second
	// idleRounds is for how many TTLs a service is watched that nobody asks for.
	idleRounds = 10
	// firstPause and lastPause bound the pauses between attempts to watch.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// maxEntries bounds the services that are watched: names may come from outside. Others are not cached.
	maxEntries = 1024
)

// Cache is a registry that remembers what GetService returned. All else is passed on.
type Cache interface {
	registry.Registry
	// Entry returns the handle of a service, for those who look it up very often.
	Entry(service string) *Entry
	// Stop ends all watches. Afterwards nothing is cached.
	Stop()
}

// Options are the settings of a cache.
type Options struct {
	TTL time.Duration // see WithTTL
}

// Option changes one setting.
type Option func(o *Options)

// WithTTL sets how often a service is asked for though it is watched. Zero and less mean DefaultTTL.
func WithTTL(t time.Duration) Option {
	return func(o *Options) { o.TTL = t }
}

// New returns a cache in front of r. It has no goroutines until something is looked up.
func New(r registry.Registry, opts ...Option) Cache {
	c := &cache{Registry: r, entries: map[string]*Entry{}}
	for _, opt := range opts {
		opt(&c.options)
	}
	if c.options.TTL <= 0 {
		c.options.TTL = DefaultTTL
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

type cache struct {
	registry.Registry
	options Options
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.RWMutex
	entries map[string]*Entry
}

// String returns "cache".
func (c *cache) String() string { return "cache" }

// GetService returns copies.
func (c *cache) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	s, err := c.Entry(name).Load(registry.NewGetOptions(opts...).Context)
	if err != nil {
		return nil, err
	}
	services := make([]*registry.Service, len(s.Services))
	for i, one := range s.Services {
		services[i] = one.Clone()
	}
	return services, nil
}

// Entry implements Cache.
func (c *cache) Entry(service string) *Entry {
	c.mu.RLock()
	e := c.entries[service]
	c.mu.RUnlock()
	if e != nil {
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e = c.entries[service]; e != nil {
		return e
	}
	e = &Entry{c: c, name: service}
	if len(c.entries) < maxEntries && c.ctx.Err() == nil {
		c.entries[service] = e
	} else {
		e.uncached = true
	}
	return e
}

// forget makes room for another service.
func (c *cache) forget(e *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[e.name] == e {
		delete(c.entries, e.name)
	}
}

// Stop implements Cache.
func (c *cache) Stop() {
	c.cancel()
	c.mu.Lock()
	entries := c.entries
	c.entries = map[string]*Entry{}
	c.mu.Unlock()
	for _, e := range entries {
		e.park()
	}
}
