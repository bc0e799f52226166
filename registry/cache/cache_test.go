package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/race"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/cache"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

var errDown = errors.New("down")

// backend is a memory registry that counts questions and can be down or blind.
type backend struct {
	registry.Registry

	mu       sync.Mutex
	gets     int
	watches  int           // that are open
	err      error         // of GetService
	noWatch  bool          // Watch fails
	wait     chan struct{} // GetService waits for it, if not nil
	unsynced func()        // runs between the answer of GetService and its return
}

func newBackend() *backend { return &backend{Registry: memory.NewRegistry()} }

func (b *backend) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *backend) count() (gets, watches int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gets, b.watches
}

func (b *backend) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	b.mu.Lock()
	b.gets++
	err, wait, unsynced := b.err, b.wait, b.unsynced
	b.mu.Unlock()
	if wait != nil {
		<-wait
	}
	if err != nil {
		return nil, err
	}
	services, err := b.Registry.GetService(name, opts...)
	if unsynced != nil {
		unsynced()
	}
	return services, err
}

type countedWatch struct {
	registry.Watcher
	stop func()
}

func (w countedWatch) Stop() { w.stop(); w.Watcher.Stop() }

func (b *backend) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noWatch {
		return nil, errDown
	}
	b.watches++
	w, err := b.Registry.Watch(opts...)
	return countedWatch{w, sync.OnceFunc(func() { b.set(func() { b.watches-- }) })}, err
}

// bubble runs a test with a cache whose TTL is a minute.
func bubble(t *testing.T, test func(t *testing.T, b *backend, c cache.Cache)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		c := cache.New(b, cache.WithTTL(time.Minute))
		test(t, b, c)
		c.Stop()
		synctest.Wait()
		if _, watches := b.count(); watches != 0 {
			t.Errorf("%d watches are open after Stop", watches)
		}
	})
}

func service(i int) *registry.Service { return registrytest.Service("foo", "1.0.0", i) }

func wantNodes(t *testing.T, c registry.Registry, want int) {
	t.Helper()
	if got := registrytest.Addresses(t, c, "foo"); len(got) != want {
		t.Errorf("%v, want %d nodes", got, want)
	}
}

func TestCacheIsARegistry(t *testing.T) {
	t.Parallel()
	registrytest.Run(t, registrytest.Config{New: func(t *testing.T) registry.Registry {
		c := cache.New(memory.NewRegistry())
		t.Cleanup(c.Stop)
		return c
	}})
}

func TestRegistryIsAskedOnceATTL(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		for range 10*60 - 10 {
			wantNodes(t, c, 1)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if gets, watches := b.count(); gets != 10 || watches != 1 {
			t.Errorf("%d questions and %d watches, want 10 and 1", gets, watches)
		}
	})
}

func TestChangesAreSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		wantNodes(t, c, 1)
		for i := 2; i < 5; i++ {
			registrytest.Register(t, b, service(i))
			synctest.Wait()
			wantNodes(t, c, i)
		}
		for i := range 4 {
			registrytest.Deregister(t, b, service(i+1))
			synctest.Wait()
			wantNodes(t, c, 3-i)
		}
		registrytest.Register(t, b, service(1))
		synctest.Wait()
		wantNodes(t, c, 1)
		if gets, _ := b.count(); gets != 1 {
			t.Errorf("%d questions, want 1", gets)
		}
	})
}

func TestEveryServiceIsWatched(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		for i := range 5 {
			name := fmt.Sprint("s", i)
			registrytest.Register(t, b, registrytest.Service(name, "1", 1))
			if got := registrytest.Addresses(t, c, name); len(got) != 1 {
				t.Errorf("%s: %v", name, got)
			}
		}
		for i := range 5 {
			name := fmt.Sprint("s", i)
			registrytest.Register(t, b, registrytest.Service(name, "1", 2))
			synctest.Wait()
			if got := registrytest.Addresses(t, c, name); len(got) != 2 {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

func TestErrorKeepsTheLastListForHours(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		wantNodes(t, c, 1)
		b.set(func() { b.err = errDown })
		for range 100 {
			wantNodes(t, c, 1)
			time.Sleep(90 * time.Second)
			synctest.Wait()
		}
		time.Sleep(5 * time.Hour) // nobody asks
		wantNodes(t, c, 1)
		b.set(func() { b.err = nil })
		wantNodes(t, c, 1)
		time.Sleep(time.Second)
		wantNodes(t, c, 1)
	})
}

func TestSlowRegistryDelaysNobodyWhoHasAList(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		wantNodes(t, c, 1)
		b.set(func() { b.wait = make(chan struct{}) })
		time.Sleep(61 * time.Second)
		start := time.Now()
		for range 100 {
			wantNodes(t, c, 1)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v", d)
		}
		synctest.Wait()
		if gets, _ := b.count(); gets != 2 {
			t.Errorf("%d questions, want 2", gets)
		}
		close(b.wait)
	})
}

func TestErrorWithoutAListIsReturnedAndAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		b.set(func() { b.err = errDown })
		for range 3 {
			if _, err := c.GetService("foo"); !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
		if gets, _ := b.count(); gets != 1 {
			t.Errorf("%d questions within a second, want 1", gets)
		}
		registrytest.Register(t, b.Registry, service(1))
		b.set(func() { b.err = nil })
		time.Sleep(2 * time.Second)
		wantNodes(t, c, 1)
	})
}

func TestFirstCallersShareOneQuestion(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		b.set(func() { b.wait = make(chan struct{}) })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { wantNodes(t, c, 1) })
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := c.GetService("foo", registry.OptGetContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller whose context ends: %v", err)
		}
		synctest.Wait()
		close(b.wait)
		wg.Wait()
		if gets, watches := b.count(); gets != 1 || watches != 1 {
			t.Errorf("%d questions and %d watches, want one", gets, watches)
		}
	})
}

func TestWithoutAWatchTheTTLCounts(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		b.set(func() { b.noWatch = true })
		registrytest.Register(t, b, service(1))
		wantNodes(t, c, 1)
		registrytest.Register(t, b, service(2))
		time.Sleep(150 * time.Second) // no multiple of the TTL
		wantNodes(t, c, 1)            // the list until the registry has answered
		synctest.Wait()
		wantNodes(t, c, 2)
		registrytest.Deregister(t, b, service(1))
		registrytest.Deregister(t, b, service(2))
		time.Sleep(150 * time.Second) // no multiple of the TTL
		wantNodes(t, c, 2)
		synctest.Wait()
		wantNodes(t, c, 0)
	})
}

func TestChangeThatCrossesTheAnswerCounts(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		once := sync.OnceFunc(func() {
			registrytest.Register(t, b, service(2))
			time.Sleep(time.Second) // the watch reports it
		})
		b.set(func() { b.unsynced = once })
		wantNodes(t, c, 2)
	})
}

func TestServiceThatNobodyAsksForIsWatchedNoMore(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		e := c.Entry("foo")
		if s, err := e.Load(t.Context()); err != nil || len(s.Services) != 1 {
			t.Fatal(s, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, watches := b.count(); watches != 0 {
			t.Errorf("%d watches", watches)
		}
		registrytest.Register(t, b, service(2))
		if s, err := e.Load(t.Context()); err != nil || len(s.Services[0].Nodes) != 2 {
			t.Errorf("a handle that was idle: %+v, %v", s, err)
		}
		wantNodes(t, c, 2)
		time.Sleep(time.Hour) // both the handle and the entry of GetService
	})
}

func TestNamesFromOutsideAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		for i := range 5000 {
			if _, err := c.GetService(fmt.Sprint("x", i)); !errors.Is(err, registry.ErrNotFound) {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if _, watches := b.count(); watches > 1024 {
			t.Errorf("%d watches", watches)
		}
		registrytest.Register(t, b, service(1))
		wantNodes(t, c, 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, watches := b.count(); watches != 0 {
			t.Errorf("%d watches after an hour", watches)
		}
	})
}

func TestStoppedCacheAsksTheRegistry(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		e := c.Entry("foo")
		wantNodes(t, c, 1)
		c.Stop()
		c.Stop()
		for i := 2; i < 5; i++ {
			registrytest.Register(t, b, service(i))
			wantNodes(t, c, i)
			if s, err := e.Load(t.Context()); err != nil || len(s.Services[0].Nodes) != i {
				t.Errorf("%+v, %v", s, err)
			}
		}
	})
}

func TestAnswerThatComesAfterStopIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		e := c.Entry("foo")
		wait := make(chan struct{})
		b.set(func() { b.wait = wait })
		answered := make(chan error, 1)
		go func() {
			_, err := e.Load(t.Context())
			answered <- err
		}()
		synctest.Wait()
		c.Stop()
		close(wait)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		registrytest.Register(t, b, service(2))
		if s, err := e.Load(t.Context()); err != nil || len(s.Services[0].Nodes) != 2 {
			t.Errorf("%+v, %v, want what the registry has now", s, err)
		}
	})
}

func TestSnapshotStaysTheSameWithoutAChange(t *testing.T) {
	bubble(t, func(t *testing.T, b *backend, c cache.Cache) {
		registrytest.Register(t, b, service(1))
		e := c.Entry("foo")
		first, err := e.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if s, err := e.Load(t.Context()); err != nil || s != first {
				t.Fatalf("%p, %v, want %p", s, err, first)
			}
		}
		registrytest.Register(t, b, service(2))
		synctest.Wait()
		if s, err := e.Load(t.Context()); err != nil || s == first || len(first.Services[0].Nodes) != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestLoadAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	b := newBackend()
	c := cache.New(b)
	defer c.Stop()
	registrytest.Register(t, b, service(1))
	e := c.Entry("foo")
	ctx := context.Background()
	if _, err := e.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = e.Load(ctx) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
