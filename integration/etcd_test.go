package integration

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/cache"
	"github.com/osgochina/dmicro/registry/etcd"
	"github.com/osgochina/dmicro/registry/registrytest"
)

func TestEtcdIsARegistry(t *testing.T) {
	t.Parallel()
	addr, prefix := shared(t)
	n := 0
	registrytest.Run(t, registrytest.Config{
		New: func(t *testing.T) registry.Registry {
			n++
			return newRegistry(t, registry.OptAddrList(addr), etcd.Prefix(fmt.Sprint(prefix, n)), etcd.RegisterTTL(30*time.Second))
		},
		OneNodeAnID: true,
	})
}

func TestKeysAndValuesAreThoseOfDMicro1(t *testing.T) {
	t.Parallel()
	addr, prefix := shared(t)
	r := newRegistry(t, registry.OptAddrList(addr), etcd.Prefix(prefix))
	s := registrytest.Service("my/foo", "1.0.0", 8080)
	registrytest.Register(t, r, s)
	cli := newClient(t, strings.Split(addr, ",")...)
	resp, err := cli.Get(background(t), prefix, clientv3.WithPrefix())
	if err != nil || len(resp.Kvs) != 1 {
		t.Fatalf("%d keys, %v", len(resp.Kvs), err)
	}
	if got, want := string(resp.Kvs[0].Key), prefix+"my-foo/my-foo-127.0.0.1:8080"; got != want {
		t.Errorf("key %q, want %q", got, want)
	}
	if got, want := string(resp.Kvs[0].Value), `{"name":"my/foo","version":"1.0.0","metadata":null,"nodes":[{"id":"my/foo-`; !strings.HasPrefix(got, want) {
		t.Errorf("value %s, want %s", got, want)
	}
	if ttl, err := cli.TimeToLive(background(t), clientv3.LeaseID(resp.Kvs[0].Lease)); err != nil || ttl.GrantedTTL != 90 {
		t.Errorf("lease of %d s, %v", ttl.GrantedTTL, err)
	}
}

func TestNonsenseInTheClusterHurtsNobody(t *testing.T) {
	t.Parallel()
	addr, prefix := shared(t)
	r := newRegistry(t, registry.OptAddrList(addr), etcd.Prefix(prefix))
	w, err := r.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	cli := newClient(t, strings.Split(addr, ",")...)
	for i, value := range []string{"", "null", "{", "\xff", strings.Repeat("[", 20_000), `{"name":"bar","nodes":[{"address":"x"}]}`} {
		if _, err := cli.Put(background(t), fmt.Sprintf("%sfoo/%d", prefix, i), value); err != nil {
			t.Fatal(err)
		}
	}
	registrytest.Register(t, r, registrytest.Service("foo", "1.0.0", 8080))
	if res, err := w.Next(); err != nil || res.Action != registry.Create || res.Service.Nodes[0].Address != "127.0.0.1:8080" {
		t.Errorf("%+v, %v", res, err)
	}
	registrytest.WaitAddresses(t, r, "foo", "127.0.0.1:8080")
	// A node whose value is overwritten has gone, and comes back.
	if _, err := cli.Put(background(t), prefix+"foo/foo-127.0.0.1:8080", "nonsense"); err != nil {
		t.Fatal(err)
	}
	if res, err := w.Next(); err != nil || res.Action != registry.Delete {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestNodeThatAnotherProcessTookOverStays(t *testing.T) {
	t.Parallel()
	addr, prefix := shared(t)
	opts := []registry.Option{registry.OptAddrList(addr), etcd.Prefix(prefix)}
	old, next := newRegistry(t, append(opts, etcd.RegisterTTL(2*time.Second))...), newRegistry(t, opts...)
	s := registrytest.Service("foo", "1.0.0", 8080)
	registrytest.Register(t, old, s)
	registrytest.Register(t, next, s)
	w, err := next.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if _, err := w.Next(); err != nil {
		t.Fatal(err)
	}
	registrytest.Deregister(t, old, s)
	time.Sleep(3 * time.Second) // the lease of the old one would be over
	registrytest.WaitAddresses(t, old, "foo", "127.0.0.1:8080")
	registrytest.Deregister(t, next, s)
	if res, err := w.Next(); err != nil || res.Action != registry.Delete {
		t.Errorf("%+v, %v", res, err)
	}
	registrytest.WaitAddresses(t, old, "foo")
}

func TestNodeIsBackAfterTheRegistryWasDownForThreeTTLs(t *testing.T) {
	t.Parallel()
	const ttl = 2 * time.Second
	for name, outage := range map[string]func(t *testing.T, c *cluster){
		"unreachable, so that the lease ends": func(t *testing.T, c *cluster) {
			target := c.cut()
			cli := c.client()
			waitFor(t, "the end of the lease", 3*ttl, func() bool {
				resp, err := cli.Get(background(t), "/dmicro/registry/foo/", clientv3.WithPrefix())
				return err == nil && len(resp.Kvs) == 0
			})
			time.Sleep(2 * ttl)
			c.to(target)
		},
		"frozen": func(_ *testing.T, c *cluster) {
			thaw := c.freeze()
			time.Sleep(3 * ttl)
			thaw()
		},
		"stopped": func(_ *testing.T, c *cluster) {
			c.stop()
			time.Sleep(3 * ttl)
			c.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := ownCluster(t)
			r := c.registry(etcd.RegisterTTL(ttl))
			registrytest.Register(t, r, registrytest.Service("foo", "1.0.0", 8080))
			outage(t, c)
			cli := c.client()
			there := func() bool {
				resp, err := cli.Get(background(t), "/dmicro/registry/foo/", clientv3.WithPrefix())
				return err == nil && len(resp.Kvs) == 1
			}
			waitFor(t, "the registration", 5*time.Second, there)
			for range 2 { // who does not renew the lease has no registration then
				time.Sleep(ttl)
				waitFor(t, "the registration lasts", time.Second, there)
			}
		})
	}
}

func TestKeyThatIsDeletedByHandIsBackWithinATTL(t *testing.T) {
	t.Parallel()
	const ttl = 6 * time.Second
	addr, prefix := shared(t)
	r := newRegistry(t, registry.OptAddrList(addr), etcd.Prefix(prefix), etcd.RegisterTTL(ttl))
	registrytest.Register(t, r, registrytest.Service("foo", "1.0.0", 8080))
	cli := newClient(t, strings.Split(addr, ",")...)
	for _, op := range []clientv3.Op{
		clientv3.OpDelete(prefix, clientv3.WithPrefix()),
		clientv3.OpPut(prefix+"foo/foo-127.0.0.1:8080", "by hand"),
	} {
		if _, err := cli.Do(background(t), op); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the key", ttl, func() bool { return registrytest.HasAddresses(t, r, "foo", "127.0.0.1:8080") })
	}
}

func TestCompactionWhileDisconnectedLeavesNoGhost(t *testing.T) {
	t.Parallel()
	c := ownCluster(t)
	server, client := c.registry(), newRegistry(t, registry.OptAddrList(c.addr))
	past := newRegistry(t, registry.OptAddrList(c.etcd.Clients[0].Addr().String()))
	stays, goes, comes := registrytest.Service("foo", "1", 1), registrytest.Service("foo", "1", 2), registrytest.Service("foo", "1", 3)
	registrytest.Register(t, past, stays)
	registrytest.Register(t, past, goes)
	cached := cache.New(client, cache.WithTTL(time.Hour))
	defer cached.Stop()
	registrytest.WaitAddresses(t, cached, "foo", "127.0.0.1:1", "127.0.0.1:2")
	target := c.cut()
	registrytest.Deregister(t, past, goes)
	registrytest.Register(t, past, comes)
	cli := c.client()
	resp, err := cli.Put(background(t), "another", "key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cli.Compact(background(t), resp.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	registrytest.WaitAddresses(t, cached, "foo", "127.0.0.1:1", "127.0.0.1:2") // as far as it can know
	c.to(target)
	registrytest.WaitAddresses(t, cached, "foo", "127.0.0.1:1", "127.0.0.1:3")
	registrytest.WaitAddresses(t, server, "foo", "127.0.0.1:1", "127.0.0.1:3")
}

func TestAThousandWatchesLeaveNothingBehind(t *testing.T) {
	addr, prefix := shared(t)
	r := newRegistry(t, registry.OptAddrList(addr), etcd.Prefix(prefix))
	round := func(n int) {
		watchers := make([]registry.Watcher, n)
		for i := range watchers {
			w, err := r.Watch(registry.OptWatchService(fmt.Sprint("s", i)))
			if err != nil {
				t.Fatal(err)
			}
			watchers[i] = w
		}
		for _, w := range watchers {
			w.Stop()
			if _, err := w.Next(); !errors.Is(err, registry.ErrWatcherStopped) {
				t.Fatal(err)
			}
		}
	}
	one, err := r.Watch() // the stream that all share
	if err != nil {
		t.Fatal(err)
	}
	defer one.Stop()
	round(10)
	runtime.GC()
	var before int
	waitFor(t, "a quiet beginning", time.Minute, func() bool {
		before = runtime.NumGoroutine()
		time.Sleep(100 * time.Millisecond)
		return runtime.NumGoroutine() == before
	})
	for range 10 {
		round(100)
	}
	waitFor(t, "as many goroutines as before", 10*time.Second, func() bool { return runtime.NumGoroutine() <= before+5 })
}
