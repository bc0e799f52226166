package registry

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// advertised returns the address that clients shall dial for a listener. want may replace the host or all of it.
func advertised(addr net.Addr, want string) (string, error) {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil { // a unix socket: its path is the address
		return addr.String(), nil
	}
	if strings.HasPrefix(addr.Network(), "unix") {
		return addr.String(), nil
	}
	if want != "" {
		return replaced(want, port)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = reachable(net.InterfaceAddrs, ip.Is6() || host == "")
	}
	return net.JoinHostPort(host, port), nil
}

// replaced returns the address that want says, with port if it has none itself.
func replaced(want, port string) (string, error) {
	host := want
	if h, p, err := net.SplitHostPort(want); err == nil {
		host, port = h, p
	} else if inner, ok := strings.CutPrefix(want, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	_, notIP := netip.ParseAddr(host)
	_, notPort := strconv.ParseUint(port, 10, 16)
	if host == "" || notPort != nil || notIP != nil && strings.ContainsAny(host, ":/[] ") {
		return "", fmt.Errorf("registry plugin: %q is no address to advertise", want)
	}
	return net.JoinHostPort(host, port), nil
}

// reachable returns the first address of this machine that others may reach, IPv4 before IPv6 if that is possible, and
// the loopback address if there is none.
func reachable(addrs func() ([]net.Addr, error), v6 bool) string {
	all, _ := addrs() // none: then only this machine can reach it anyway
	var six string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr().String()
		}
		if six == "" && v6 {
			six = prefix.Addr().String()
		}
	}
	if six != "" {
		return six
	}
	return "127.0.0.1"
}
