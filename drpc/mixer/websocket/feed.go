package websocket

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"sync/atomic"

	"github.com/osgochina/dmicro/internal/bufpool"
	"github.com/osgochina/dmicro/internal/clock"
)

const (
	// idleBuffer is the read buffer of a connection that has little to say, busyBuffer that of one whose reads fill the
	// small one.
	idleBuffer = 4 << 10
	busyBuffer = 64 << 10
	// maxHead is the longest header of a frame.
	maxHead = 2 + 8 + 4
)

// frameHead is what is said in front of a frame.
type frameHead struct {
	final  bool
	opcode byte
	size   int64 // of the payload
}

// parseHead returns the header that b begins with and its length, 0 if b is too short to tell. What is wrong with a
// header is not its business.
func parseHead(b []byte) (h frameHead, n int) {
	if len(b) < 2 {
		return h, 0
	}
	h = frameHead{final: b[0]&0x80 != 0, opcode: b[0] & 0xf, size: int64(b[1] & 0x7f)}
	n = 2
	switch {
	case h.size == 126 && len(b) >= 4:
		h.size = int64(binary.BigEndian.Uint16(b[2:]))
		n += 2
	case h.size == 127 && len(b) >= 10:
		h.size = int64(min(binary.BigEndian.Uint64(b[2:]), math.MaxInt64-maxHead))
		n += 8
	case h.size > 125:
		return h, 0
	}
	if b[1]&0x80 != 0 {
		n += 4
	}
	if len(b) < n {
		return h, 0
	}
	return h, n
}

// feed is what is read off the connection. It hands out frame by frame, and never the begin of one together with the end
// of another: so whoever reads from it, through a buffer of its own, has nothing left when it is through with a frame, and
// the feed knows whether there is another one at hand.
type feed struct {
	conn net.Conn
	buf  *bufpool.Buf // its length is what was filled
	pos  int          // start of what was not handed out

	head frameHead // of the frame being handed out
	left int64     // what was not handed out of it, its header included

	// answer says that what comes first is the answer to a handshake, which ends with an empty line; line is how much of
	// that end has come.
	answer bool
	line   int

	at atomic.Int64 // clock.Time when bytes last came
	// control says that a whole ping or pong has come.
	control atomic.Bool
}

func (f *feed) unread() []byte {
	if f.buf == nil {
		return nil
	}
	return f.buf.B[f.pos:]
}

// Read hands out bytes of one frame.
func (f *feed) Read(b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return 0, nil
	case f.answer:
		return f.readAnswer(b)
	case f.left == 0:
		if err := f.begin(); err != nil {
			return 0, err
		}
	}
	b = b[:min(int64(len(b)), f.left)]
	if len(f.unread()) == 0 {
		if len(b) >= idleBuffer {
			n, err := f.conn.Read(b)
			f.noted(n)
			f.took(n)
			return n, err
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, f.unread())
	f.pos += n
	f.took(n)
	return n, nil
}

// took notes that n bytes of the frame were handed out.
func (f *feed) took(n int) {
	f.left -= int64(n)
	if f.left == 0 && (f.head.opcode == opPing || f.head.opcode == opPong) && !f.control.Load() {
		f.control.Store(true)
	}
}

// begin reads on to the next header.
func (f *feed) begin() error {
	for {
		if head, n := parseHead(f.unread()); n > 0 {
			f.head, f.left = head, int64(n)+head.size
			return nil
		}
		if err := f.fill(); err != nil {
			if err == io.EOF && len(f.unread()) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// readAnswer hands out bytes up to the end of the answer.
func (f *feed) readAnswer(b []byte) (int, error) {
	if len(f.unread()) == 0 {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, f.unread())
	for i, c := range b[:n] {
		switch {
		case c == '\n' && f.line > 0:
			f.answer = false
			f.pos += i + 1
			return i + 1, nil
		case c == '\n':
			f.line = 1
		case c == '\r' && f.line == 1:
			f.line = 2
		default:
			f.line = 0
		}
	}
	f.pos += n
	return n, nil
}

// ready reports whether a whole message is at hand, so that reading it cannot block. Only between frames.
func (f *feed) ready() bool {
	b := f.unread()
	head, n := parseHead(b)
	return n > 0 && head.final && (head.opcode == opText || head.opcode == opBinary) && int64(len(b)-n) >= head.size
}

// fill reads once behind what is unread, which is less than a header.
func (f *feed) fill() error {
	f.room()
	for range 100 {
		n, err := f.conn.Read(f.buf.B[len(f.buf.B):cap(f.buf.B)])
		f.buf.B = f.buf.B[:len(f.buf.B)+n]
		f.noted(n)
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// room makes room in the buffer; one that was filled becomes larger.
func (f *feed) room() {
	if f.buf == nil {
		f.buf = bufpool.Get(idleBuffer)
		return
	}
	full := len(f.buf.B) == cap(f.buf.B)
	n := copy(f.buf.B, f.unread())
	f.buf.B, f.pos = f.buf.B[:n], 0
	if full && cap(f.buf.B) < busyBuffer {
		f.buf.Grow(busyBuffer - n)
	}
}

func (f *feed) noted(n int) {
	if n > 0 {
		f.at.Store(int64(clock.Now()))
	}
}

// release gives the buffer back once nobody reads any more.
func (f *feed) release() {
	bufpool.Put(f.buf)
	f.buf, f.pos = nil, 0
}
