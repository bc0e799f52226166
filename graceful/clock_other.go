//go:build !linux

package graceful

// monotonic is empty: there is no systemd here.
func monotonic() string { return "" }
