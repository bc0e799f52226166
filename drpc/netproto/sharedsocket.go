package netproto

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// SharedSocket is the packet socket below a connection, to be embedded by connections over UDP: programs reach the file
// descriptor and the buffers of the socket through it. All connections that a listener has accepted have the same socket.
// Its methods may be used concurrently.
type SharedSocket struct{ pc net.PacketConn }

// NewSharedSocket returns the SharedSocket of pc.
func NewSharedSocket(pc net.PacketConn) SharedSocket { return SharedSocket{pc} }

// SyscallConn gives access to the file descriptor of the socket. It fails with errors.ErrUnsupported where the socket is
// none of the system's.
func (s SharedSocket) SyscallConn() (syscall.RawConn, error) {
	if c, ok := s.pc.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, fmt.Errorf("packet connection of type %T: %w", s.pc, errors.ErrUnsupported)
}

// SetReadBuffer sets the receive buffer of the socket in bytes.
func (s SharedSocket) SetReadBuffer(bytes int) error {
	if c, ok := s.pc.(interface{ SetReadBuffer(int) error }); ok {
		return c.SetReadBuffer(bytes)
	}
	return errors.ErrUnsupported
}

// SetWriteBuffer sets the send buffer of the socket in bytes.
func (s SharedSocket) SetWriteBuffer(bytes int) error {
	if c, ok := s.pc.(interface{ SetWriteBuffer(int) error }); ok {
		return c.SetWriteBuffer(bytes)
	}
	return errors.ErrUnsupported
}
