package drpc

import (
	"math/rand/v2"
	"net"
	"testing"
)

// freePort returns a TCP port of 127.0.0.1 that nothing listens on, for servers that go and come back. It lies below the
// range of port 0 and of the ports that are dialled from: while such a server is away nobody else gets its port, and
// nobody connects to itself by dialling it.
func freePort(t testing.TB) uint16 {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err == nil {
			_ = ln.Close()
			return uint16(port)
		}
	}
	t.Fatal("no free port among a hundred")
	return 0
}
