//go:build !linux

package graceful

// refuseTCP does nothing: new connections are refused when the socket is closed.
func refuseTCP(uintptr) {}
