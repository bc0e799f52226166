package memory_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func TestMemoryIsARegistry(t *testing.T) {
	t.Parallel()
	registrytest.Run(t, registrytest.Config{New: func(*testing.T) registry.Registry { return memory.NewRegistry() }})
}

func TestNodeWithTTLExpiresUnlessRegisteredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := memory.NewRegistry()
		w, err := r.Watch()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		short, long := registrytest.Service("foo", "1", 1), registrytest.Service("foo", "1", 2)
		for _, s := range []*registry.Service{short, long} {
			if err := r.Register(s, registry.OptRegisterTTL(10*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if res, err := w.Next(); err != nil || res.Action != registry.Create {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		time.Sleep(9 * time.Second)
		if err := r.Register(long, registry.OptRegisterTTL(10*time.Second)); err != nil {
			t.Fatal(err)
		}
		res, err := w.Next()
		if err != nil || res.Action != registry.Delete || res.Service.Nodes[0].Address != "127.0.0.1:1" {
			t.Fatalf("%+v, %v", res, err)
		}
		if got := registrytest.Addresses(t, r, "foo"); len(got) != 1 || got[0] != "127.0.0.1:2" {
			t.Fatalf("%v", got)
		}
		time.Sleep(10 * time.Second)
		if got := registrytest.Addresses(t, r, "foo"); got != nil {
			t.Fatalf("%v", got)
		}
	})
}

// Not parallel: nothing else starts goroutines meanwhile.
func TestRegistryHasNoGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for range 100 {
		r := memory.NewRegistry()
		if err := r.Register(registrytest.Service("foo", "1", 1), registry.OptRegisterTTL(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Watch(); err != nil { // nobody stops it
			t.Fatal(err)
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestServicesOfTheContextAreThere(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(context.Background(), memory.ServicesKey{}, map[string][]*registry.Service{
		"foo": {registrytest.Service("foo", "1", 1)},
	})
	r := memory.NewRegistry(func(o *registry.Options) { o.Context = ctx })
	if got := registrytest.Addresses(t, r, "foo"); len(got) != 1 {
		t.Fatalf("%v", got)
	}
}

func TestMetadataOfServiceAndNodeStayApart(t *testing.T) {
	t.Parallel()
	r := memory.NewRegistry()
	s := registrytest.Service("foo", "1", 1)
	s.Metadata = map[string]string{"team": "blue"}
	registrytest.Register(t, r, s)
	got, err := r.GetService("foo")
	if err != nil {
		t.Fatal(err)
	}
	n := got[0].Nodes[0]
	if got[0].Metadata["team"] != "blue" || n.Metadata["team"] != "" || n.Metadata["weight"] != "1" || len(n.Paths) != 1 {
		t.Errorf("%+v %+v", got[0], n)
	}
}
