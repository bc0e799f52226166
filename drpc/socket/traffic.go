package socket

import (
	"sync/atomic"

	"github.com/osgochina/dmicro/internal/clock"
)

// Traffic counts the bytes that connections have carried. Connections that follow one another may count into the same
// one. It costs an addition for each read and each write of the system, however many frames they carry. Safe for
// concurrent use; the zero value is ready.
type Traffic struct {
	in, out flow
}

// flow is one direction. The directions are counted by different goroutines, which should not share a cache line.
type flow struct {
	bytes atomic.Uint64
	last  atomic.Int64 // clock.Time
	_     [48]byte
}

func (f *flow) add(n int, at clock.Time) {
	f.bytes.Add(uint64(n))
	f.last.Store(int64(at))
}

// BytesIn is the number of bytes read, those included that no message was made of yet.
func (t *Traffic) BytesIn() uint64 { return t.in.bytes.Load() }

// BytesOut is the number of bytes written.
func (t *Traffic) BytesOut() uint64 { return t.out.bytes.Load() }

// LastIn is when bytes last came in, 0 if none ever did.
func (t *Traffic) LastIn() clock.Time { return clock.Time(t.in.last.Load()) }

// LastOut is when bytes were last written, 0 if none ever were.
func (t *Traffic) LastOut() clock.Time { return clock.Time(t.out.last.Load()) }
