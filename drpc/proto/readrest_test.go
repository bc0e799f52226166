package proto_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/osgochina/dmicro/drpc/proto"
)

// stingy gives total bytes, at most each in one read, and notes how much room it was ever offered beyond twice of
// what it has given.
type stingy struct {
	total, each, given, most int
}

func (s *stingy) Read(b []byte) (int, error) {
	s.most = max(s.most, len(b)-s.given)
	n := min(len(b), s.each, s.total-s.given)
	if n == 0 {
		return 0, io.EOF
	}
	s.given += n
	return n, nil
}

func TestMemoryIsTakenInStepWithWhatArrives(t *testing.T) {
	t.Parallel()
	for _, total := range []int{0, 1, 64 << 10, 300 << 10, 5 << 20} {
		s := &stingy{total: total, each: 4 << 10}
		frame, err := proto.ReadRest(s, []byte{1, 2, 3, 4}, 1<<30)
		if frame != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %d bytes, %v", total, len(frame), err)
		}
		if s.most > 64<<10 {
			t.Errorf("%d bytes: room for %d bytes more than had come", total, s.most)
		}
	}
}

func TestReadRestReturnsTheWholeFrameAndNoByteMore(t *testing.T) {
	t.Parallel()
	for _, n := range []int{4, 5, 100, 64 << 10, 64<<10 + 1, 3 << 20} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i * 7)
		}
		r := bytes.NewReader(append(bytes.Clone(want[4:]), "next"...))
		got, err := proto.ReadRest(iotest.HalfReader(r), want[:4], n)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %v, %d bytes came", n, err, len(got))
		}
		if r.Len() != len("next") {
			t.Errorf("%d bytes: %d bytes are left", n, r.Len())
		}
	}
}

func TestReadRestKeepsTheErrorOfTheReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("cable cut")
	if _, err := proto.ReadRest(iotest.ErrReader(broken), nil, 10); err != broken {
		t.Error(err)
	}
}
