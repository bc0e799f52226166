//go:build unix

package socket

import (
	"net"
	"syscall"
)

// rawWriter writes what the kernel takes at once, and never waits. So a write that need not wait costs no deadline,
// and a sender that must not wait can still write for itself.
type rawWriter struct {
	conn syscall.RawConn
	once func(fd uintptr) bool // made once, so that a write allocates nothing

	bufs net.Buffers
	n    int
	err  error
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
		w.n, w.err = writev(int(fd), w.bufs)
		return true
	}
	return w
}

// write returns how much was written. An error ends the connection; that nothing can be taken now is none.
func (w *rawWriter) write(bufs net.Buffers) (int, error) {
	w.bufs, w.n, w.err = bufs, 0, nil
	err := w.conn.Write(w.once)
	w.bufs = nil
	if err == nil {
		err = w.err
	}
	if err == syscall.EAGAIN || err == syscall.EINTR {
		err = nil
	}
	return max(w.n, 0), err
}
