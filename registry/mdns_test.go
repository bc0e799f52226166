package registry_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/registrytest"
)

// canMulticast reports why multicast does not work here, empty if it does.
var canMulticast = sync.OnceValue(func() string {
	r := mdns("", nil)
	defer func() { _ = r.(interface{ Close() error }).Close() }()
	if err := r.Register(registrytest.Service("probe", "1", 1)); err != nil {
		return err.Error()
	}
	var last error
	for range 20 {
		if _, last = r.GetService("probe"); last == nil {
			return ""
		}
	}
	return last.Error()
})

// mdns returns a registry of a domain of its own, or of the one given.
func mdns(domain string, t *testing.T) registry.Registry {
	if domain == "" {
		domain = fmt.Sprintf("dmicro-test-%x", rand.Uint64())
	}
	r := registry.NewRegistry(registry.OptDomain(domain), registry.OptTimeout(2*time.Second))
	if t != nil {
		t.Cleanup(func() {
			if err := r.(interface{ Close() error }).Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return r
}

func needMulticast(t *testing.T) {
	t.Helper()
	if why := canMulticast(); why != "" {
		if os.Getenv("DMICRO_MULTICAST") != "" {
			t.Fatalf("multicast does not work here: %s", why)
		}
		t.Skipf("multicast does not work here, so that mDNS is not tested: %s", why)
	}
}

func TestMDNSIsARegistry(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	registrytest.Run(t, registrytest.Config{
		New:     func(t *testing.T) registry.Registry { return mdns("", t) },
		NoPaths: true, NamesOnly: true, OneNodeAnID: true,
	})
}

func TestMDNSFindsOtherProcessesOfItsDomainOnly(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	domain := fmt.Sprintf("dmicro-test-%x", rand.Uint64())
	server, client, stranger := mdns(domain, t), mdns(domain, t), mdns("", t)
	registrytest.Register(t, server, registrytest.Service("foo", "1.0.0", 8080))
	registrytest.Register(t, stranger, registrytest.Service("foo", "1.0.0", 8081))
	registrytest.WaitAddresses(t, client, "foo", "127.0.0.1:8080")
	registrytest.WaitAddresses(t, stranger, "foo", "127.0.0.1:8081")
}

func TestMDNSCarriesIPv6AndOddNames(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	r := mdns("", t)
	s := registrytest.Service("my (shop) \"ä\"", "1.0.0", 8080)
	s.Nodes[0].Id, s.Nodes[0].Address = `node @ [::1]:8080\; $`, "[2001:db8::7]:8080"
	registrytest.Register(t, r, s)
	registrytest.WaitAddresses(t, r, s.Name, "[2001:db8::7]:8080")
	if got := registrytest.Get(t, r, s.Name, 1); got[0].Nodes[0].Id != s.Nodes[0].Id {
		t.Errorf("%+v", got[0].Nodes[0])
	}
}

func TestMDNSWatchSeesAnotherProcessComeAndGo(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	domain := fmt.Sprintf("dmicro-test-%x", rand.Uint64())
	server, successor, client := mdns(domain, t), mdns(domain, t), mdns(domain, t)
	w, err := client.Watch(registry.OptWatchService("foo"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	next := func(want registry.EventType) {
		t.Helper()
		done := make(chan *registry.Result, 1)
		go func() {
			r, _ := w.Next()
			done <- r
		}()
		select {
		case r := <-done:
			if r == nil || r.Action != want {
				t.Fatalf("%+v, want %v", r, want)
			}
		case <-time.After(registrytest.Soon):
			t.Fatalf("no %v", want)
		}
	}
	s := registrytest.Service("foo", "1.0.0", 8080)
	registrytest.Register(t, server, s)
	next(registry.Create)
	registrytest.Register(t, successor, s) // as in a reload
	registrytest.Deregister(t, server, s)
	registrytest.WaitAddresses(t, client, "foo", "127.0.0.1:8080")
	registrytest.Deregister(t, successor, s)
	for gone := false; !gone; {
		r, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		gone = r.Action == registry.Delete
	}
	registrytest.WaitAddresses(t, client, "foo")
}

func TestMDNSRefusesWhatItCannotCarry(t *testing.T) {
	t.Parallel()
	r := mdns("", t)
	for name, n := range map[string]*registry.Node{
		"a unix socket":    {Id: "a", Address: "/run/foo.sock"},
		"no port":          {Id: "a", Address: "127.0.0.1"},
		"port 0":           {Id: "a", Address: "127.0.0.1:0"},
		"port of a name":   {Id: "a", Address: "127.0.0.1:http"},
		"a long label":     {Id: strings.Repeat("x", 64), Address: "127.0.0.1:1"},
		"a long name":      {Id: strings.Repeat("x.", 130), Address: "127.0.0.1:1"},
		"an empty label":   {Id: "a..b", Address: "127.0.0.1:1"},
		"too much to tell": {Id: "a", Address: "127.0.0.1:1", Metadata: noise(9000)},
	} {
		err := r.Register(&registry.Service{Name: "foo", Nodes: []*registry.Node{n}})
		if !errors.Is(err, registry.ErrInvalidService) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// noise returns metadata that cannot be compressed.
func noise(n int) map[string]string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(rand.N(26))
	}
	return map[string]string{"noise": string(b)}
}

func TestMDNSMissesNothingOfLongMetadata(t *testing.T) {
	t.Parallel()
	needMulticast(t)
	r := mdns("", t)
	s := registrytest.Service("foo", "1.0.0", 8080)
	s.Nodes[0].Metadata = noise(1000)
	registrytest.Register(t, r, s)
	if got := registrytest.Get(t, r, "foo", 1); got[0].Nodes[0].Metadata["noise"] != s.Nodes[0].Metadata["noise"] {
		t.Error("the metadata came back changed")
	}
}

func TestDefaultRegistryIsMDNS(t *testing.T) {
	t.Parallel()
	if registry.String() != "mdns" || registry.DefaultRegistry.Options().Domain != "" {
		t.Errorf("%s", registry.String())
	}
}

// Not parallel: nothing else opens files meanwhile.
func TestMDNSThatIsNotUsedHasNoSocket(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("open files cannot be counted here: %v", err)
		}
		return len(files)
	}
	before := open()
	r := registry.NewRegistry()
	err := r.Init(registry.OptDomain("dmicro-test"), registry.OptServiceName("foo"))
	refused := r.Register(&registry.Service{Name: "foo", Nodes: []*registry.Node{{Address: "/run/foo.sock"}}})
	_, unknown := r.GetService("")
	if err != nil || !errors.Is(refused, registry.ErrInvalidService) || !errors.Is(unknown, registry.ErrNotFound) {
		t.Errorf("%v, %v, %v", err, refused, unknown)
	}
	if now := open(); now > before {
		t.Errorf("%d files are open, were %d", now, before)
	}
}
