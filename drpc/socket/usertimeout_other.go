//go:build !linux

package socket

import (
	"net"
	"time"
)

// setUserTimeout does nothing: the system has no such setting.
func setUserTimeout(*net.TCPConn, time.Duration) {}
