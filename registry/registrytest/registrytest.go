// Package registrytest checks that a registry does what package registry promises of all of them.
//
// A test of a registry calls [Run]; the tests that it makes run in parallel if the registry allows it.
package registrytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/registry"
)

// Soon is a time that only a hang can take.
const Soon = 30 * time.Second

// Config says what a registry can do.
type Config struct {
	// New returns an empty registry, or one that no other test shares services with. What it needs is cleaned up with t.
	New func(t *testing.T) registry.Registry
	// NoPaths is for registries that do not carry Node.Paths.
	NoPaths bool
	// NamesOnly is for registries whose ListServices only knows names.
	NamesOnly bool
	// OneNodeAnID is for registries in which an id belongs to a node whatever its version.
	OneNodeAnID bool
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	for name, test := range map[string]func(*testing.T, Config){
		"what is registered is found":              found,
		"versions are services of their own":       versions,
		"what is deregistered is not found":        deregistered,
		"invalid services are refused":             invalid,
		"what is given and returned is not shared": copies,
		"services are listed":                      listed,
		"a watch begins with what is there":        watchList,
		"a watch reports changes":                  watchChanges,
		"a watch is of one service":                watchOne,
		"a stopped watch ends":                     watchStop,
		"the context of a watch ends it":           watchContext,
		"all may be done at once":                  concurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// Service returns a service with one node whose address ends in port.
func Service(name, version string, port int) *registry.Service {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	return &registry.Service{Name: name, Version: version, Nodes: []*registry.Node{{
		Id: name + "-" + address, Address: address,
		Paths: []string{"/math/add"}, Metadata: map[string]string{"weight": "1", "zone": "ä \"b\""},
	}}}
}

// Addresses returns the addresses of all nodes of the service, sorted; nil if there are none. It fails the test if the
// registry cannot say.
func Addresses(t *testing.T, r registry.Registry, service string) []string {
	t.Helper()
	all, err := addresses(t, r, service)
	if err != nil {
		t.Fatalf("GetService(%q): %v", service, err)
	}
	return all
}

func addresses(t *testing.T, r registry.Registry, service string) (all []string, err error) {
	t.Helper()
	services, err := r.GetService(service)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err == nil && len(services) == 0 {
		t.Fatalf("GetService(%q) returned neither services nor ErrNotFound", service)
	}
	for _, s := range services {
		if s.Name != service {
			t.Errorf("GetService(%q) returned %q", service, s.Name)
		}
		for _, n := range s.Nodes {
			all = append(all, n.Address)
		}
	}
	slices.Sort(all)
	return all, err
}

// Get waits until the service has so many nodes, and returns it. A look-up by multicast may miss a node once.
func Get(t *testing.T, r registry.Registry, service string, nodes int) (services []*registry.Service) {
	t.Helper()
	polltest.Until(t, fmt.Sprintf("%d nodes of %s", nodes, service), func() bool {
		var err error
		services, err = r.GetService(service)
		n := 0
		for _, s := range services {
			n += len(s.Nodes)
		}
		return err == nil && n == nodes
	})
	return services
}

// Register registers or fails the test.
func Register(t *testing.T, r registry.Registry, s *registry.Service) {
	t.Helper()
	if err := r.Register(s); err != nil {
		t.Fatalf("Register(%s): %v", s.Name, err)
	}
}

// Deregister deregisters or fails the test.
func Deregister(t *testing.T, r registry.Registry, s *registry.Service) {
	t.Helper()
	if err := r.Deregister(s); err != nil {
		t.Fatalf("Deregister(%s): %v", s.Name, err)
	}
}

// HasAddresses reports whether the service has exactly these addresses, for who waits for that. A registry that cannot
// say is logged: on a busy machine it may not have answered in time.
func HasAddresses(t *testing.T, r registry.Registry, service string, want ...string) bool {
	t.Helper()
	all, err := addresses(t, r, service)
	if err != nil {
		t.Logf("GetService(%q): %v", service, err)
		return false
	}
	return slices.Equal(all, slices.Sorted(slices.Values(want)))
}

// WaitAddresses waits until the service has exactly these addresses.
func WaitAddresses(t *testing.T, r registry.Registry, service string, want ...string) {
	t.Helper()
	polltest.Until(t, fmt.Sprintf("%s at %v", service, want), func() bool { return HasAddresses(t, r, service, want...) })
}

func found(t *testing.T, c Config) {
	r := c.New(t)
	a, b := Service("foo", "1.0.0", 8081), Service("foo", "1.0.0", 8080)
	Register(t, r, a)
	Register(t, r, b)
	services := Get(t, r, "foo", 2)
	if len(services) != 1 || services[0].Version != "1.0.0" {
		t.Fatalf("%d services, want one of version 1.0.0", len(services))
	}
	for i, want := range []*registry.Node{b.Nodes[0], a.Nodes[0]} {
		if c.NoPaths {
			want.Paths = services[0].Nodes[i].Paths
		}
		if got := services[0].Nodes[i]; !got.Equal(want) {
			t.Errorf("node %d is %+v, want %+v", i, got, want)
		}
	}
	if _, err := r.GetService("fo"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the beginning of a name: %v, want ErrNotFound", err)
	}
	if _, err := r.GetService(""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no name: %v, want ErrNotFound", err)
	}
	a.Nodes[0].Metadata["weight"] = "7"
	Register(t, r, a)
	polltest.Until(t, "the changed node", func() bool {
		services, err := r.GetService("foo")
		return err == nil && len(services[0].Nodes) == 2 && services[0].Nodes[1].Metadata["weight"] == "7"
	})
}

func versions(t *testing.T, c Config) {
	r := c.New(t)
	one, two := Service("foo", "1.0.0", 8080), Service("foo", "2.0.0", 8080)
	if c.OneNodeAnID {
		two.Nodes[0].Id = "another"
	}
	Register(t, r, two)
	Register(t, r, one)
	polltest.Until(t, "both versions, sorted", func() bool {
		got, err := r.GetService("foo")
		return err == nil && len(got) == 2 && got[0].Version == "1.0.0" && got[1].Version == "2.0.0"
	})
	Deregister(t, r, one)
	polltest.Until(t, "only version 2.0.0", func() bool {
		got, err := r.GetService("foo")
		return err == nil && len(got) == 1 && got[0].Version == "2.0.0"
	})
}

func deregistered(t *testing.T, c Config) {
	r := c.New(t)
	s := Service("foo", "1.0.0", 8080)
	if err := r.Deregister(s); err != nil {
		t.Errorf("what was never registered: %v", err)
	}
	Register(t, r, s)
	WaitAddresses(t, r, "foo", "127.0.0.1:8080")
	Deregister(t, r, s)
	WaitAddresses(t, r, "foo")
	Register(t, r, s)
	WaitAddresses(t, r, "foo", "127.0.0.1:8080")
}

func invalid(t *testing.T, c Config) {
	r := c.New(t)
	for name, s := range map[string]*registry.Service{
		"nil":        nil,
		"no name":    {Nodes: []*registry.Node{{Address: "127.0.0.1:1"}}},
		"no node":    {Name: "foo"},
		"no address": {Name: "foo", Nodes: []*registry.Node{{Id: "1"}}},
	} {
		if err := r.Register(s); !errors.Is(err, registry.ErrInvalidService) {
			t.Errorf("Register, %s: %v", name, err)
		}
		if err := r.Deregister(s); !errors.Is(err, registry.ErrInvalidService) {
			t.Errorf("Deregister, %s: %v", name, err)
		}
	}
	Register(t, r, &registry.Service{Name: "foo", Nodes: []*registry.Node{{Address: "127.0.0.1:1"}}})
	polltest.Until(t, "a node without id has its address", func() bool {
		got, err := r.GetService("foo")
		return err == nil && got[0].Nodes[0].Id == "127.0.0.1:1"
	})
}

func copies(t *testing.T, c Config) {
	r := c.New(t)
	s := Service("foo", "1.0.0", 8080)
	Register(t, r, s)
	s.Nodes[0].Address, s.Nodes[0].Metadata["weight"] = "changed", "changed"
	WaitAddresses(t, r, "foo", "127.0.0.1:8080")
	got := Get(t, r, "foo", 1)
	got[0].Nodes[0].Metadata["weight"] = "changed"
	got[0].Nodes[0].Address = "changed"
	again := Get(t, r, "foo", 1)
	if n := again[0].Nodes[0]; n.Address != "127.0.0.1:8080" || n.Metadata["weight"] != "1" {
		t.Errorf("the registry has what the caller changed: %+v", n)
	}
}

func listed(t *testing.T, c Config) {
	r := c.New(t)
	for i, name := range []string{"bar", "foo", "foo"} {
		Register(t, r, Service(name, "1.0.0", 8080+i))
	}
	polltest.Until(t, "bar and foo", func() bool {
		all, err := r.ListServices()
		if err != nil || len(all) != 2 || all[0].Name != "bar" || all[1].Name != "foo" {
			return false
		}
		return c.NamesOnly || len(all[0].Nodes) == 1 && len(all[1].Nodes) == 2
	})
}

// watched keeps what a watch says there is.
type watched struct {
	mu     sync.Mutex
	nodes  map[string]*registry.Node // by service, version and id
	faults []string
	ended  chan struct{} // closed when Next returned an error
	err    error
}

func watch(t *testing.T, r registry.Registry, opts ...registry.WatchOption) (*watched, registry.Watcher) {
	t.Helper()
	w, err := r.Watch(opts...)
	if err != nil {
		t.Fatal(err)
	}
	d := &watched{nodes: map[string]*registry.Node{}, ended: make(chan struct{})}
	go d.read(w)
	t.Cleanup(func() {
		w.Stop()
		<-d.ended
		for _, f := range d.faults {
			t.Error(f)
		}
	})
	return d, w
}

func (d *watched) read(w registry.Watcher) {
	defer close(d.ended)
	for {
		r, err := w.Next()
		if err != nil {
			d.err = err
			return
		}
		d.mu.Lock()
		for _, n := range r.Service.Nodes {
			k := r.Service.Name + " " + r.Service.Version + " " + n.Id
			_, known := d.nodes[k]
			if r.Action != registry.Delete && known != (r.Action == registry.Update) {
				d.faults = append(d.faults, fmt.Sprintf("%s of %s, known before: %v", r.Action, k, known))
			}
			d.nodes[k] = n
			if r.Action == registry.Delete {
				delete(d.nodes, k)
			}
		}
		d.mu.Unlock()
	}
}

func (d *watched) wait(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	polltest.Until(t, fmt.Sprintf("the watch says %q", want), func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return slices.Equal(slices.Sorted(maps.Keys(d.nodes)), want)
	})
}

func watchList(t *testing.T, c Config) {
	r := c.New(t)
	Register(t, r, Service("foo", "1.0.0", 8080))
	Register(t, r, Service("bar", "1.0.0", 8081))
	d, _ := watch(t, r)
	d.wait(t, "foo 1.0.0 foo-127.0.0.1:8080", "bar 1.0.0 bar-127.0.0.1:8081")
}

func watchChanges(t *testing.T, c Config) {
	r := c.New(t)
	d, _ := watch(t, r, registry.OptWatchService("foo"))
	s := Service("foo", "1.0.0", 8080)
	Register(t, r, s)
	d.wait(t, "foo 1.0.0 foo-127.0.0.1:8080")
	s.Nodes[0].Metadata["weight"] = "2"
	Register(t, r, s)
	polltest.Until(t, "the update", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		n := d.nodes["foo 1.0.0 foo-127.0.0.1:8080"]
		return n != nil && n.Metadata["weight"] == "2"
	})
	Deregister(t, r, s)
	d.wait(t)
	Register(t, r, s)
	d.wait(t, "foo 1.0.0 foo-127.0.0.1:8080")
}

func watchOne(t *testing.T, c Config) {
	r := c.New(t)
	d, _ := watch(t, r, registry.OptWatchService("foo"))
	Register(t, r, Service("foobar", "1.0.0", 8080))
	Register(t, r, Service("foo", "1.0.0", 8081))
	d.wait(t, "foo 1.0.0 foo-127.0.0.1:8081")
}

func watchStop(t *testing.T, c Config) {
	d, w := watch(t, c.New(t))
	w.Stop()
	w.Stop()
	d.waitEnd(t)
	if _, err := w.Next(); !errors.Is(err, registry.ErrWatcherStopped) {
		t.Errorf("Next after the end: %v", err)
	}
}

func watchContext(t *testing.T, c Config) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, _ := watch(t, c.New(t), registry.OptWatchContext(ctx))
	cancel()
	d.waitEnd(t)
}

func (d *watched) waitEnd(t *testing.T) {
	t.Helper()
	select {
	case <-d.ended:
	case <-time.After(Soon):
		t.Fatal("Next does not return")
	}
	if !errors.Is(d.err, registry.ErrWatcherStopped) {
		t.Errorf("Next: %v, want ErrWatcherStopped", d.err)
	}
}

func concurrent(t *testing.T, c Config) {
	r := c.New(t)
	d, _ := watch(t, r, registry.OptWatchService("foo"))
	var wg sync.WaitGroup
	want := make([]string, 8)
	for i := range want {
		s := Service("foo", "1.0.0", 8080+i)
		want[i] = "foo 1.0.0 " + s.Nodes[0].Id
		wg.Go(func() {
			for range 3 {
				if err := errors.Join(r.Register(s), r.Deregister(s), r.Register(s)); err != nil {
					t.Error(err)
				}
				if _, err := r.GetService("foo"); err != nil && !errors.Is(err, registry.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d.wait(t, want...)
}
