package peers

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// The floors know nothing but frames: 4 bytes length of what follows the header, 4 bytes sequence number, body. Their
// bodies are coded as those of the peers are, so that what they leave out is the framework alone.
const (
	frameHeader = 8
	readBuffer  = 64 << 10
	maxFrame    = 16 << 20
)

// appendFrame appends the frame of m to b.
func appendFrame(b []byte, seq uint32, m proto.Message) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, frameHeader)...)
	b, err := proto.MarshalOptions{}.MarshalAppend(b, m)
	if err != nil {
		return b[:start], err
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-frameHeader))
	binary.BigEndian.PutUint32(b[start+4:], seq)
	return b, nil
}

// readFrame reads a frame into buf, grown as needed.
func readFrame(r *bufio.Reader, buf []byte) (seq uint32, body []byte, err error) {
	head, err := r.Peek(frameHeader)
	if err != nil {
		return 0, buf, err
	}
	size := int(binary.BigEndian.Uint32(head))
	seq = binary.BigEndian.Uint32(head[4:])
	if size > maxFrame {
		return 0, buf, fmt.Errorf("a frame of %d bytes", size)
	}
	if _, err := r.Discard(frameHeader); err != nil {
		return 0, buf, err
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err = io.ReadFull(r, buf)
	return seq, buf, err
}
