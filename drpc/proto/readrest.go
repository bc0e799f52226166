package proto

import (
	"io"
)

// firstRead is how much memory a frame gets before its bytes have come.
const firstRead = 64 << 10

// ReadRest reads from r what is missing of a frame of n bytes that begins with head, and returns the whole frame. It
// takes memory in step with the bytes that really arrive, at most twice of them: a length alone costs a peer nothing
// and must cost us nothing either. A frame that ends early is io.ErrUnexpectedEOF.
func ReadRest(r io.Reader, head []byte, n int) ([]byte, error) {
	frame := append(make([]byte, 0, min(n, firstRead)), head...)
	for len(frame) < n {
		if len(frame) == cap(frame) {
			grown := make([]byte, len(frame), min(n, 2*cap(frame)))
			copy(grown, frame)
			frame = grown
		}
		got, err := io.ReadFull(r, frame[len(frame):min(n, cap(frame))])
		frame = frame[:len(frame)+got]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return frame, nil
}
