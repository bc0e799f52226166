// Package porttest finds ports for tests whose servers go and come back at one address. Only tests import this package.
//
// # Concurrency
//
// All functions may be called concurrently.
package porttest

import (
	"math/rand/v2"
	"net"
	"testing"
)

// Free returns a TCP port of 127.0.0.1 that nothing listens on. It lies below the range from which systems serve port 0
// and choose the ports that are dialled from (32768 at the lowest, RFC 6056): while a server is away nobody else gets its
// port, and nobody who dials it connects to itself.
func Free(t testing.TB) uint16 {
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
