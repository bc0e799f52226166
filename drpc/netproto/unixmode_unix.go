//go:build unix

package netproto

import "syscall"

// restrict sets the mode of a socket before it has a file. On Linux the file gets it, so that it is never open to others,
// not for a moment; elsewhere nothing happens.
func restrict(fd uintptr) { _ = syscall.Fchmod(int(fd), socketMode) }
