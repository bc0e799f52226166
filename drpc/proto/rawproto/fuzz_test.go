package rawproto_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// parse parses frame with its body left as bytes.
func parse(t *testing.T, frame []byte) (message.Message, error) {
	t.Helper()
	m := message.NewMessage(message.WithBody(new([]byte)))
	// Little, so that the fuzzer does not spend its time on inflating.
	message.From(m).SetSizeLimit(1 << 20)
	err := kit.Framer(t).ParseFrame(frame, message.From(m))
	return m, err
}

// FuzzParseFrame: whatever comes, no panic; and what can be parsed is packed again into an equal message.
func FuzzParseFrame(f *testing.F) {
	for _, tt := range goldens {
		f.Add(prototest.Golden(f, tt.Name))
	}
	f.Add(prototest.Golden(f, "old_reply_err_odd"))
	f.Add(payload("\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(payload(head, "\x00\x00", "\x00\x0d{\"a\":[1,{}]}%", "\x6a", "\"body\""))
	f.Add([]byte{0, 0, 0, 8, 1, 255, '5', '5'})
	f.Fuzz(func(t *testing.T, frame []byte) {
		first, err := parse(t, frame)
		if err != nil {
			return
		}
		again, err := kit.Framer(t).AppendFrame(nil, message.From(first))
		if errors.Is(err, rawproto.ErrHeaderTooLong) || errors.Is(err, message.ErrExceedMessageSizeLimit) {
			return // what we write is not always as short as what we read
		}
		if err != nil {
			t.Fatalf("packing what was parsed: %v", err)
		}
		second, err := parse(t, again)
		if err != nil {
			t.Fatalf("parsing what was packed: %v\n%x", err, again)
		}
		prototest.SameHeader(t, "again", second, first)
		if !bytes.Equal(*second.Body().(*[]byte), *first.Body().(*[]byte)) {
			t.Errorf("body %q became %q", *first.Body().(*[]byte), *second.Body().(*[]byte))
		}
	})
}

// FuzzRoundTrip: every message that is packed comes out as it went in.
func FuzzRoundTrip(f *testing.F) {
	kit.FuzzRoundTrip(f, func(err error) bool {
		return errors.Is(err, rawproto.ErrHeaderTooLong) || errors.Is(err, message.ErrExceedMessageSizeLimit)
	})
}

func BenchmarkFrame(b *testing.B) { kit.Benchmark(b) }
