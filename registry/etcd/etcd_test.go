package etcd

import (
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
)

// What needs a cluster is tested by the module in the folder integration.

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // many tests cause errors on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

func TestKeyAndValueOfANode(t *testing.T) {
	t.Parallel()
	n := &registry.Node{
		Id: "foo-127.0.0.1:8080", Address: "127.0.0.1:8080", Paths: []string{"/math/add"},
		Metadata: map[string]string{"registry": "etcd", "server": "foo"},
	}
	key, value, err := newSpace(DefaultPrefix).encode(&registry.Service{Name: "foo", Version: "1.0.0", Nodes: []*registry.Node{n, n}}, n)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/dmicro/registry/foo/foo-127.0.0.1:8080"; key != want {
		t.Errorf("%q, want %q", key, want)
	}
	want := `{"name":"foo","version":"1.0.0","metadata":null,"nodes":[{"id":"foo-127.0.0.1:8080","address":"127.0.0.1:8080",` +
		`"paths":["/math/add"],"metadata":{"registry":"etcd","server":"foo"}}]}`
	if value != want {
		t.Errorf("%s, want %s", value, want)
	}
}

func TestKeysStayBelowThePrefix(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ prefix, service, id, want string }{
		{DefaultPrefix, "a/b", "c/d", "/dmicro/registry/a-b/c-d"},
		{"/x", "a", "b", "/x/a/b"},
		{"/x//y/", "a", "b", "/x/y/a/b"},
		{"x", "a", "b", "x/a/b"},
		{"/", "a", "b", "/a/b"},
		{"", "a", "b", "a/b"},
		{DefaultPrefix, "../up", "/../up", "/dmicro/registry/..-up/-..-up"},
	} {
		s := newSpace(tt.prefix)
		n := &registry.Node{Id: tt.id, Address: "x"}
		key, _, err := s.encode(&registry.Service{Name: tt.service}, n)
		if err != nil || key != tt.want || key != path.Clean(key) || !strings.HasPrefix(key, s.service("")) {
			t.Errorf("%+v: %q, %v", tt, key, err)
		}
	}
	for _, name := range []string{".", ".."} {
		if _, _, err := newSpace("").encode(&registry.Service{Name: name}, &registry.Node{Id: "a"}); !errors.Is(err, registry.ErrInvalidService) {
			t.Errorf("service %q: %v", name, err)
		}
		if _, _, err := newSpace("").encode(&registry.Service{Name: "a"}, &registry.Node{Id: name}); !errors.Is(err, registry.ErrInvalidService) {
			t.Errorf("node %q: %v", name, err)
		}
	}
	long := &registry.Node{Id: "a", Address: strings.Repeat("x", maxValue)}
	if _, _, err := newSpace("").encode(&registry.Service{Name: "a"}, long); !errors.Is(err, registry.ErrInvalidService) {
		t.Errorf("a value that is too long: %v", err)
	}
}

// odd are values that others may write.
var odd = []string{
	"", "null", "[]", "{}", `"x"`, "{", "\xff", `{"name":"foo"}`, `{"name":"foo","nodes":[]}`, `{"name":"foo","nodes":[null]}`,
	`{"name":"foo","nodes":[{"id":"x"}]}`, `{"name":"bar","nodes":[{"id":"x","address":"y"}]}`, `{"name":"foo","nodes":{"id":"x"}}`,
	`{"name":"","nodes":[{"id":"x","address":"y"}]}`, `{"name":7}`, strings.Repeat("[", 100_000),
}

func TestValuesThatAreNoServiceAreRefused(t *testing.T) {
	t.Parallel()
	s := newSpace(DefaultPrefix)
	for _, value := range odd {
		if got, err := s.decode("/dmicro/registry/foo/x", []byte(value)); err == nil {
			t.Errorf("%.50s is %+v", value, got)
		}
	}
	long := `{"name":"foo","nodes":[{"id":"x","address":"` + strings.Repeat("y", maxValue) + `"}]}`
	if _, err := s.decode("/dmicro/registry/foo/x", []byte(long)); err == nil {
		t.Error("a value that is too long is read")
	}
	got, err := s.decode("/dmicro/registry/foo/x", []byte(`{"name":"foo","nodes":[null,{"id":"x"},{"address":"y"}]}`))
	if err != nil || len(got.Nodes) != 1 || got.Nodes[0].Id != "y" {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	s := newSpace(DefaultPrefix)
	for _, value := range odd {
		f.Add("/dmicro/registry/foo/x", []byte(value))
	}
	n := &registry.Node{Id: "a/b", Address: "y", Paths: []string{"/x"}, Metadata: map[string]string{"a": "b"}}
	key, value, err := s.encode(&registry.Service{Name: "f/oo", Version: "1", Metadata: map[string]string{"c": "d"}}, n)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key, []byte(value))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		got, err := s.decode(key, value)
		if err != nil {
			return
		}
		if _, err := got.Valid(); err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		if !strings.HasPrefix(key, s.service(got.Name)) {
			t.Fatalf("%q is not below %q", got.Name, key)
		}
		for _, n := range got.Nodes {
			key, value, err := s.encode(got, n)
			if err != nil {
				continue
			}
			again, err := s.decode(key, []byte(value))
			if err != nil {
				t.Fatalf("%q written as %q cannot be read: %v", got.Name, value, err)
			}
			if !reflect.DeepEqual(again.Nodes[0], n) {
				t.Fatalf("%+v, want %+v", again.Nodes[0], n)
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		list []string
		env  string
		want []string
	}{
		{nil, "", []string{"127.0.0.1:2379"}},
		{nil, " a , b:1,", []string{"a:2379", "b:1"}},
		{[]string{"c", "[::1]", "::1", "[::1]:5", "http://d", "e,f"}, "a", []string{"c:2379", "[::1]:2379", "[::1]:2379", "[::1]:5", "http://d", "e:2379", "f:2379"}},
		{[]string{""}, "a", []string{"127.0.0.1:2379"}},
	} {
		t.Setenv("DMICRO_REGISTRY_ADDRESS", tt.env)
		if got := addresses(tt.list); !slices.Equal(got, tt.want) {
			t.Errorf("%q and %q: %q, want %q", tt.list, tt.env, got, tt.want)
		}
	}
}

func TestPrefixOfTheProcessAndOfOneRegistry(t *testing.T) {
	t.Cleanup(func() { processPrefix.Store(nil) })
	before := NewRegistry().(*etcd)
	if got := before.space(); got != DefaultPrefix {
		t.Errorf("%q", got)
	}
	SetPrefix("/mine")
	for want, e := range map[space]*etcd{
		DefaultPrefix: before, // it is in use
		"/mine/":      NewRegistry().(*etcd),
		"/other/":     NewRegistry(Prefix("/other")).(*etcd),
	} {
		if got := e.space(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// nowhere is an address where nobody listens.
const nowhere = "127.0.0.1:1"

func TestClusterThatIsDownIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]registry.Option{
		"plain":     nil,
		"with user": {Auth("u", "very secret")},
		"with TLS":  {registry.OptSecure(true)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewRegistry(append(opts, registry.OptAddrList(nowhere), registry.OptTimeout(50*time.Millisecond))...)
			s := &registry.Service{Name: "foo", Nodes: []*registry.Node{{Address: "x:1"}}}
			other := &registry.Service{Name: "bar", Nodes: s.Nodes}
			_, getErr := r.GetService("foo")
			_, listErr := r.ListServices()
			_, watchErr := r.Watch()
			for what, err := range map[string]error{
				"Register": r.Register(s), "Deregister": r.Deregister(other), "GetService": getErr, "ListServices": listErr, "Watch": watchErr,
			} {
				if err == nil || errors.Is(err, registry.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				} else if strings.Contains(err.Error(), "secret") {
					t.Errorf("%s tells the password: %v", what, err)
				}
			}
			if err := r.Init(RegisterTTL(time.Minute)); err != nil {
				t.Error(err)
			}
			c := r.(interface{ Close() error })
			if err := errors.Join(c.Close(), c.Close()); err != nil {
				t.Error(err)
			}
			if err := r.Register(s); !errors.Is(err, errClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func TestTTLIsInWholeSeconds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		registry, one time.Duration
		want          int64
	}{{0, 0, 90}, {10 * time.Second, 0, 10}, {10 * time.Second, 5 * time.Second, 5}, {time.Millisecond, 0, 1}, {1500 * time.Millisecond, 0, 2}} {
		if got := NewRegistry(RegisterTTL(tt.registry)).(*etcd).ttl(tt.one); got != tt.want {
			t.Errorf("%v and %v: %d, want %d", tt.registry, tt.one, got, tt.want)
		}
	}
}
