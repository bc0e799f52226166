package prototest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/osgochina/dmicro/drpc/message"
)

// Connection checks how the protocol gets along with its connection: frames are read one by one from whatever chunks
// they come in, an error comes through wherever it strikes, and an end amid a frame is no orderly one.
func (k Kit) Connection(t *testing.T, frames ...[]byte) {
	target := func() message.Message { return message.NewMessage(message.WithBody(new([]byte))) }
	t.Run("chunks", func(t *testing.T) {
		t.Parallel()
		p := k.New(ReadOnly{iotest.OneByteReader(bytes.NewReader(bytes.Join(frames, nil)))})
		for i, frame := range frames {
			got := target()
			if err := p.Unpack(got); err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			for _, want := range k.Parse(t, frame, func() any { return new([]byte) }) {
				SameHeader(t, "from chunks", got, want)
				if g, w := *got.Body().(*[]byte), *want.Body().(*[]byte); !bytes.Equal(g, w) || got.Size() != want.Size() {
					t.Errorf("frame %d: body %.100q, want %.100q", i, g, w)
				}
			}
		}
		if err := p.Unpack(target()); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	})
	t.Run("read error", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("cable cut")
		for n := range frames[0] {
			begin := frames[0][:n]
			r := io.MultiReader(bytes.NewReader(begin), iotest.ErrReader(broken))
			if err := k.New(ReadOnly{r}).Unpack(target()); !errors.Is(err, broken) {
				t.Errorf("after %d bytes: %v", n, err)
			}
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if err := k.New(ReadOnly{bytes.NewReader(begin)}).Unpack(target()); err != want {
				t.Errorf("end after %d bytes: %v, want %v", n, err, want)
			}
		}
	})
	t.Run("write error", func(t *testing.T) {
		t.Parallel()
		if err := k.New(ReadOnly{}).Pack(Call(1)); !errors.Is(err, ErrReadOnly) {
			t.Errorf("Pack: %v", err)
		}
	})
}
