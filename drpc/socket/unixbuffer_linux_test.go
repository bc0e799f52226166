package socket_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/osgochina/dmicro/drpc/socket"
)

// sendBuffer is the send buffer that the system gives a connection.
func sendBuffer(t *testing.T, conn syscall.Conn) (n int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Not parallel: the settings are those of the whole process.
func TestUnixSocketsGetALargerSendBuffer(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		ln, err := net.Listen(network, filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		conn, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		unix := conn.(*net.UnixConn)
		if err = unix.SetWriteBuffer(8 << 10); err != nil {
			t.Fatal(err)
		}
		small := sendBuffer(t, unix)
		socket.TryOptimize(over{conn})
		if n := sendBuffer(t, unix); n < 100<<10 { // the system may have a limit
			t.Errorf("%s: %d bytes", network, n)
		}
		socket.SetWriteBuffer(8 << 10)
		socket.TryOptimize(conn)
		socket.SetWriteBuffer(-1)
		if n := sendBuffer(t, unix); n != small {
			t.Errorf("%s: what the program asks for does not count: %d bytes", network, n)
		}
	}
}
