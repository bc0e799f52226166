//go:build !linux

package process

import "syscall"

// dieWithUs does nothing: this system has no such thing.
func dieWithUs(*syscall.SysProcAttr) {}
