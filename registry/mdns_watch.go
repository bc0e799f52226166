package registry

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/osgochina/dmicro/internal/backoff"
)

const (
	// pollInterval is how often a watched service is asked for.
	pollInterval = 5 * time.Second
	// pollPause is the shortest time between two questions, whatever is heard.
	pollPause = 250 * time.Millisecond
	// missedPolls is after how many questions without an answer a node has gone.
	missedPolls = 3
)

// poller asks for a service again and again as long as somebody watches it.
type poller struct {
	m       *multicast
	service string // empty: all
	cancel  context.CancelFunc
	wake    chan struct{} // has room for one: ask now

	mu    sync.Mutex
	feeds map[*Feed]bool
	seen  map[nodeKey]*sighting
}

// sighting is a node that answered.
type sighting struct {
	service *Service // with that node
	last    time.Time
	missed  int
	leaving bool // it said good-bye after last
}

// mdnsWatch is a feed of a poller.
type mdnsWatch struct {
	*Feed
	stop func()
}

func (w *mdnsWatch) Stop() {
	w.Feed.Stop()
	w.stop()
}

// Watch implements Registry.
func (m *multicast) Watch(opts ...WatchOption) (Watcher, error) {
	o := NewWatchOptions(opts...)
	f := NewFeed(o.Context)
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pollers[o.Service]
	if p == nil {
		ctx, cancel := context.WithCancel(context.Background())
		p = &poller{m: m, service: o.Service, cancel: cancel, wake: make(chan struct{}, 1), feeds: map[*Feed]bool{}, seen: map[nodeKey]*sighting{}}
		m.pollers[o.Service] = p
		go p.run(ctx)
	}
	p.mu.Lock()
	p.feeds[f] = true
	f.Set(p.list())
	p.mu.Unlock()
	stop := sync.OnceFunc(func() { m.unwatch(p, f) })
	context.AfterFunc(f.Context(), stop)
	return &mdnsWatch{f, stop}, nil
}

// unwatch ends the poller with its last feed.
func (m *multicast) unwatch(p *poller, f *Feed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.feeds, f)
	if len(p.feeds) == 0 && m.pollers[p.service] == p {
		delete(m.pollers, p.service)
		p.cancel()
	}
}

// close ends the poller and its feeds.
func (p *poller) close() {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for f := range p.feeds {
		f.Stop()
	}
}

func (p *poller) run(ctx context.Context) {
	listenIn(ctx, p.heard)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.wake:
		}
		p.poll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pollPause):
		}
		timer.Reset(backoff.Jitter(pollInterval))
	}
}

// poll asks once.
func (p *poller) poll(ctx context.Context) {
	began := time.Now()
	var found []*Service
	var err error
	if p.service == "" {
		found, err = p.m.lookUpAll(ctx)
	} else {
		found, err = p.m.lookUp(ctx, p.service)
	}
	if err != nil {
		return // nothing is known, so nothing changes
	}
	p.note(found, began)
	p.miss(began)
}

// note notes who answered a question of that time, and returns all that are there.
func (p *poller) note(found []*Service, began time.Time) []*Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range found {
		k := nodeKey{s.Name, s.Version, s.Nodes[0].Id}
		old := p.seen[k]
		switch {
		case old == nil && len(p.seen) >= mdnsMaxEntries:
			continue
		case old != nil && old.leaving && began.Before(old.last):
			continue // an answer from before the good-bye, or the good-bye itself
		case old == nil:
			// The same instance under another version has been replaced.
			maps.DeleteFunc(p.seen, func(o nodeKey, _ *sighting) bool { return o.name == k.name && o.id == k.id })
		}
		p.seen[k] = &sighting{service: s, last: time.Now()}
	}
	p.publish()
	return p.list()
}

// miss counts who did not answer a question of that time.
func (p *poller) miss(began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.seen, func(_ nodeKey, s *sighting) bool {
		if !s.last.Before(began) {
			return false
		}
		s.missed++
		return s.leaving || s.missed >= missedPolls
	})
	p.publish()
}

// publish tells the watchers. The caller has the lock.
func (p *poller) publish() {
	list := p.list()
	for f := range p.feeds {
		f.Set(list)
	}
}

// list returns all that are there, in a stable order. The caller has the lock.
func (p *poller) list() []*Service {
	keys := slices.SortedFunc(maps.Keys(p.seen), nodeKey.compare)
	all := make([]*Service, len(keys))
	for i, k := range keys {
		all[i] = p.seen[k].service
	}
	return all
}

// heard looks at what goes over the network: somebody comes, goes or changes. Whatever it says is only a reason to ask.
func (p *poller) heard(m *dns.Msg) {
	domain := p.m.domain()
	suffix := "." + domain + "."
	if p.service != "" {
		suffix = "." + p.service + suffix
	}
	ours := false
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Rrtype != dns.TypeSRV || !strings.HasSuffix(unescapeName(h.Name), suffix) {
			continue
		}
		ours = true
		if h.Ttl == 0 {
			p.goodbye(h.Name, domain)
		}
	}
	if ours {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// goodbye notes that an instance is going. If it is still there, because another process has taken it over, it answers the
// next question.
func (p *poller) goodbye(name, domain string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, s := range p.seen {
		if sameName(fullName(k.id, k.name, domain), name) {
			s.leaving, s.last = true, time.Now()
		}
	}
}
