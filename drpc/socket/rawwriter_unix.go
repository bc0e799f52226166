//go:build unix

package socket

import (
	"net"
	"syscall"
)

// rawWriter writes what the kernel takes at once, and never waits.
type rawWriter struct {
	conn syscall.RawConn
	once func(fd uintptr) bool // made once, so that a write allocates nothing

	buf []byte
	n   int
	err error
}

// newRawWriter returns nil for connections that are no plain sockets, such as those with TLS.
func newRawWriter(c net.Conn) *rawWriter {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWriter{conn: raw}
	w.once = func(fd uintptr) bool {
		w.n, w.err = syscall.Write(int(fd), w.buf)
		return true
	}
	return w
}

// write returns how much was written. An error ends the connection; that nothing can be taken now is none.
func (w *rawWriter) write(b []byte) (int, error) {
	w.buf, w.n, w.err = b, 0, nil
	err := w.conn.Write(w.once)
	w.buf = nil
	if err == nil {
		err = w.err
	}
	if err == syscall.EAGAIN || err == syscall.EINTR {
		err = nil
	}
	return max(w.n, 0), err
}
