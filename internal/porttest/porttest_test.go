package porttest

import (
	"net"
	"testing"
)

func TestPortIsFreeAndNobodyElses(t *testing.T) {
	t.Parallel()
	for range 20 {
		port := Free(t)
		if port < 10_000 || port >= 30_000 {
			t.Errorf("port %d", port)
		}
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
	}
}

func TestSocketsMayBeBoundAgain(t *testing.T) {
	t.Parallel()
	for range 20 {
		conn := ListenUDP(t)
		addr := conn.LocalAddr().(*net.UDPAddr)
		if addr.Port < 10_000 || addr.Port >= 30_000 {
			t.Errorf("port %d", addr.Port)
		}
		_ = conn.Close()
		again, err := net.ListenUDP("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
	}
}

func TestPortOfFreeUDPMayBeBound(t *testing.T) {
	t.Parallel()
	for range 20 {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback, Port: int(FreeUDP(t))})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
}

func TestPortsAreLockedWhileTheirTestRuns(t *testing.T) {
	t.Parallel()
	conn := ListenUDP(t)
	defer func() { _ = conn.Close() }()
	for what, port := range map[string]int{"Free": int(Free(t)), "ListenUDP": conn.LocalAddr().(*net.UDPAddr).Port} {
		if ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: loopback, Port: port + ports}); err == nil {
			_ = ln.Close()
			t.Errorf("%s: another test may get port %d", what, port)
		}
	}
}
