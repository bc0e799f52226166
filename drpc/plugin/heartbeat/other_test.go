//go:build !unix

package heartbeat

// Processes cannot be frozen here.
func frozenServer() bool { return false }
