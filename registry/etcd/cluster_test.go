package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/registrytest"
)

// newClosed returns a registry that is closed with the test.
func newClosed(t *testing.T, opts ...registry.Option) *etcd {
	t.Helper()
	e := NewRegistry(opts...).(*etcd)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestIsARegistry(t *testing.T) {
	t.Parallel()
	registrytest.Run(t, registrytest.Config{
		New: func(t *testing.T) registry.Registry {
			_, addr := newFake(t)
			return newClosed(t, registry.OptAddrList(addr))
		},
		OneNodeAnID: true,
	})
}

func TestNodeComesBackWhenItsLeaseIsLost(t *testing.T) {
	t.Parallel()
	f, addr := newFake(t)
	e := newClosed(t, registry.OptAddrList(addr), RegisterTTL(time.Second)) // renewed three times a second
	registrytest.Register(t, e, registrytest.Service("foo", "1.0.0", 8080))
	for range 2 {
		f.expire()
		registrytest.WaitAddresses(t, e, "foo", "127.0.0.1:8080")
	}
}

func TestNodeComesBackWhenItsKeyIsLostOrOverwritten(t *testing.T) {
	t.Parallel()
	f, addr := newFake(t)
	e := newClosed(t, registry.OptAddrList(addr), RegisterTTL(time.Second))
	registrytest.Register(t, e, registrytest.Service("foo", "1.0.0", 8080))
	key := e.space().key("foo", "foo-127.0.0.1:8080")

	f.mu.Lock()
	f.drop(key)
	f.mu.Unlock()
	registrytest.WaitAddresses(t, e, "foo", "127.0.0.1:8080")

	f.put(key, "nonsense") // without a lease: nobody looks after it
	registrytest.WaitAddresses(t, e, "foo", "127.0.0.1:8080")
}

func TestNodeIsRegisteredThoughNobodyWaitsForThat(t *testing.T) {
	t.Parallel()
	_, addr := newFake(t)
	e := newClosed(t, registry.OptAddrList(addr))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var want []string
	for port := range 20 {
		s := registrytest.Service("foo", "1.0.0", port+1)
		if err := e.Register(s, registry.OptRegisterContext(ctx)); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		want = append(want, s.Nodes[0].Address)
	}
	registrytest.WaitAddresses(t, e, "foo", want...)
}

func TestNodeThatAnotherProcessTookOverStays(t *testing.T) {
	t.Parallel()
	f, addr := newFake(t)
	before, after := newClosed(t, registry.OptAddrList(addr)), newClosed(t, registry.OptAddrList(addr))
	s := registrytest.Service("foo", "1.0.0", 8080)
	registrytest.Register(t, before, s)
	registrytest.Register(t, after, s)
	registrytest.Deregister(t, before, s)
	registrytest.WaitAddresses(t, after, "foo", "127.0.0.1:8080")

	registrytest.Deregister(t, after, s)
	if _, err := after.GetService("foo"); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	if keys, leases := f.held(); keys != 0 || leases != 0 {
		t.Errorf("left behind: %d keys, %d leases", keys, leases)
	}
}

func TestNodeOfAProcessThatDiedCanBeDeregistered(t *testing.T) {
	t.Parallel()
	f, addr := newFake(t)
	s := registrytest.Service("foo", "1.0.0", 8080)
	dead := newClosed(t, registry.OptAddrList(addr))
	registrytest.Register(t, dead, s)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	e := newClosed(t, registry.OptAddrList(addr))
	registrytest.WaitAddresses(t, e, "foo", "127.0.0.1:8080") // until its lease ends
	registrytest.Deregister(t, e, s)
	if keys, _ := f.held(); keys != 0 {
		t.Errorf("%d keys are left", keys)
	}
}

func TestChangedNodeIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	f, addr := newFake(t)
	e := newClosed(t, registry.OptAddrList(addr))
	s := registrytest.Service("foo", "1.0.0", 8080)
	registrytest.Register(t, e, s)
	first := f.value("foo-127.0.0.1:8080")
	s.Version = "2.0.0"
	registrytest.Register(t, e, s)
	if now := f.value("foo-127.0.0.1:8080"); now == first || now == "" {
		t.Errorf("the cluster holds %q", now)
	}
}

func TestWatchGoesOnThroughCompactionAndNonsense(t *testing.T) {
	t.Parallel()
	f, addr := newFake(t)
	e := newClosed(t, registry.OptAddrList(addr))
	watcher, err := e.Watch(registry.OptWatchService("foo"))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	f.put(e.space().key("foo", "odd"), "nonsense")
	registrytest.Register(t, e, registrytest.Service("foo", "1.0.0", 1))
	if got, err := watcher.Next(); err != nil || got.Action != registry.Create || got.Service.Nodes[0].Address != "127.0.0.1:1" {
		t.Fatalf("%+v, %v", got, err)
	}
	f.compact()
	if err := e.Init(); err != nil { // a new connection: the watch breaks
		t.Fatal(err)
	}
	registrytest.Register(t, e, registrytest.Service("foo", "1.0.0", 2))
	if got, err := watcher.Next(); err != nil || got.Action != registry.Create || got.Service.Nodes[0].Address != "127.0.0.1:2" {
		t.Fatalf("%+v, %v", got, err)
	}
}
