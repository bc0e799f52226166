package registry

import (
	"net"
	"testing"
)

func TestAdvertisedAddressCanBeReached(t *testing.T) {
	t.Parallel()
	lan := reachable(net.InterfaceAddrs, true)
	for _, tt := range []struct {
		name string
		addr net.Addr
		want string
		ip   string
	}{
		{"an address", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 80}, "", "10.0.0.7:80"},
		{"udp", &net.UDPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 80}, "", "10.0.0.7:80"},
		{"an IPv6 address", &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 80}, "", "[2001:db8::7]:80"},
		{"a wildcard", &net.TCPAddr{IP: net.IPv6unspecified, Port: 80}, "", net.JoinHostPort(lan, "80")},
		{"a unix socket", &net.UnixAddr{Name: "/run/a:b", Net: "unix"}, "other", "/run/a:b"},
		{"a host instead", &net.TCPAddr{IP: net.IPv6unspecified, Port: 80}, "shop.example", "shop.example:80"},
		{"an IPv6 host instead", &net.TCPAddr{Port: 80}, "2001:db8::7", "[2001:db8::7]:80"},
		{"all instead", &net.TCPAddr{Port: 80}, "shop.example:8080", "shop.example:8080"},
	} {
		if got, err := advertised(tt.addr, tt.want); err != nil || got != tt.ip {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.ip)
		}
	}
	for _, want := range []string{"http://shop/", "shop:http", "a b", "[::1", "[", ":80", "a:b:c"} {
		if got, err := advertised(&net.TCPAddr{Port: 80}, want); err == nil {
			t.Errorf("%q is advertised as %q", want, got)
		}
	}
}

func TestReachableAddressOfThisMachine(t *testing.T) {
	t.Parallel()
	addrs := func(cidr ...string) func() ([]net.Addr, error) {
		return func() (out []net.Addr, err error) {
			for _, c := range cidr {
				ip, n, err := net.ParseCIDR(c)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, &net.IPNet{IP: ip, Mask: n.Mask})
			}
			return out, nil
		}
	}
	for _, tt := range []struct {
		name string
		all  []string
		v6   bool
		want string
	}{
		{"IPv4 first", []string{"127.0.0.1/8", "fe80::1/64", "2001:db8::1/64", "10.0.0.1/8"}, true, "10.0.0.1"},
		{"IPv6", []string{"127.0.0.1/8", "fe80::1/64", "2001:db8::1/64"}, true, "2001:db8::1"},
		{"IPv6 of an IPv4 listener", []string{"127.0.0.1/8", "2001:db8::1/64"}, false, "127.0.0.1"},
		{"nothing", nil, true, "127.0.0.1"},
	} {
		if got := reachable(addrs(tt.all...), tt.v6); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
