package graceful

import (
	"net"
	"path/filepath"
	"strings"

	"github.com/osgochina/dmicro/internal/unixsocket"
)

// kinds maps the networks that can be inherited to what they have in common.
var kinds = map[string]string{
	"tcp": "tcp", "tcp4": "tcp", "tcp6": "tcp",
	"udp": "udp", "udp4": "udp", "udp6": "udp",
	"unix": "unix", "unixpacket": "unixpacket",
}

// isUnix reports whether sockets of a kind have files.
func isUnix(kind string) bool { return kind == "unix" || kind == "unixpacket" }

// compatible reports whether a socket of one network will do for another: "tcp" is as good as "tcp4", but "tcp4" is
// not "tcp6".
func compatible(a, b string) bool {
	return a == b || kinds[a] == kinds[b] && (a == kinds[a] || b == kinds[b])
}

// canonical is the form in which addresses are compared. The spellings of "every interface" are the same, and so are
// a relative and an absolute path. It is empty for a port that the system is to choose: that has no address yet.
func canonical(network, address string) string {
	if isUnix(kinds[network]) {
		if unixsocket.IsAbstract(address) {
			return address
		}
		if abs, err := filepath.Abs(address); err == nil {
			return abs
		}
		return address
	}
	addr, err := net.ResolveTCPAddr(strings.Replace(network, "udp", "tcp", 1), address)
	if err != nil || addr.Port == 0 {
		return ""
	}
	if addr.IP.IsUnspecified() {
		addr.IP = nil
	}
	return addr.String()
}
