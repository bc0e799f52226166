package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// mdnsDomain is the domain unless OptDomain says otherwise.
	mdnsDomain = "dmicro"
	// mdnsTimeout is how long a look-up waits for the first answer, unless OptTimeout says otherwise.
	mdnsTimeout = time.Second
	// mdnsListing is the service whose instances are the names of services.
	mdnsListing = "_services"
)

// NewRegistry returns a registry that needs no infrastructure: nodes find each other by multicast DNS (RFC 6762), on one
// network. It is not for hostile ones, since anybody there can say anything. No packet leaves the process and no
// socket is opened until the registry is used.
//
// A look-up takes a tenth of a second if there are answers, and OptTimeout, 1 s, if there is none. Node.Paths are not
// carried, and the address of a node has to be that of a host with a port. A node belongs to an id: two versions of a service
// need different ones. ListServices only knows names. A watch asks every few seconds; a node that says good-bye has gone at
// once, one that dies after three questions without an answer. The registry has an io.Closer.
func NewRegistry(opts ...Option) Registry {
	m := &multicast{responders: map[string]*responder{}, pollers: map[string]*poller{}}
	m.options.Apply(opts...)
	return m
}

// multicast is a registry by multicast DNS.
type multicast struct {
	mu         sync.Mutex
	options    Options
	responders map[string]*responder // by full name: of nodes, and of the services that have some
	pollers    map[string]*poller    // by service, those that are watched
}

// String returns "mdns".
func (m *multicast) String() string { return "mdns" }

// Options implements Registry.
func (m *multicast) Options() Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.options
}

// Init implements Registry.
func (m *multicast) Init(opts ...Option) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.options.Apply(opts...)
	return nil
}

func (m *multicast) domain() string {
	if d := strings.Trim(m.Options().Domain, "."); d != "" {
		return d
	}
	return mdnsDomain
}

func (m *multicast) timeout() time.Duration {
	if d := m.Options().Timeout; d > 0 {
		return d
	}
	return mdnsTimeout
}

// Register implements Registry. Registering what is registered already costs nothing.
func (m *multicast) Register(s *Service, opts ...RegisterOption) error {
	s, err := s.Valid()
	if err != nil {
		return err
	}
	ctx, domain := NewRegisterOptions(opts...).Context, m.domain()
	listing, err := listingRecords(s.Name, domain)
	if err != nil {
		return err
	}
	for _, n := range s.Nodes {
		records, err := nodeRecords(ctx, s, n, domain)
		if err != nil {
			return err
		}
		if err := m.answer(records, listing); err != nil {
			return err
		}
	}
	return nil
}

// answer makes records what is answered to questions for their names.
func (m *multicast) answer(all ...*recordSet) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, records := range all {
		if r := m.responders[records.name]; r != nil {
			r.change(records)
			continue
		}
		r, err := newResponder(records)
		if err != nil {
			return err
		}
		m.responders[records.name] = r
	}
	return nil
}

// Deregister implements Registry. It says good-bye for the nodes, and for the service with its last one.
func (m *multicast) Deregister(s *Service, _ ...DeregisterOption) error {
	s, err := s.Valid()
	if err != nil {
		return err
	}
	domain := m.domain()
	for _, n := range s.Nodes {
		for _, r := range m.leave(n.Id, s.Name, domain) {
			r.close()
		}
	}
	return nil
}

// leave takes out what answers for a node, and for its service if it has no other, and returns that.
func (m *multicast) leave(id, service, domain string) (left []*responder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	take := func(name string) bool {
		r := m.responders[name]
		if r != nil {
			left = append(left, r)
			delete(m.responders, name)
		}
		return r != nil
	}
	if take(fullName(id, service, domain)) && !m.serves(serviceName(service, domain)) {
		take(fullName(service, mdnsListing, domain))
	}
	return left
}

// serves reports whether a node of the service is registered here. The caller has the lock.
func (m *multicast) serves(service string) bool {
	for _, r := range m.responders {
		if r.records.Load().service == service {
			return true
		}
	}
	return false
}

// Close says good-bye for all nodes and ends all watches. The registry may be used on.
func (m *multicast) Close() error {
	m.mu.Lock()
	responders, pollers := m.responders, m.pollers
	m.responders, m.pollers = map[string]*responder{}, map[string]*poller{}
	m.mu.Unlock()
	for _, r := range responders {
		r.close()
	}
	for _, p := range pollers {
		p.close()
	}
	return nil
}

// GetService implements Registry.
func (m *multicast) GetService(name string, opts ...GetOption) ([]*Service, error) {
	if name == "" {
		return nil, ErrNotFound
	}
	found, err := m.lookUp(NewGetOptions(opts...).Context, name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	p := m.pollers[name]
	m.mu.Unlock()
	if p != nil { // the watch shall not miss what was seen here, nor this what the watch saw
		found = p.note(found, time.Now())
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	all := Merge(found)
	for i, s := range all {
		all[i] = s.Clone()
	}
	return all, nil
}

// lookUp returns who answers for a service.
func (m *multicast) lookUp(ctx context.Context, name string) ([]*Service, error) {
	domain := m.domain()
	entries, err := query(ctx, name, domain, m.timeout())
	if err != nil {
		return nil, fmt.Errorf("mdns: %s: %w", name, err)
	}
	var found []*Service
	for _, e := range entries {
		if s, ok := serviceOf(e, name, domain); ok {
			found = append(found, s)
		}
	}
	return found, nil
}

// ListServices implements Registry. The services have names only.
func (m *multicast) ListServices(opts ...ListOption) ([]*Service, error) {
	names, err := m.names(NewListOptions(opts...).Context)
	if err != nil {
		return nil, err
	}
	all := make([]*Service, len(names))
	for i, name := range names {
		all[i] = &Service{Name: name}
	}
	return all, nil
}

// names returns the names of all services, sorted.
func (m *multicast) names(ctx context.Context) ([]string, error) {
	domain := m.domain()
	entries, err := query(ctx, mdnsListing, domain, m.timeout())
	if err != nil {
		return nil, fmt.Errorf("mdns: list: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := instanceOf(e.Name, mdnsListing, domain); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// lookUpAll returns who answers for any service.
func (m *multicast) lookUpAll(ctx context.Context) ([]*Service, error) {
	names, err := m.names(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []*Service
	var errs []error
	var wg sync.WaitGroup
	limit := make(chan struct{}, 8) // each has sockets
	for _, name := range names {
		limit <- struct{}{}
		wg.Go(func() {
			found, err := m.lookUp(ctx, name)
			<-limit
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, found...), append(errs, err)
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}
