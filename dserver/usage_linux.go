package dserver

import (
	"bytes"
	"os"
	"strconv"
)

// residentMemory is the memory of this process that is in use, in bytes; 0 if the system does not say.
func residentMemory() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return pages * uint64(os.Getpagesize())
}
