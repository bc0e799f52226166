//go:build !linux

package netproto

import "syscall"

// portAtConnect does nothing: the system has no such setting.
func portAtConnect(_, _ string, _ syscall.RawConn) error { return nil }
