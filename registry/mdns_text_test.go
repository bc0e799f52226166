package registry

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

func deflated(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return hex.EncodeToString(b.Bytes())
}

func TestTextOfANodeComesBack(t *testing.T) {
	t.Parallel()
	for _, want := range []text{
		{}, {Service: "foo", Version: "1"}, {Service: "ä", Metadata: map[string]string{"a": strings.Repeat("xyz", 5000)}},
	} {
		parts, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if len(p) > 255 {
				t.Fatalf("a part of %d bytes", len(p))
			}
		}
		got, err := decodeText(parts)
		if err != nil || got.Service != want.Service || got.Version != want.Version || !maps.Equal(got.Metadata, want.Metadata) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	// What DMicro 1.x sends is the same JSON.
	if got, err := decodeText([]string{deflated(`{"Service":"foo","Version":"1","Metadata":{"a":"b"}}`)}); err != nil || got.Metadata["a"] != "b" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHostileTextIsRefused(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string][]string{
		"nothing":     nil,
		"no hex":      {"xyz"},
		"no zlib":     {"0102"},
		"no JSON":     {deflated("{")},
		"another":     {deflated(`[]`)},
		"cut":         {deflated(`{"Service":"foo"}`)[:20]},
		"a zlib bomb": {deflated(`{"Service":"` + strings.Repeat("x", 1<<20) + `"}`)},
	} {
		if got, err := decodeText(parts); err == nil {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func TestAnswersOfOthersAreFiltered(t *testing.T) {
	t.Parallel()
	good := []string{deflated(`{"Service":"foo","Version":"1"}`)}
	ip := net.IPv4(127, 0, 0, 1)
	for name, tt := range map[string]struct {
		entry mdns.ServiceEntry
		ok    bool
	}{
		"ours":            {mdns.ServiceEntry{Name: `a\032b.c.foo.dmicro.`, AddrV4: ip, Port: 80, InfoFields: good}, true},
		"another domain":  {mdns.ServiceEntry{Name: "a.foo.local.", AddrV4: ip, Port: 80, InfoFields: good}, false},
		"another service": {mdns.ServiceEntry{Name: "a.bar.dmicro.", AddrV4: ip, Port: 80, InfoFields: good}, false},
		"longer service":  {mdns.ServiceEntry{Name: "a.xfoo.dmicro.", AddrV4: ip, Port: 80, InfoFields: good}, false},
		"no instance":     {mdns.ServiceEntry{Name: "foo.dmicro.", AddrV4: ip, Port: 80, InfoFields: good}, false},
		"another text": {mdns.ServiceEntry{Name: "a.foo.dmicro.", AddrV4: ip, Port: 80,
			InfoFields: []string{deflated(`{"Service":"bar"}`)}}, false},
		"no text":    {mdns.ServiceEntry{Name: "a.foo.dmicro.", AddrV4: ip, Port: 80}, false},
		"no address": {mdns.ServiceEntry{Name: "a.foo.dmicro.", Port: 80, InfoFields: good}, false},
	} {
		s, ok := serviceOf(&tt.entry, "foo", "dmicro")
		if ok != tt.ok {
			t.Errorf("%s: %+v", name, s)
		}
		if ok && (s.Nodes[0].Id != "a b.c" || s.Nodes[0].Address != "127.0.0.1:80" || s.Version != "1") {
			t.Errorf("%s: %+v", name, s.Nodes[0])
		}
	}
}

func TestZoneAnswersWhatIsAsked(t *testing.T) {
	t.Parallel()
	r, err := newRecordSet(fullName("a", "foo", "dmicro"), serviceName("foo", "dmicro"), net.IPv4(10, 0, 0, 1), 80, []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		kind uint16
		want int
	}{
		{"foo.dmicro.", dns.TypePTR, 4}, {"FOO.dmicro.", dns.TypeANY, 4}, {"foo.dmicro.", dns.TypeSRV, 0}, {"bar.dmicro.", dns.TypePTR, 0},
		{"a.foo.dmicro.", dns.TypePTR, 3}, {"a.foo.dmicro.", dns.TypeANY, 3}, {"a.foo.dmicro.", dns.TypeTXT, 1},
		{"a.foo.dmicro.", dns.TypeAAAA, 0}, {"b.foo.dmicro.", dns.TypeANY, 0},
	} {
		if got := r.Records(dns.Question{Name: tt.name, Qtype: tt.kind}); len(got) != tt.want {
			t.Errorf("%s %s: %v, want %d", tt.name, dns.TypeToString[tt.kind], got, tt.want)
		}
	}
	for _, rr := range r.message(0).Answer {
		if rr.Header().Ttl != 0 {
			t.Errorf("good-bye with a TTL: %v", rr)
		}
	}
	if r.all[0].Header().Ttl != mdnsTTL {
		t.Error("a good-bye changed the records")
	}
}

func TestNodeThatDoesNotAnswerIsForgotten(t *testing.T) {
	t.Parallel()
	p := &poller{seen: map[nodeKey]*sighting{}, feeds: map[*Feed]bool{}, wake: make(chan struct{}, 1), service: "foo", m: &multicast{}}
	s := func(id, version string) *Service {
		return &Service{Name: "foo", Version: version, Nodes: []*Node{{Id: id, Address: "x:1"}}}
	}
	now := time.Now()
	tick := func() time.Time { now = now.Add(time.Hour); return now }
	p.note([]*Service{s("a", "1"), s("b", "1")}, tick())
	for i := range missedPolls {
		if len(p.list()) != 2 {
			t.Fatalf("forgotten after %d polls", i)
		}
		for _, n := range p.seen {
			n.last = now
		}
		now = tick()
		p.seen[nodeKey{"foo", "1", "b"}].last = now // it answered
		p.miss(now)
	}
	if got := p.list(); len(got) != 1 || got[0].Nodes[0].Id != "b" {
		t.Fatalf("%+v", got)
	}
	p.note([]*Service{s("b", "2")}, now)
	if got := p.list(); len(got) != 1 || got[0].Version != "2" {
		t.Errorf("another version: %+v", got)
	}
	p.goodbye("b.foo.dmicro.", "dmicro")
	p.note([]*Service{s("b", "2")}, time.Now().Add(-time.Minute)) // what was heard is older
	if !p.seen[nodeKey{"foo", "2", "b"}].leaving {
		t.Error("an old answer outlives the good-bye")
	}
	p.miss(time.Now().Add(time.Minute))
	if got := p.list(); len(got) != 0 {
		t.Errorf("after the good-bye: %+v", got)
	}
}

func TestNodeWhoseServiceCannotBeListedIsNotRegistered(t *testing.T) {
	t.Parallel()
	m := NewRegistry().(*multicast)
	defer func() { _ = m.Close() }()
	// The name of the node has less than 255 bytes, that of its service among the others more.
	s := &Service{Name: strings.Repeat("x.", 119) + "x", Nodes: []*Node{{Id: "a", Address: "127.0.0.1:1"}}}
	if err := m.Register(s); !errors.Is(err, ErrInvalidService) {
		t.Errorf("%v", err)
	}
	if len(m.responders) != 0 {
		t.Error("the node is answered for all the same")
	}
}

func TestServiceIsListedAsLongAsItHasANode(t *testing.T) {
	t.Parallel()
	m := NewRegistry(OptDomain("dmicro-test-listed")).(*multicast)
	defer func() { _ = m.Close() }()
	s := &Service{Name: "foo", Nodes: []*Node{{Id: "a", Address: "127.0.0.1:1"}, {Id: "b", Address: "127.0.0.1:2"}}}
	if err := m.Register(s); err != nil {
		t.Skipf("multicast does not work here: %v", err)
	}
	listing := fullName("foo", mdnsListing, m.domain())
	answered := func() []string { return slices.Sorted(maps.Keys(m.responders)) }
	all := answered()
	if len(all) != 3 || m.responders[listing] == nil {
		t.Fatalf("answered are %q", all)
	}
	m.responders[listing].close()
	delete(m.responders, listing) // as if it could not be made
	for range 2 {
		if err := m.Register(s); err != nil {
			t.Fatal(err)
		}
		if got := answered(); !slices.Equal(got, all) {
			t.Fatalf("answered are %q, want %q", got, all)
		}
	}
	for _, n := range s.Nodes {
		if m.responders[listing] == nil {
			t.Error("a service with a node is not listed")
		}
		if err := m.Deregister(&Service{Name: "foo", Nodes: []*Node{n}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := answered(); len(got) != 0 {
		t.Errorf("without nodes %q are answered", got)
	}
}

func FuzzDecodeText(f *testing.F) {
	f.Add("a.foo.dmicro.", deflated(`{"Service":"foo","Version":"1","Metadata":{"a":"b"}}`))
	f.Add(`\.\\\032\999.foo.dmicro.`, deflated(`{"Service":"foo","Metadata":null}`))
	f.Add(".foo.dmicro.", "")
	f.Fuzz(func(t *testing.T, name, txt string) {
		e := &mdns.ServiceEntry{Name: name, InfoFields: []string{txt}, AddrV4: net.IPv4zero, Port: 1}
		s, ok := serviceOf(e, "foo", "dmicro")
		if !ok {
			return
		}
		if _, err := s.Valid(); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		if got := unescapeName(escapeName(s.Nodes[0].Id)); got != s.Nodes[0].Id {
			t.Fatalf("%q comes back as %q", s.Nodes[0].Id, got)
		}
	})
}
