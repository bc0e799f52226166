//go:build !race

// Package race tells whether the race detector is on. Tests that count allocations ask it, because under the
// detector sync.Pool drops buffers on purpose.
package race

// Enabled is true in a build with -race.
const Enabled = false
