package proto

import (
	"io"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/bufpool"
)

// PackFrame is the Pack of a protocol that is all in its AppendFrame: it writes the frame of m to w with one call.
func PackFrame(w io.Writer, f Framer, m Message) error {
	buf := bufpool.Get(0)
	defer bufpool.Put(buf)
	frame, err := f.AppendFrame(buf.B, message.From(m))
	if err != nil {
		return err
	}
	buf.B = frame
	_, err = w.Write(frame)
	return err
}

// UnpackFrame is the Unpack of a protocol whose FrameLen needs just the first n bytes of a frame, 8 at most. It reads
// that frame from r and no byte more, and takes memory in step with the bytes that arrive.
func UnpackFrame(r io.Reader, n int, f Framer, m Message) error {
	msg := message.From(m)
	var room [8]byte
	head := room[:n]
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	whole, err := f.FrameLen(head, 0)
	if err != nil {
		return err
	}
	if err = message.CheckSize(uint64(whole), msg.SizeLimit()); err != nil {
		return err
	}
	frame, err := ReadRest(r, head, whole)
	if err != nil {
		return err
	}
	return f.ParseFrame(frame, msg)
}
