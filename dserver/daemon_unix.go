//go:build !windows

package dserver

import "syscall"

// multiSupported says whether a master can hand sockets to its workers here.
const multiSupported = true

// ownSession cuts a daemon off from the terminal.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
