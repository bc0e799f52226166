// Package usage tells what a process has used: CPU time, allocations, memory.
package usage

import (
	"runtime"
	"time"
)

// Usage is what a process used over some time.
type Usage struct {
	// CPU is the time on any core, in user and kernel mode.
	CPU time.Duration `json:"cpu"`
	// Allocs and Bytes are what was allocated on the heap.
	Allocs uint64 `json:"allocs"`
	Bytes  uint64 `json:"bytes"`
	// Peak is the most memory in bytes that the process ever had resident.
	Peak uint64 `json:"peak"`
}

// Now returns what this process has used since it started. It stops the world for a moment.
func Now() Usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, peak := system()
	return Usage{CPU: cpu, Allocs: m.Mallocs, Bytes: m.TotalAlloc, Peak: peak}
}

// Since returns what was used from before on; Peak stays that of the whole time.
func (u Usage) Since(before Usage) Usage {
	return Usage{CPU: u.CPU - before.CPU, Allocs: u.Allocs - before.Allocs, Bytes: u.Bytes - before.Bytes, Peak: u.Peak}
}
