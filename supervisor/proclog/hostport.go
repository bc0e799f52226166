package proclog

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// syslogPort is where system logs listen (RFC 5426).
const syslogPort = "514"

// splitHostPort takes host[:port] apart; an IPv6 host with a port stands in brackets, and comes back in them.
func splitHostPort(address string) (host, port string, err error) {
	host, port = address, syslogPort
	switch {
	case strings.HasPrefix(address, "["), strings.Count(address, ":") == 1:
		if strings.HasSuffix(address, "]") {
			host = strings.Trim(address, "[]")
		} else if host, port, err = net.SplitHostPort(address); err != nil {
			return "", "", err
		}
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n[]/") {
		return "", "", errors.New("a host is missing")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", errors.New("bad port " + strconv.Quote(port))
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host, port, nil
}
