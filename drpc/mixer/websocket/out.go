package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/internal/bufpool"
)

// Opcodes of frames.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// Kinds of control frames, in the order in which they leave.
const (
	pong = iota
	ping
	closing
)

const (
	// writeBuffer is how much is put together for one system call.
	writeBuffer = 64 << 10
	// maxCopy is the size from which payload is written from where it lies, if it need not be masked.
	maxCopy = 8 << 10
	// controlWait is how long a control frame may take to be written.
	controlWait = time.Second
	// closeWait is how long Close waits for who is writing at that moment, so that the close frame gets out behind. Who
	// writes to a peer that does not read is not waited for.
	closeWait   = 20 * time.Millisecond
	settlePause = time.Millisecond
)

var (
	errCloseSent = fmt.Errorf("the websocket is closing: %w", net.ErrClosed)
	errNoMessage = errors.New("bytes outside of any websocket message")
)

// out is what is written to the connection. The messages come as one stream of bytes, in any pieces, with their sizes
// known beforehand. Each becomes one frame, never several: older peers take every frame for a message.
//
// Control frames go between frames. Only the newest of each kind waits: a peer that sends pings and reads nothing must not
// make the pongs pile up.
type out struct {
	conn   net.Conn
	masked bool // as clients must
	sizes  sizes

	mu    sync.Mutex // held by who writes
	left  int        // bytes of the message under way still to come
	key   uint32
	buf   *bufpool.Buf
	ended bool // nothing can follow: a close frame was written, or a part of a control frame

	controls  [3][]byte // by kind
	closes    bool      // a close frame was among them
	controlMu sync.Mutex
	waiting   atomic.Bool // any of controls

	deadlineMu sync.Mutex
	deadline   time.Time // of messages
	own        bool      // a control frame is being written under a deadline of its own
}

// sizes are those of the messages that were announced and not begun yet.
type sizes struct {
	mu   sync.Mutex
	list []int
	pos  int
}

func (s *sizes) push(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, n)
}

func (s *sizes) pop() (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pos == len(s.list) {
		return 0, false
	}
	n := s.list[s.pos]
	if s.pos++; s.pos == len(s.list) {
		s.list, s.pos = s.list[:0], 0
	} else if s.pos >= 1024 {
		s.list, s.pos = s.list[:copy(s.list, s.list[s.pos:])], 0
	}
	return n, true
}

// write writes bytes of the stream.
func (o *out) write(b []byte) (int, error) {
	o.mu.Lock()
	o.buf = bufpool.Get(min(len(b)+256, writeBuffer))
	err := o.messages(b)
	bufpool.Put(o.buf)
	o.buf = nil
	o.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return len(b), o.flushControls()
}

func (o *out) messages(b []byte) error {
	if o.ended {
		return errCloseSent
	}
	for len(b) > 0 {
		if o.left == 0 {
			size, ok := o.sizes.pop()
			if !ok {
				return errNoMessage
			}
			if err := o.begin(size); err != nil {
				return err
			}
		}
		part := b[:min(o.left, len(b))]
		if err := o.payload(part); err != nil {
			return err
		}
		o.left -= len(part)
		b = b[len(part):]
	}
	return o.flush()
}

// begin puts the header of a message of that size into the buffer.
func (o *out) begin(size int) error {
	if cap(o.buf.B)-len(o.buf.B) < maxHead {
		if err := o.flush(); err != nil {
			return err
		}
	}
	var maskBit byte
	if o.masked {
		maskBit = 0x80
	}
	h := append(o.buf.B, 0x80|opBinary)
	switch {
	case size <= 125:
		h = append(h, maskBit|byte(size))
	case size <= 1<<16-1:
		h = binary.BigEndian.AppendUint16(append(h, maskBit|126), uint16(size))
	default:
		h = binary.BigEndian.AppendUint64(append(h, maskBit|127), uint64(size))
	}
	if o.masked {
		o.key = rand.Uint32()
		h = binary.LittleEndian.AppendUint32(h, o.key)
	}
	o.buf.B = h
	o.left = size
	return nil
}

func (o *out) payload(b []byte) error {
	if !o.masked && len(b) >= maxCopy {
		bufs := net.Buffers{o.buf.B, b}
		_, err := bufs.WriteTo(o.conn)
		o.buf.B = o.buf.B[:0]
		return err
	}
	for len(b) > 0 {
		at := len(o.buf.B)
		n := min(len(b), cap(o.buf.B)-at)
		if n == 0 {
			if err := o.flush(); err != nil {
				return err
			}
			continue
		}
		o.buf.B = o.buf.B[:at+n]
		if o.masked {
			o.key = mask(o.buf.B[at:], b[:n], o.key)
		} else {
			copy(o.buf.B[at:], b)
		}
		b = b[n:]
	}
	return nil
}

func (o *out) flush() error {
	if len(o.buf.B) == 0 {
		return nil
	}
	_, err := o.conn.Write(o.buf.B)
	o.buf.B = o.buf.B[:0]
	return err
}

// control sends a control frame as soon as no message is under way.
func (o *out) control(frame []byte) error {
	kind := pong
	switch frame[0] & 0xf {
	case opPing:
		kind = ping
	case opClose:
		kind = closing
	}
	o.controlMu.Lock()
	o.controls[kind] = bytes.Clone(frame)
	o.closes = o.closes || kind == closing
	o.waiting.Store(true)
	o.controlMu.Unlock()
	return o.flushControls()
}

// flushControls writes the control frames that wait. Where somebody else writes, it is he who does it when he is
// through: everybody comes here after writing.
func (o *out) flushControls() error {
	for o.waiting.Load() && o.mu.TryLock() {
		between := o.left == 0
		var err error
		if between {
			err = o.writeControls()
		}
		o.mu.Unlock()
		if err != nil || !between {
			return err
		}
	}
	return nil
}

// settle waits until no control frame waits any more, because somebody else was writing when it was sent, and at most
// for so long. What comes after it may end the sending.
func (o *out) settle(patience time.Duration) {
	for end := time.Now().Add(patience); o.waiting.Load() && time.Now().Before(end); time.Sleep(settlePause) {
		if o.flushControls() != nil {
			return
		}
	}
}

// closing reports whether a close frame was written, or waits for it.
func (o *out) closing() bool {
	o.controlMu.Lock()
	defer o.controlMu.Unlock()
	return o.closes
}

// writeControls writes all that wait, a close frame last. The caller holds the lock.
func (o *out) writeControls() error {
	var all []byte
	o.controlMu.Lock()
	closes := o.controls[closing] != nil
	for i, frame := range o.controls {
		all = append(all, frame...)
		o.controls[i] = nil
	}
	o.waiting.Store(false)
	o.controlMu.Unlock()
	if o.ended || len(all) == 0 {
		return nil // after a close frame comes nothing
	}
	o.ended = closes
	o.deadlineMu.Lock()
	o.own = true
	err := o.conn.SetWriteDeadline(time.Now().Add(controlWait))
	o.deadlineMu.Unlock()
	if err == nil {
		var n int
		if n, err = o.conn.Write(all); 0 < n && n < len(all) {
			o.ended = true // nobody could read what comes behind a part of a frame
		}
	}
	o.deadlineMu.Lock()
	defer o.deadlineMu.Unlock()
	o.own = false
	return errors.Join(err, o.conn.SetWriteDeadline(o.deadline))
}

// setDeadline sets the deadline of messages.
func (o *out) setDeadline(t time.Time) error {
	o.deadlineMu.Lock()
	defer o.deadlineMu.Unlock()
	o.deadline = t
	if o.own {
		return nil
	}
	return o.conn.SetWriteDeadline(t)
}
