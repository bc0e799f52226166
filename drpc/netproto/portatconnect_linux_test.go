package netproto

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPortIsChosenWhenThePeerIsKnown(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "": false} {
		ip := "127.0.0.1"
		if address == "[::1]:0" {
			ip = "::1"
		}
		ln, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Logf("%s: %v", ip, err) // a machine without IPv6
			continue
		}
		conn, err := std{}.Dial(t.Context(), "tcp", address, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := conn.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got int
		var optErr error
		err = raw.Control(func(fd uintptr) { got, optErr = unix.GetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT) })
		if err != nil || optErr != nil || (got == 1) != want {
			t.Errorf("from %q: %d, %v, %v", address, got, err, optErr)
		}
		if local := conn.LocalAddr().(*net.TCPAddr); local.Port == 0 || want && !local.IP.Equal(net.ParseIP(ip)) {
			t.Errorf("from %q: dialled from %v", address, local)
		}
		_ = conn.Close()
		_ = ln.Close()
	}
}
