//go:build !linux

package crowd

// setFiles leaves the limit alone: the loopback network of other systems has too few addresses for a crowd anyway.
func setFiles(_, _ uint64) bool { return false }
