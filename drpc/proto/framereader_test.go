package proto_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

// lines is a protocol whose frames end with a line feed and hold a body; empty ones are none of the session's business.
type lines struct {
	in   io.Reader
	fr   proto.FrameReader
	seen int // bytes that were searched
}

func (*lines) Version() (byte, string)                              { return 1, "lines" }
func (*lines) Pack(proto.Message) error                             { return nil }
func (*lines) AppendFrame(b []byte, _ *message.Msg) ([]byte, error) { return b, nil }

func (l *lines) FrameLen(head []byte, seen int) (int, error) {
	l.seen += len(head) - seen
	i := bytes.IndexByte(head[seen:], '\n')
	if i < 0 {
		return 0, nil
	}
	return seen + i + 1, nil
}

func (l *lines) ParseFrame(frame []byte, m *message.Msg) error {
	if len(frame) == 1 {
		return proto.ErrNoMessage
	}
	return m.UnmarshalBody(frame[:len(frame)-1])
}

func (l *lines) Unpack(m proto.Message) error { return l.fr.Unpack(l.in, l, message.From(m)) }

func TestFramesWithoutALengthAreReadAhead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	text := "first\n\n\n" + long + "\nlast\ncut"
	readers := map[string]func(io.Reader) io.Reader{
		"all at once":       func(r io.Reader) io.Reader { return r },
		"by bytes":          iotest.OneByteReader,
		"by halves":         iotest.HalfReader,
		"data with the end": iotest.DataErrReader,
	}
	for name, wrap := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lines{in: wrap(strings.NewReader(text))}
			for _, want := range []string{"first", long, "last"} {
				var body []byte
				if err := l.Unpack(message.NewMessage(message.WithBody(&body))); err != nil || string(body) != want {
					t.Fatalf("%.20q (%v), want %.20q", body, err, want)
				}
			}
			if err := l.Unpack(message.NewMessage()); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut short: %v", err)
			}
			if l.seen > 4*len(text) {
				t.Errorf("%d bytes were searched in %d", l.seen, len(text))
			}
		})
	}
}

func TestAFrameAboveTheLimitIsNotReadAhead(t *testing.T) {
	t.Parallel()
	l := &lines{in: strings.NewReader(strings.Repeat("x", 1<<20) + "\n")}
	m := message.NewMessage()
	message.From(m).SetSizeLimit(1000)
	if err := l.Unpack(m); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Errorf("%v", err)
	}
	if err := (&lines{in: strings.NewReader("")}).Unpack(m); err != io.EOF {
		t.Errorf("nothing: %v", err)
	}
}
