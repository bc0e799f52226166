//go:build !linux

package dserver

import "runtime"

// residentMemory is the memory that the Go runtime of this process has from the system, in bytes.
func residentMemory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
