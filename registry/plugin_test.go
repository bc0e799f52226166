package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/registry/registrytest"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // many tests cause errors on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// moody is a registry that can be down.
type moody struct {
	registry.Registry

	mu    sync.Mutex
	down  bool
	stuck chan struct{} // Deregister waits for it, if not nil
}

var errDown = errors.New("down")

func (m *moody) set(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *moody) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errDown
	}
	return nil
}

func (m *moody) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	if err := m.err(); err != nil {
		return err
	}
	return m.Registry.Register(s, opts...)
}

func (m *moody) Deregister(s *registry.Service, opts ...registry.DeregisterOption) error {
	if m.stuck != nil {
		<-m.stuck
	}
	if err := m.err(); err != nil {
		return err
	}
	return m.Registry.Deregister(s, opts...)
}

var listenAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9091}

// listening returns a plugin of an endpoint that listens.
func listening(t *testing.T, r registry.Registry, cfg registry.PluginConfig) *registry.PluginRegistry {
	t.Helper()
	if cfg.ServiceName == "" {
		cfg.ServiceName = "foo"
	}
	p := registry.NewPlugin(r, cfg)
	if err := p.AfterListen(listenAddr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.BeforeCloseEndpoint(nil); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestEndpointIsRegisteredWhileItListens(t *testing.T) {
	t.Parallel()
	r := memory.NewRegistry(registry.OptServiceName("shop"), registry.OptServiceVersion("2.1.0"))
	e, err := drpc.New(drpc.EndpointConfig{Network: "tcp", ListenIP: "127.0.0.1"}, registry.NewRegistryPlugin(r))
	if err != nil {
		t.Fatal(err)
	}
	drpc.HandleCall(e, "/math/sub", func(drpc.CallCtx, *int) (int, *drpc.Status) { return 0, nil })
	drpc.HandlePush(e, "/math/add", func(drpc.PushCtx, *int) *drpc.Status { return nil })
	e.SetUnknownPush(func(drpc.UnknownPushCtx) *drpc.Status { return nil })
	done := make(chan error, 1)
	go func() { done <- e.ListenAndServe() }()
	var s *registry.Service
	polltest.Until(t, "the registration", func() bool {
		got, err := r.GetService("shop")
		if err == nil {
			s = got[0]
		}
		return err == nil
	})
	n := s.Nodes[0]
	if s.Version != "2.1.0" || n.Id != "shop-"+n.Address || !strings.HasPrefix(n.Address, "127.0.0.1:") {
		t.Errorf("%+v %+v", s, n)
	}
	if !slices.Equal(n.Paths, []string{"/math/add", "/math/sub"}) {
		t.Errorf("paths %q", n.Paths)
	}
	if n.Metadata["registry"] != "memory" || n.Metadata["server"] != "shop" {
		t.Errorf("metadata %v", n.Metadata)
	}
	drpc.HandleCall(e, "/math/late", func(drpc.CallCtx, *int) (int, *drpc.Status) { return 0, nil })
	polltest.Until(t, "the method that came late", func() bool {
		got, err := r.GetService("shop")
		return err == nil && len(got[0].Nodes[0].Paths) == 3
	})
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
		t.Error(err)
	}
	if got := registrytest.Addresses(t, r, "shop"); got != nil {
		t.Errorf("still registered: %v", got)
	}
}

func TestRegistryThatIsDownKeepsNoServerFromServing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &moody{Registry: memory.NewRegistry(), down: true}
		p := listening(t, r, registry.PluginConfig{})
		time.Sleep(time.Hour)
		r.set(false)
		time.Sleep(3 * time.Second)
		if got := registrytest.Addresses(t, r, "foo"); len(got) != 1 {
			t.Errorf("3 s after the registry came back: %v", got)
		}
		if err := p.Deregister(); err != nil {
			t.Error(err)
		}
	})
}

func TestRegistrationIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := memory.NewRegistry()
		p := listening(t, r, registry.PluginConfig{})
		for range 100 {
			time.Sleep(17 * time.Second)
			if got := registrytest.Addresses(t, r, "foo"); len(got) != 1 {
				t.Fatalf("%v", got)
			}
		}
		if err := p.Deregister(); err != nil {
			t.Error(err)
		}
	})
}

func TestNodeOfADeadServerExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &moody{Registry: memory.NewRegistry()}
		p := listening(t, r, registry.PluginConfig{Interval: time.Second, TTL: 5 * time.Second})
		r.set(true)
		time.Sleep(6 * time.Second)
		if got := registrytest.Addresses(t, r, "foo"); got != nil {
			t.Errorf("%v", got)
		}
		if err := p.Deregister(); !errors.Is(err, errDown) {
			t.Errorf("%v", err)
		}
	})
}

func TestRegistryThatIsDownKeepsNoEndpointFromClosing(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*moody{
		"refuses": {Registry: memory.NewRegistry()},
		"hangs":   {Registry: memory.NewRegistry(), stuck: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if r.stuck != nil {
					r.stuck = make(chan struct{}) // of this bubble
				}
				p := listening(t, r, registry.PluginConfig{StopTimeout: 2 * time.Second})
				r.set(true)
				start := time.Now()
				if err := p.BeforeCloseEndpoint(nil); err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d > 2*time.Second {
					t.Errorf("closing took %v", d)
				}
				if r.stuck != nil {
					close(r.stuck)
				}
			})
		})
	}
}

func TestDeregisteredServerStaysAwayUntilRegister(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := memory.NewRegistry()
		p := listening(t, r, registry.PluginConfig{})
		for range 2 {
			if err := p.Deregister(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if got := registrytest.Addresses(t, r, "foo"); got != nil {
				t.Fatalf("%v", got)
			}
		}
		if err := p.Register(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if got := registrytest.Addresses(t, r, "foo"); len(got) != 1 {
			t.Fatalf("%v", got)
		}
		if err := p.BeforeCloseEndpoint(nil); err != nil {
			t.Error(err)
		}
		if err := p.Register(); !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("Register after the endpoint was closed: %v", err)
		}
	})
}

func TestRegisterHoldsAgainstADeregisterThatIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, givenUp := range map[string]bool{"awaited": false, "given up": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &moody{Registry: memory.NewRegistry(), stuck: make(chan struct{})}
				p := listening(t, r, registry.PluginConfig{StopTimeout: time.Second})
				gone, back := make(chan error, 1), make(chan error, 1)
				go func() { gone <- p.Deregister() }()
				synctest.Wait()
				if givenUp {
					time.Sleep(2 * time.Second)
				}
				go func() { back <- p.Register() }()
				synctest.Wait()
				close(r.stuck)
				if err := <-gone; errors.Is(err, context.DeadlineExceeded) != givenUp {
					t.Errorf("Deregister: %v", err)
				}
				if err := <-back; err != nil {
					t.Errorf("Register: %v", err)
				}
				synctest.Wait()
				if got := registrytest.Addresses(t, r, "foo"); len(got) != 1 {
					t.Errorf("registered is %v", got)
				}
				if err := p.Deregister(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestPluginWithoutListener(t *testing.T) {
	t.Parallel()
	p := registry.NewRegistryPlugin(memory.NewRegistry())
	if err := p.AfterListen(listenAddr); !errors.Is(err, registry.ErrInvalidService) {
		t.Errorf("no service name: %v", err)
	}
	if err := p.Register(); !errors.Is(err, registry.ErrInvalidService) {
		t.Errorf("nothing listens: %v", err)
	}
	if err := p.Deregister(); err != nil {
		t.Errorf("Deregister: %v", err)
	}
	if err := p.BeforeCloseEndpoint(nil); err != nil {
		t.Errorf("BeforeCloseEndpoint: %v", err)
	}
}

func TestPluginMayBeToldToDoAllAtOnce(t *testing.T) {
	t.Parallel()
	p := registry.NewPlugin(memory.NewRegistry(), registry.PluginConfig{ServiceName: "foo"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := p.AfterListen(listenAddr); err != nil {
					t.Error(err)
				}
				if err := p.Register(); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if err := p.Deregister(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := p.BeforeCloseEndpoint(nil); err != nil {
		t.Error(err)
	}
}

// Routes are added, listeners come and the plugin is told to leave and to come back, all at once; the race detector
// watches. In the end all that was told is registered.
func TestRoutesAndListenersMayComeWhileThePluginRegisters(t *testing.T) {
	t.Parallel()
	r := memory.NewRegistry()
	p := registry.NewPlugin(r, registry.PluginConfig{ServiceName: "foo"})
	e, err := drpc.New(drpc.EndpointConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	const each = 8
	var want []string
	var wg sync.WaitGroup
	for i := range each {
		path := fmt.Sprintf("/route/%d", i)
		want = append(want, path)
		wg.Go(func() { drpc.HandleCall(e, path, func(drpc.CallCtx, *int) (int, *drpc.Status) { return 0, nil }) })
		wg.Go(func() {
			if err := p.AfterListen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9091 + i}); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { _ = p.Register() }) // the others may have stopped it, or nothing may listen yet
		wg.Go(func() {
			if err := p.Deregister(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := p.Register(); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "all routes at all listeners", func() bool {
		got, err := r.GetService("foo")
		if err != nil || len(got[0].Nodes) != each {
			return false
		}
		for _, n := range got[0].Nodes {
			if !slices.Equal(n.Paths, want) {
				return false
			}
		}
		return true
	})
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if got := registrytest.Addresses(t, r, "foo"); got != nil {
		t.Errorf("still registered: %v", got)
	}
}
