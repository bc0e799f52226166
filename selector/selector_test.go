package selector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

var errDown = errors.New("down")

// down is a registry that cannot be reached.
type down struct{ registry.Registry }

func (down) GetService(string, ...registry.GetOption) ([]*registry.Service, error) {
	return nil, errDown
}

func (down) Watch(...registry.WatchOption) (registry.Watcher, error) { return nil, errDown }

func selectable(t *testing.T) registry.Registry {
	t.Helper()
	r := memory.NewRegistry()
	for i := range 4 {
		s := node(i, "zone", string("ab"[i%2]))
		s.Version = fmt.Sprintf("%d.0.0", 1+i/2)
		if i == 3 {
			s.Nodes[0].Paths = []string{"/math/add"}
		}
		if i == 2 {
			s.Nodes[0].Paths = []string{"/math/sub"}
		}
		register(t, r, s)
	}
	return r
}

// selected returns the nodes that Next returns.
func selected(t *testing.T, next Next) []string {
	t.Helper()
	var ids []string
	for range 500 {
		n, err := next()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(ids, n.Id) {
			ids = append(ids, n.Id)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestSelectHeedsFilters(t *testing.T) {
	t.Parallel()
	none := func([]*registry.Service) []*registry.Service { return nil }
	for _, tt := range []struct {
		name    string
		filters []Filter
		want    []string // nil: ErrNoneAvailable
	}{
		{"none", nil, []string{"n00", "n01", "n02", "n03"}},
		{"version", []Filter{FilterVersion("2.0.0")}, []string{"n02", "n03"}},
		{"label", []Filter{FilterLabel("zone", "b")}, []string{"n01", "n03"}},
		{"endpoint", []Filter{FilterEndpoint("/math/add")}, []string{"n00", "n01", "n03"}},
		{"two", []Filter{FilterVersion("2.0.0"), FilterLabel("zone", "a")}, []string{"n02"}},
		{"label that none has", []Filter{FilterLabel("zone", "")}, nil},
		{"version that none has", []Filter{FilterVersion("3")}, nil},
		{"nothing left", []Filter{none}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := selectable(t)
			for name, s := range map[string]Selector{
				"default":  newPicker(t, r),
				"strategy": newPicker(t, r, OptStrategy(Random)),
				"hash":     newPicker(t, r, OptBalancer(ConsistentHash(0))),
			} {
				next, err := s.Select("foo", OptWithFilter(tt.filters...))
				if tt.want == nil {
					if !errors.Is(err, ErrNoneAvailable) {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(name, err)
				}
				if got := selected(t, next); !slices.Equal(got, tt.want) {
					t.Errorf("%s: %v, want %v", name, got, tt.want)
				}
			}
			p := newPicker(t, r, OptFilter(tt.filters...))
			if tt.want == nil {
				if _, err := p.Pick(t.Context(), "foo", Request{}); !errors.Is(err, ErrNoneAvailable) {
					t.Errorf("Pick: %v", err)
				}
				if _, err := p.Select("foo"); !errors.Is(err, ErrNoneAvailable) {
					t.Errorf("Select: %v", err)
				}
				return
			}
			if got := chosen(t, p); !slices.Equal(got, tt.want) {
				t.Errorf("Pick: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLabelOfAServiceCountsForItsNodes(t *testing.T) {
	t.Parallel()
	r := memory.NewRegistry()
	s := node(0)
	s.Metadata = map[string]string{"team": "blue"}
	register(t, r, s)
	next, err := newPicker(t, r).Select("foo", OptWithFilter(FilterLabel("team", "blue")))
	if err != nil {
		t.Fatal(err)
	}
	if got := selected(t, next); len(got) != 1 {
		t.Error(got)
	}
}

func TestStrategyOfOneSelectCounts(t *testing.T) {
	t.Parallel()
	last := func(services []*registry.Service) Next {
		return func() (*registry.Node, error) {
			nodes := services[len(services)-1].Nodes
			return nodes[len(nodes)-1], nil
		}
	}
	r := selectable(t)
	next, err := newPicker(t, r).Select("foo", OptWithStrategy(last))
	if err != nil {
		t.Fatal(err)
	}
	if got := selected(t, next); !slices.Equal(got, []string{"n03"}) {
		t.Error(got)
	}
	if next, err = newPicker(t, r, OptStrategy(last)).Select("foo"); err != nil {
		t.Fatal(err)
	}
	if got := selected(t, next); !slices.Equal(got, []string{"n03"}) {
		t.Error(got)
	}
	if _, err := Random(nil)(); !errors.Is(err, ErrNoneAvailable) {
		t.Error(err)
	}
}

func TestSelectorTellsErrorsApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		registry registry.Registry
		want     error
	}{{memory.NewRegistry(), ErrNotFound}, {down{memory.NewRegistry()}, errDown}} {
		p := newPicker(t, tt.registry)
		if _, err := p.Pick(t.Context(), "foo", Request{}); !errors.Is(err, tt.want) {
			t.Errorf("Pick: %v, want %v", err, tt.want)
		}
		if _, err := p.Select("foo"); !errors.Is(err, tt.want) {
			t.Errorf("Select: %v, want %v", err, tt.want)
		}
	}
}

func TestPickHeedsTheRequest(t *testing.T) {
	t.Parallel()
	for _, b := range balancers() {
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			p := newPicker(t, selectable(t), OptBalancer(b))
			first := pick(t, p, Request{Key: "k"})
			avoid := []*registry.Node{first.Node}
			for range 3 {
				c := pick(t, p, Request{Key: "k", Avoid: avoid})
				if slices.Contains(avoid, c.Node) {
					t.Fatalf("%s was to be avoided", c.Node.Id)
				}
				avoid = append(avoid, c.Node)
			}
			pick(t, p, Request{Avoid: avoid}) // rather one of them than none
			for range 100 {
				c := pick(t, p, Request{Match: func(s *registry.Service, n *registry.Node) bool {
					return s.Version == "2.0.0" && n.Metadata["zone"] == "a"
				}})
				if c.Node.Id != "n02" || c.Service.Version != "2.0.0" {
					t.Fatalf("%s does not match", c.Node.Id)
				}
			}
			_, err := p.Pick(t.Context(), "foo", Request{Avoid: avoid, Match: func(*registry.Service, *registry.Node) bool { return false }})
			if !errors.Is(err, ErrNoneAvailable) {
				t.Error(err)
			}
		})
	}
}

// firstOnly is a Balancer of one's own.
type firstOnly struct{}

type firstChooser struct{ m *Member }

func (firstOnly) Build(members []*Member, _ Chooser) Chooser { return firstChooser{members[0]} }
func (firstOnly) String() string                             { return "first" }
func (f firstChooser) Choose(Request) *Member                { return f.m }

func TestBalancerOfOnesOwn(t *testing.T) {
	t.Parallel()
	p := newPicker(t, selectable(t), OptBalancer(firstOnly{}))
	wantChosen(t, p, "n00")
	first := pick(t, p, Request{})
	if c := pick(t, p, Request{Avoid: []*registry.Node{first.Node}}); c.Node.Id == "n00" {
		t.Error("what was to be avoided was chosen")
	}
	first.Done(Unreachable)
	wantChosen(t, p, "n01")
}

func TestLastNodeLeavesAndReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := nodes(t, 1)
		p := newPicker(t, r)
		pick(t, p, Request{}).Done(Succeeded)
		for range 3 {
			if err := r.Deregister(node(0)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			start := time.Now()
			if _, err := p.Pick(t.Context(), "foo", Request{}); !errors.Is(err, ErrNotFound) || time.Since(start) != 0 {
				t.Errorf("no node: %v after %v", err, time.Since(start))
			}
			register(t, r, node(0))
			synctest.Wait()
			pick(t, p, Request{}).Done(Succeeded)
		}
		_ = p.Close()
		synctest.Wait()
	})
}

func TestWithoutARegistryTheDefaultCounts(t *testing.T) {
	t.Parallel()
	if s := NewSelector(); s.Options().Registry != registry.DefaultRegistry {
		t.Errorf("%v", s.Options().Registry)
	}
}

func TestInitChangesTheRegistry(t *testing.T) {
	t.Parallel()
	p := newPicker(t, nodes(t, 1))
	wantChosen(t, p, "n00")
	other := memory.NewRegistry()
	register(t, other, node(7))
	if err := p.Init(OptRegistry(other), OptTTL(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantChosen(t, p, "n07")
	if p.Options().Registry != other || p.Options().TTL != time.Hour || p.String() != "selector" {
		t.Errorf("%+v", p.Options())
	}
}

func TestClosedSelectorStillChooses(t *testing.T) {
	t.Parallel()
	r := nodes(t, 2)
	p := newPicker(t, r)
	wantChosen(t, p, "n00", "n01")
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	register(t, r, node(2))
	wantChosen(t, p, "n00", "n01", "n02")
	pick(t, p, Request{}).Done(Unreachable)
}

func TestNamesFromOutsideAreBounded(t *testing.T) {
	t.Parallel()
	p := newPicker(t, memory.NewRegistry())
	for i := range 3000 {
		if _, err := p.Pick(context.Background(), fmt.Sprint("x", i), Request{}); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
	n := 0
	p.(*selector).core.Load().pools.Range(func(any, any) bool { n++; return true })
	if n > maxPools {
		t.Errorf("%d services are remembered", n)
	}
}
