package socket

import (
	"errors"
	"io"
	"net"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/internal/clock"
)

const (
	// idleBuffer is the read buffer of a connection that has little to say, busyBuffer that of one whose reads fill
	// the small one: it takes many frames with one system call.
	idleBuffer = 4 << 10
	busyBuffer = 64 << 10
	// firstFill is how much memory a frame larger than the buffer gets before its bytes have come.
	firstFill = 128 << 10
)

// errNoProgress ends a connection whose Read returns nothing without an error, again and again.
var errNoProgress = errors.New("connection reads nothing and gives no error")

// frameReader reads frames off a connection through one buffer.
type frameReader struct {
	conn net.Conn
	// beforeWait is called before each wait for bytes, if it is there.
	beforeWait func()
	traffic    *Traffic // nil counts nothing

	// watch ends a connection whose peer does not finish what it began; nil is none. watched says that it knows of an
	// unfinished frame.
	watch   *frameWatch
	watched bool
	// lends says that frames may stay in buf until the next one is read.
	lends bool

	buf *bufpool.Buf // length is what was filled
	pos int          // start of what was not consumed yet
	at  clock.Time   // when bytes last came, a clock that costs nothing to read
}

// next returns the next frame, and the buffer that it lies in: nil is the one of the reader, which it may stay in until
// next is called again. It takes no more memory than twice the bytes that really came.
func (r *frameReader) next(f proto.Framer, limit uint32) ([]byte, *bufpool.Buf, error) {
	for seen := 0; ; {
		var have []byte
		if r.buf != nil {
			have = r.buf.B[r.pos:]
		}
		n := 0
		if len(have) > 0 {
			var err error
			if n, err = f.FrameLen(have, seen); err != nil {
				return nil, nil, err
			}
		}
		if n > 0 {
			if err := message.CheckSize(uint64(n), limit); err != nil {
				return nil, nil, err
			}
			if n <= len(have) {
				r.pos += n
				r.finished()
				if r.lends {
					return have[:n:n], nil, nil
				}
				own := bufpool.Get(n)
				own.B = append(own.B, have[:n]...)
				return own.B, own, nil
			}
			if n > busyBuffer/2 {
				own, err := r.large(n)
				if err != nil {
					return nil, nil, err
				}
				return own.B, own, nil
			}
		} else if err := message.CheckSize(uint64(len(have)), limit); err != nil {
			return nil, nil, err
		}
		if seen = len(have); seen > 0 {
			r.unfinished(max(n, seen))
		}
		if err := r.fill(n); err != nil {
			if err == io.EOF && len(have) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, nil, err
		}
	}
}

// large reads a frame of n bytes straight into a buffer of its own.
func (r *frameReader) large(n int) (*bufpool.Buf, error) {
	r.wait()
	r.unfinished(n)
	have := r.buf.B[r.pos:]
	frame := bufpool.Get(min(n, max(firstFill, len(have))))
	frame.B = append(frame.B, have...)
	r.pos = len(r.buf.B)
	for len(frame.B) < n {
		if len(frame.B) == cap(frame.B) {
			frame.Grow(min(n-len(frame.B), cap(frame.B)))
		}
		got, err := io.ReadFull(r.conn, frame.B[len(frame.B):min(n, cap(frame.B))])
		frame.B = frame.B[:len(frame.B)+got]
		r.came(got)
		if err != nil {
			bufpool.Put(frame)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	r.finished()
	return frame, nil
}

// unfinished tells the watch of a frame of size bytes that has not come whole. The size may be what has come so far.
func (r *frameReader) unfinished(size int) {
	if r.watch == nil {
		return
	}
	r.watch.size.Store(int64(size))
	if !r.watched {
		r.watched = true
		r.watch.begin(clock.Now()) // not when it came: who reads may have had other things to do since
	}
}

// finished tells the watch that the frame has come.
func (r *frameReader) finished() {
	if r.watched {
		r.watched = false
		r.watch.began.Store(0)
	}
}

// came notes that n bytes came in.
func (r *frameReader) came(n int) {
	r.at = clock.Now()
	if r.traffic != nil {
		r.traffic.in.add(n, r.at)
	}
}

// wait is called before each read that may block.
func (r *frameReader) wait() {
	if r.beforeWait != nil {
		r.beforeWait()
	}
}

// fill reads once, making room for at least want bytes behind pos (0: for some more).
func (r *frameReader) fill(want int) error {
	r.wait()
	r.room(want)
	for range 100 {
		free := r.buf.B[len(r.buf.B):cap(r.buf.B)]
		n, err := r.conn.Read(free)
		r.buf.B = r.buf.B[:len(r.buf.B)+n]
		if n > 0 {
			r.came(n)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errNoProgress
}

// room prepares the buffer: what is unread moves to its front, and a buffer that was too small becomes larger.
func (r *frameReader) room(want int) {
	if r.buf == nil {
		r.buf = bufpool.Get(idleBuffer)
		r.pos = 0
		return
	}
	full := len(r.buf.B) == cap(r.buf.B)
	unread := copy(r.buf.B, r.buf.B[r.pos:])
	r.buf.B, r.pos = r.buf.B[:unread], 0
	switch {
	case want > cap(r.buf.B):
		r.buf.Grow(want - unread)
	case unread == cap(r.buf.B): // a head longer than the buffer
		r.buf.Grow(unread)
	case full && cap(r.buf.B) < busyBuffer:
		r.buf.Grow(busyBuffer - unread)
	}
}

// Read returns bytes outside of any frame.
func (r *frameReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if r.buf == nil || r.pos == len(r.buf.B) {
		if len(b) >= idleBuffer {
			r.wait()
			n, err := r.conn.Read(b)
			if n > 0 {
				r.came(n)
			}
			return n, err
		}
		if err := r.fill(0); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.buf.B[r.pos:])
	r.pos += n
	return n, nil
}

// buffered is the number of bytes that were read ahead.
func (r *frameReader) buffered() int {
	if r.buf == nil {
		return 0
	}
	return len(r.buf.B) - r.pos
}

// release gives the buffer back.
func (r *frameReader) release() {
	bufpool.Put(r.buf)
	r.buf, r.pos = nil, 0
}
