package socket

import (
	"context"

	"github.com/osgochina/dmicro/internal/bufpool"
)

const (
	// maxCopy is the frame size up to which frames are joined into one buffer; larger ones are written from their
	// own, because copying them costs more than another element of the write vector.
	maxCopy = 8 << 10
	// chunkSize is the size of the buffers that small frames are joined in.
	chunkSize = 32 << 10
)

// batch is what one system call writes.
type batch struct {
	bufs    []*bufpool.Buf
	open    bool // the last buffer is ours to append to
	size    int
	frames  int
	outcome *outcome
}

// outcome tells senders that asked what became of the batch with their frame.
type outcome struct {
	done chan struct{}
	err  error
}

// add takes frame over. Small frames in a row are joined in one buffer; the first of them stays in its own until the
// second comes, so that a lone one is not copied.
func (b *batch) add(frame *bufpool.Buf) {
	b.size += len(frame.B)
	b.frames++
	last := len(b.bufs) - 1
	if last < 0 || len(frame.B) > maxCopy {
		b.bufs, b.open = append(b.bufs, frame), false
		return
	}
	if !b.open && len(b.bufs[last].B) <= maxCopy {
		chunk := bufpool.Get(chunkSize)
		chunk.B = append(chunk.B, b.bufs[last].B...)
		bufpool.Put(b.bufs[last])
		b.bufs[last], b.open = chunk, true
	}
	if tail := b.bufs[last]; b.open && len(tail.B)+len(frame.B) <= cap(tail.B) {
		tail.B = append(tail.B, frame.B...)
		bufpool.Put(frame)
		return
	}
	b.bufs, b.open = append(b.bufs, frame), false
}

func (b *batch) watch() *outcome {
	if b.outcome == nil {
		b.outcome = &outcome{done: make(chan struct{})}
	}
	return b.outcome
}

func (b *batch) finish(err error) {
	if b.outcome != nil {
		b.outcome.err = err
		close(b.outcome.done)
		b.outcome = nil
	}
}

// recycle gives the buffers back and keeps the slice that held them.
func (b *batch) recycle() {
	for i, buf := range b.bufs {
		bufpool.Put(buf)
		b.bufs[i] = nil
	}
	*b = batch{bufs: b.bufs[:0]}
}

func (out *outcome) wait(ctx context.Context) error {
	select {
	case <-out.done:
		return out.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
