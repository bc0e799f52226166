package lenframe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/lenframe"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

func TestMain(m *testing.M) {
	prototest.RegisterFilters()
	os.Exit(m.Run())
}

var errPayload = errors.New("payload begins with a question mark")

// format has payloads that are nothing but the body.
var format = &lenframe.Format{
	ID: 't', Name: "test",
	Append: func(dst []byte, m *message.Msg) ([]byte, error) { return m.AppendBody(dst) },
	Parse: func(payload []byte, m *message.Msg) error {
		if bytes.HasPrefix(payload, []byte("?")) {
			return errPayload
		}
		return m.UnmarshalBody(payload)
	},
}

var kit = prototest.Kit{New: format.New}

func body(text string, ids ...byte) message.Message {
	return message.NewMessage(message.WithBody([]byte(text)), message.WithTFilterPipe(ids...))
}

func TestFrameIsLengthFiltersAndPayload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ids, body, want string
	}{
		{"", "", "\x00\x00\x00\x01\x00"},
		{"", "abc", "\x00\x00\x00\x04\x00abc"},
		{"5", "", "\x00\x00\x00\x12\x015\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e"},
		{"5", "abc", "\x00\x00\x00\x15\x015abc\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72"},
		{"", strings.Repeat("x", 300), "\x00\x00\x01\x2d\x00" + strings.Repeat("x", 300)},
	} {
		m := body(tt.body, []byte(tt.ids)...)
		if got := kit.Pack(t, m); string(got) != tt.want || int(m.Size()) != len(tt.want)-4 {
			t.Errorf("packed %q, size %d, want %q", got, m.Size(), tt.want)
		}
		for how, got := range kit.Parse(t, []byte(tt.want), func() any { return new([]byte) }) {
			if got.Err != nil || string(*got.Body().(*[]byte)) != tt.body || string(got.PipeTFilter().IDs()) != tt.ids ||
				int(got.Size()) != len(tt.want)-4 {
				t.Errorf("%s: %v, %v", how, got.Err, got)
			}
		}
	}
}

func TestEveryPipeComesBack(t *testing.T) {
	t.Parallel()
	for _, ids := range []string{"z", "a", "5a", "z5a", strings.Repeat("5", proto.MaxFilters)} {
		for _, text := range []string{"", "x", strings.Repeat("some text ", 1000)} {
			prefixed, err := kit.Framer(t).AppendFrame([]byte("before"), message.From(body(text, []byte(ids)...)))
			if err != nil || string(prefixed[:6]) != "before" {
				t.Fatalf("%s: %v, %.20q", ids, err, prefixed)
			}
			for how, got := range kit.Parse(t, prefixed[6:], func() any { return new([]byte) }) {
				if got.Err != nil || string(*got.Body().(*[]byte)) != text || string(got.PipeTFilter().IDs()) != ids {
					t.Errorf("%s of %s: %v", how, ids, got.Err)
				}
			}
		}
	}
}

// The number of filters used to be believed: reading beyond the frame crashed, or showed bytes of other connections.
func TestMalformedFramesAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "\x00", "\x00\x00\x00", "\x00\x00\x00\x00", "\x00\x00\x00\x01\x01", "\x00\x00\x00\x02\xff5", "\x00\x00\x00\x03\x0355",
		"\x00\x00\x00\x12\x11" + strings.Repeat("5", 17),
	} {
		err := kit.Framer(t).ParseFrame([]byte(text), new(message.Msg))
		if !errors.Is(err, proto.ErrMalformed) || !strings.HasPrefix(err.Error(), "test proto: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := kit.Framer(t).ParseFrame([]byte("\x00\x00\x00\x12\x11"+strings.Repeat("5", 17)), new(message.Msg)); !errors.Is(err, proto.ErrTooManyFilters) {
		t.Errorf("17 filters: %v", err)
	}
}

func TestNoByteBehindTheFrameIsEverSeen(t *testing.T) {
	t.Parallel()
	const secret = "SECRET-OF-ANOTHER-PEER"
	for n := 1; n < 256; n++ {
		whole := append([]byte("\x00\x00\x00\x01"), byte(n))
		buf := append(append(make([]byte, 0, 512), whole...), strings.Repeat(secret, 12)...)
		if err := kit.Framer(t).ParseFrame(buf[:len(whole)], new(message.Msg)); !errors.Is(err, proto.ErrMalformed) {
			t.Fatalf("%d filters: %v", n, err)
		}
	}
	m := new(message.Msg)
	m.DeferBody()
	buf := append(append(make([]byte, 0, 512), "\x00\x00\x00\x02\x00x"...), secret...)
	if err := kit.Framer(t).ParseFrame(buf[:6], m); err != nil || string(m.EncodedBody()) != "x" || cap(m.EncodedBody()) != 1 {
		t.Errorf("%v, body %q with room for %d bytes", err, m.EncodedBody(), cap(m.EncodedBody()))
	}
}

func TestLengthsOfNothingAreRefusedUnread(t *testing.T) {
	t.Parallel()
	w := new(prototest.Wire)
	w.WriteString("\x00\x00\x00\x00rest")
	if err := format.New(w).Unpack(message.NewMessage()); !errors.Is(err, proto.ErrMalformed) || w.Len() != 4 {
		t.Errorf("%v, %d bytes left", err, w.Len())
	}
	if _, err := kit.Framer(t).FrameLen(make([]byte, 4), 0); !errors.Is(err, proto.ErrMalformed) {
		t.Errorf("length 0: %v", err)
	}
	for n, want := range []int{0, 0, 0, 0, 0x01020308, 0x01020308} {
		if got, err := kit.Framer(t).FrameLen([]byte{1, 2, 3, 4, 5}[:n], 0); got != want || err != nil {
			t.Errorf("%d bytes: %d, %v", n, got, err)
		}
	}
	if got, err := kit.Framer(t).FrameLen([]byte{0xff, 0xff, 0xff, 0xff}, 0); err == nil && got != math.MaxUint32+4 {
		t.Errorf("largest length: %d", got)
	}
}

func TestAnnouncedSizeAboveTheLimitIsRefusedUnread(t *testing.T) {
	t.Parallel()
	for _, n := range []uint32{message.DefaultMsgSizeLimit - 3, 1 << 30, math.MaxUint32} {
		w := new(prototest.Wire)
		w.Write(append(binary.BigEndian.AppendUint32(nil, n), "some bytes"...))
		if err := format.New(w).Unpack(message.NewMessage()); !errors.Is(err, message.ErrExceedMessageSizeLimit) || w.Len() != len("some bytes") {
			t.Errorf("%d: %v, %d bytes left", n, err, w.Len())
		}
	}
}

func TestLimitHoldsBothWaysAndThroughFilters(t *testing.T) {
	t.Parallel()
	limited := func(m message.Message, limit uint32) message.Message {
		message.From(m).SetSizeLimit(limit)
		return m
	}
	kit.Pack(t, limited(body("12345"), 10))
	kit.Refused(t, limited(body("123456"), 10), message.ErrExceedMessageSizeLimit)
	// Small on the wire is not enough: the receiver would end the session over what it becomes.
	zeros := strings.Repeat("0", 1<<16)
	kit.Refused(t, limited(body(zeros, 'z'), 1<<15), message.ErrExceedMessageSizeLimit)
	frame := kit.Pack(t, body(zeros, 'z', 'z'))
	m := limited(message.NewMessage(message.WithBody(new([]byte))), 1<<15)
	err := kit.Framer(t).ParseFrame(frame, message.From(m))
	if !errors.Is(err, message.ErrExceedMessageSizeLimit) || !strings.Contains(err.Error(), "MaxMessageSize") {
		t.Errorf("inflating: %v", err)
	}
}

func TestErrorsOfFiltersAndPayloadsComeThrough(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"\x00\x00\x00\x03\x01Qx":                  tfilter.UnknownIDError('Q'),
		"\x00\x00\x00\x02\x015":                   tfilter.ErrCheckFailed,
		"\x00\x00\x00\x02\x00?":                   errPayload,
		"\x00\x00\x00\x14\x01a0123456789abcdef01": tfilter.ErrDecrypt,
	} {
		for how, got := range kit.Parse(t, []byte(text), nil) {
			if !errors.Is(got.Err, want) {
				t.Errorf("%s of %q: %v, want %v", how, text, got.Err, want)
			}
		}
	}
	kit.Refused(t, body("x", []byte(strings.Repeat("5", 17))...), proto.ErrTooManyFilters)
	kit.Refused(t, message.NewMessage(message.WithBody(make(chan int)), message.WithBodyCodec("json")), nil)
}

func TestParsingForgetsTheFiltersOfTheLastFrame(t *testing.T) {
	t.Parallel()
	m := message.From(message.NewMessage(message.WithBody(new([]byte))))
	for _, ids := range []string{"5", "5a", ""} {
		if err := kit.Framer(t).ParseFrame(kit.Pack(t, body("x", []byte(ids)...)), m); err != nil || string(m.PipeTFilter().IDs()) != ids {
			t.Errorf("%q: %v, filters %q", ids, err, m.PipeTFilter().IDs())
		}
	}
}

func TestFramesAreReadOneByOneFromAnyChunks(t *testing.T) {
	t.Parallel()
	kit.Connection(t, kit.Pack(t, body("some text", '5')), kit.Pack(t, body("")), kit.Pack(t, body(strings.Repeat("three", 1000), 'z')))
}
