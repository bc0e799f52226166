package selector

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// node returns a service with one node.
func node(i int, metadata ...string) *registry.Service {
	n := &registry.Node{Id: fmt.Sprintf("n%02d", i), Address: fmt.Sprintf("10.0.0.%d:80", i), Metadata: map[string]string{}}
	for j := 0; j+1 < len(metadata); j += 2 {
		n.Metadata[metadata[j]] = metadata[j+1]
	}
	return &registry.Service{Name: "foo", Version: "1.0.0", Nodes: []*registry.Node{n}}
}

// nodes returns a registry with n of them.
func nodes(t testing.TB, n int) registry.Registry {
	t.Helper()
	r := memory.NewRegistry()
	for i := range n {
		register(t, r, node(i))
	}
	return r
}

func register(t testing.TB, r registry.Registry, s *registry.Service) {
	t.Helper()
	if err := r.Register(s); err != nil {
		t.Fatal(err)
	}
}

func newPicker(t testing.TB, r registry.Registry, opts ...Option) Picker {
	t.Helper()
	p := NewSelector(append([]Option{OptRegistry(r)}, opts...)...).(Picker)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func pick(t testing.TB, p Picker, r Request) Choice {
	t.Helper()
	c, err := p.Pick(context.Background(), "foo", r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// poolOf returns the inside of a selector that was asked for foo.
func poolOf(t testing.TB, p Picker) *pool {
	t.Helper()
	v, ok := p.(*selector).core.Load().pools.Load("foo")
	if !ok {
		t.Fatal("foo was not asked for")
	}
	return v.(*pool)
}

// settle waits until the selector knows n nodes that are not ejected.
func settle(t testing.TB, p Picker, n int) {
	t.Helper()
	polltest.Until(t, fmt.Sprintf("%d nodes", n), func() bool {
		l, err := poolOf(t, p).current(context.Background())
		return err == nil && len(l.members) == n
	})
}
