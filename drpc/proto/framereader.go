package proto

import (
	"errors"
	"io"

	"github.com/osgochina/dmicro/drpc/message"
)

// FrameReader is the Unpack of protocols whose frames do not begin with their length: it reads ahead and keeps what
// belongs to the next frame. One goroutine at a time.
type FrameReader struct {
	buf []byte
	pos int // start of what was not consumed yet
}

// Unpack reads frames from r until f finds a message in one, and parses that into m. The parts of m are valid until the
// next Unpack. It takes memory in step with the bytes that arrive, and no frame above the limit of m.
func (fr *FrameReader) Unpack(r io.Reader, f Framer, m *message.Msg) error {
	for {
		frame, err := fr.next(r, f, m.SizeLimit())
		if err != nil {
			return err
		}
		if err = f.ParseFrame(frame, m); !errors.Is(err, ErrNoMessage) {
			return err
		}
	}
}

func (fr *FrameReader) next(r io.Reader, f Framer, limit uint32) ([]byte, error) {
	fr.buf = append(fr.buf[:0], fr.buf[fr.pos:]...)
	fr.pos = 0
	for seen := 0; ; {
		n := 0
		if len(fr.buf) > 0 {
			var err error
			if n, err = f.FrameLen(fr.buf, seen); err != nil {
				return nil, err
			}
		}
		if 0 < n && n <= len(fr.buf) {
			fr.pos = n
			if err := message.CheckSize(uint64(n), limit); err != nil {
				return nil, err
			}
			return fr.buf[:n:n], nil
		}
		if err := message.CheckSize(uint64(max(n, len(fr.buf))), limit); err != nil {
			return nil, err
		}
		seen = len(fr.buf)
		if err := fr.fill(r); err != nil {
			return nil, err
		}
	}
}

// fill reads once.
func (fr *FrameReader) fill(r io.Reader) error {
	if len(fr.buf) == cap(fr.buf) {
		fr.buf = append(make([]byte, 0, max(4<<10, 2*cap(fr.buf))), fr.buf...)
	}
	n, err := io.ReadAtLeast(r, fr.buf[len(fr.buf):cap(fr.buf)], 1)
	fr.buf = fr.buf[:len(fr.buf)+n]
	if err == io.EOF && len(fr.buf) > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}
