// Package usage tells what a process has used: CPU time, allocations, memory.
package usage

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
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

// CPU returns the CPU time that this process has used since it started, and costs next to none itself.
func CPU() time.Duration {
	cpu, _ := system()
	return cpu
}

// Since returns what was used from before on; Peak stays that of the whole time.
func (u Usage) Since(before Usage) Usage {
	return Usage{CPU: u.CPU - before.CPU, Allocs: u.Allocs - before.Allocs, Bytes: u.Bytes - before.Bytes, Peak: u.Peak}
}

// Memory is what a process holds at a moment, in bytes.
type Memory struct {
	// Resident is the memory that the kernel has given to it; 0 where it does not tell.
	Resident uint64 `json:"resident"`
	// Heap and Stacks are what the program itself uses of it after a collection.
	Heap   uint64 `json:"heap"`
	Stacks uint64 `json:"stacks"`
}

// Held returns what this process holds after a collection. It takes a moment.
func Held() Memory {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Memory{Resident: resident(), Heap: m.HeapInuse, Stacks: m.StackInuse}
}

// resident reads the second number of statm, which counts pages. The kernel of other systems than Linux has no such file.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
