package kcp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/conntest"
)

func FuzzDatagram(f *testing.F) {
	for k := hello; k <= gone; k++ {
		f.Add(control{conv: 7, kind: k, value: 1 << 40}.bytes())
	}
	f.Add([]byte{1, 2, 3, 4, 81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0xf1, 0, 26, 0, 1, 2, 3, 4, 81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0xf2, 0, 0, 0, 1, 2, 3, 4, 81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{})
	ln := listen(f, Config{MaxSessions: 1})
	dialTo(f, ln.Addr(), Config{})
	server := conntest.Accept(f, ln).(*Conn)
	peer := server.RemoteAddr().(*net.UDPAddr)
	f.Fuzz(func(t *testing.T, b []byte) {
		if ctl, ok := parseControl(b); ok {
			if again, ok := parseControl(ctl.bytes()); !ok || again != ctl {
				t.Errorf("%v became %v", ctl, again)
			}
			return // what they do is tested elsewhere: some end the conversation
		}
		if s, ok := parseSegment(b); ok && len(b) < kcpOverhead {
			t.Errorf("%v in %d bytes", s, len(b))
		}
		ln.hub.take(b, peer)
		ln.hub.take(b, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
		if n := len(ln.hub.conns); n > 1 {
			t.Errorf("%d conversations", n)
		}
	})
}

func TestCookieIsGoodForOneAddressAndConversationAndNotForLong(t *testing.T) {
	t.Parallel()
	const begin = 100*time.Second + time.Millisecond
	now := begin
	b := newBaker()
	b.now = func() time.Duration { return now }
	addr := netip.MustParseAddrPort("192.0.2.1:4711")
	c := b.bake(addr, 7)
	check := func(what string, want bool, b *baker, addr netip.AddrPort, conv uint32, c uint64) {
		t.Helper()
		baked, ok := b.check(addr, conv, c)
		if ok != want {
			t.Errorf("%s: good is %v", what, ok)
		}
		if ok && baked != begin {
			t.Errorf("%s: made at %v", what, baked)
		}
	}
	check("itself", true, b, addr, 7, c)
	check("another port", false, b, netip.MustParseAddrPort("192.0.2.1:4712"), 7, c)
	check("another address", false, b, netip.MustParseAddrPort("192.0.2.2:4711"), 7, c)
	check("another conversation", false, b, addr, 8, c)
	check("a changed bit", false, b, addr, 7, c^1<<63)
	check("another bit", false, b, addr, 7, c^1<<16)
	check("another time", false, b, addr, 7, c-1)
	check("another server", false, newBaker(), addr, 7, c)
	now = begin + cookieAge
	check("a while later", true, b, addr, 7, c)
	now = begin + cookieAge + time.Millisecond
	check("long after", false, b, addr, 7, c)
	now = begin + 1<<16*time.Millisecond
	check("when stamps begin anew", false, b, addr, 7, c)
}
