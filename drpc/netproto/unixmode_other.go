//go:build !unix

package netproto

// restrict does nothing: there are no modes here.
func restrict(uintptr) {}
