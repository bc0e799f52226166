//go:build unix && !darwin && !linux

package socket

import "syscall"

// writev writes as much of the first buffer as the kernel takes; the standard library writes the others.
func writev(fd int, bufs [][]byte) (int, error) { return syscall.Write(fd, bufs[0]) }
