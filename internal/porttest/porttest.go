// Package porttest finds ports for tests whose servers go and come back at one address. Only tests import this package.
//
// # Concurrency
//
// All functions may be called concurrently.
package porttest

import (
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
)

// Free returns a TCP port of 127.0.0.1 that nothing listens on. It lies below the range from which systems serve port 0
// and choose the ports that are dialled from (32768 at the lowest, RFC 6056), and no other test gets it until this one ends:
// while a server is away its port is nobody else's, and nobody who dials it connects to itself.
func Free(t testing.TB) uint16 {
	t.Helper()
	var port int
	choose(t, func(candidate int) error {
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: loopback, Port: candidate})
		if err == nil {
			port = candidate
			err = ln.Close()
		}
		return err
	})
	Released()
	return uint16(port)
}

// FreeUDP is Free for a UDP port.
func FreeUDP(t testing.TB) uint16 {
	t.Helper()
	conn := ListenUDP(t)
	port := conn.LocalAddr().(*net.UDPAddr).Port
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	Released()
	return uint16(port)
}

// Released returns when what this process has closed before is free. A program that any goroutine starts has a copy of
// every descriptor until it executes, so that a socket may be open for a moment after it was closed: in a package whose
// tests start programs, side by side, who binds an address again or says that nobody is there calls Released before.
func Released() {
	syscall.ForkLock.RLock() // held by whoever starts a program until the program executes
	defer syscall.ForkLock.RUnlock()
}

// ListenUDP returns a UDP socket of 127.0.0.1 whose port may be let go and bound again: like those of Free, nobody else
// gets it meanwhile. Closing it is up to who gets it.
func ListenUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	choose(t, func(port int) (err error) {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: loopback, Port: port})
		return err
	})
	return conn
}

var loopback = net.IPv4(127, 0, 0, 1)

const (
	lowest = 10_000
	ports  = 10_000 // as many again are their locks
)

// choose draws ports until one is good. Until the test ends it holds the lock of the port, a listener at another one: tests
// of other processes draw, too, and find the port free whenever its server is away.
func choose(t testing.TB, try func(port int) error) {
	t.Helper()
	for range 100 {
		port := lowest + rand.IntN(ports)
		lock, err := net.ListenTCP("tcp", &net.TCPAddr{IP: loopback, Port: port + ports})
		if err != nil {
			continue // somebody else has it
		}
		if try(port) == nil {
			t.Cleanup(func() { _ = lock.Close() })
			return
		}
		_ = lock.Close()
	}
	t.Fatal("no free port among a hundred")
}
