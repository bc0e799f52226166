package overload

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

func TestPeersAreForgottenOnlyWhenThatChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPeers(Limit{Concurrency: 1, Rate: 1e9, Burst: 1}, 3)
	busy := p.take("busy")
	if why := busy.enter(); why != "" {
		t.Fatal(why)
	}
	for n := range 100 {
		p.swept = time.Time{} // as if a while had passed
		key := fmt.Sprint(n)
		g := p.take(key)
		if g == p.others {
			t.Fatalf("no room for peer %d though others are idle", n)
		}
		p.give(g)
	}
	if p.take("busy") != busy || len(p.gates) > 3 {
		t.Errorf("a peer at work was forgotten, or there are %d", len(p.gates))
	}
}

func TestPeersWithoutRoomShareOneLimit(t *testing.T) {
	t.Parallel()
	p := newPeers(Limit{Concurrency: 1}, 2)
	for _, key := range []string{"a", "b"} {
		if why := p.take(key).enter(); why != "" {
			t.Fatal(why)
		}
	}
	if c, d := p.take("c"), p.take("d"); c != p.others || d != p.others || len(p.gates) != 2 {
		t.Errorf("%d peers", len(p.gates))
	}
	p.give(p.others)
	if g := p.take("a"); g == p.others {
		t.Error("who is known has lost its place")
	}
}

// addrSession is a session with this address.
type addrSession struct {
	drpc.CtxSession
	addr net.Addr
}

func (s addrSession) RemoteAddr() net.Addr { return s.addr }
func (addrSession) ID() string             { return "id" }

type addrCtx struct {
	drpc.ReadCtx
	sess addrSession
}

func (c addrCtx) Session() drpc.CtxSession { return c.sess }

type textAddr string

func (textAddr) Network() string  { return "" }
func (a textAddr) String() string { return string(a) }

func TestPeerIsItsAddressWithoutThePort(t *testing.T) {
	t.Parallel()
	for want, addrs := range map[string][]net.Addr{
		"192.0.2.1": {
			&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 2},
			&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 3}, textAddr("192.0.2.1:4"),
		},
		"2001:db8::/64": {
			&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}, &net.TCPAddr{IP: net.ParseIP("2001:db8::2"), Port: 1, Zone: "eth0"},
		},
		"id": {&net.UnixAddr{Name: "@", Net: "unix"}, textAddr(""), &net.TCPAddr{}},
	} {
		for _, addr := range addrs {
			if got := PeerOf(addrCtx{sess: addrSession{addr: addr}}); got != want {
				t.Errorf("%v: %q, want %q", addr, got, want)
			}
		}
	}
}
