// Package conntest has what the tests of transports have in common. Only tests import this package.
package conntest

import (
	"net"
	"os"
	"testing"
	"time"
)

// Patience is how long something may take that takes no time unless it hangs.
const Patience = 30 * time.Second

// Accept returns the next connection, which is closed with the test.
func Accept(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	type result struct {
		conn net.Conn
		err  error
	}
	got := make(chan result, 1)
	go func() {
		conn, err := ln.Accept()
		got <- result{conn, err}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			t.Fatal(r.err)
		}
		t.Cleanup(func() { _ = r.conn.Close() })
		return r.conn
	case <-time.After(Patience):
		t.Fatal("nothing is accepted")
		return nil
	}
}

// PacketConn returns a UDP socket of the loopback interface. Closing it is up to who gets it.
func PacketConn(t testing.TB) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

// Descriptors is how many files the process has open, 0 where there is no way to tell.
func Descriptors() int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(open)
}
