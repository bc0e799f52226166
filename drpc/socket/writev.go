//go:build darwin || linux

package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxVec is how many buffers one system call takes on every system.
const maxVec = 1024

// writev writes as much of bufs as the kernel takes, with one system call.
func writev(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return syscall.Write(fd, bufs[0])
	}
	return unix.Writev(fd, bufs[:min(len(bufs), maxVec)])
}
