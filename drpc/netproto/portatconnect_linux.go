package netproto

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// portAtConnect makes the system choose the port to dial from when it knows the peer, and not before: then connections
// to different peers may share a port, and one that is closed leaves its own sooner. Otherwise a client that dials from
// an address of its choice runs out of ports after some 28,000 connections a minute, to however many peers. Systems
// without the setting go on as before.
func portAtConnect(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}
