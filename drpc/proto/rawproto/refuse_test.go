package rawproto_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

const (
	okStatus = "\x00\x1e" + status.OKJSON
	noMeta   = "\x00\x02{}"
)

// head is a payload up to the status: seq 1, CALL, method "/m".
const head = "\x01\x31\x01\x02/m"

func TestWhatIsReadLeniently(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		frame []byte
		check func(t *testing.T, m message.Message)
	}{
		{name: "empty status", frame: payload(head, "\x00\x00", noMeta, "\x00")},
		{name: "null status", frame: payload(head, "\x00\x04null", noMeta, "\x00")},
		{name: "status with a code alone", frame: payload(head, "\x00\x0a{\"code\":5}", noMeta, "\x00"),
			check: func(t *testing.T, m message.Message) {
				if m.Status().Code() != 5 || m.Status().Msg() != "" {
					t.Errorf("status %v", m.Status())
				}
			}},
		{name: "null meta", frame: payload(head, okStatus, "\x00\x04null", "\x00")},
		{name: "meta with bytes behind it", frame: payload(head, okStatus, "\x00\x0d{\"a\":\"b\"}%%{}", "\x00"),
			check: func(t *testing.T, m message.Message) {
				if m.Meta().Size() != 1 || m.Meta().Get("a") != "b" {
					t.Errorf("meta %v", m.Meta())
				}
			}},
		{name: "version 9", frame: func() []byte {
			b := payload(head, okStatus, noMeta, "\x00")
			b[4] = 9
			return b
		}()},
		{name: "no codec and no body", frame: payload(head, okStatus, noMeta, "\x00")},
		{name: "empty service method", frame: payload("\x01\x31\x01\x00", okStatus, noMeta, "\x00"),
			check: func(t *testing.T, m message.Message) {
				if m.ServiceMethod() != "" {
					t.Errorf("method %q", m.ServiceMethod())
				}
			}},
		{name: "seq in capitals", frame: payload("\x02ZZ\x01\x00", okStatus, noMeta, "\x00"),
			check: func(t *testing.T, m message.Message) {
				if m.Seq() != 1295 {
					t.Errorf("seq %d", m.Seq())
				}
			}},
		{name: "unknown type", frame: payload("\x01\x31\xfe\x00", okStatus, noMeta, "\x00"),
			check: func(t *testing.T, m message.Message) {
				if m.MType() != 0xfe {
					t.Errorf("type %d", m.MType())
				}
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for how, got := range kit.Parse(t, tt.frame, func() any { return new(int) }) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				if tt.check != nil {
					tt.check(t, got)
				}
			}
		})
	}
}

func TestBodyWithoutCodecGoesOnlyIntoBytes(t *testing.T) {
	t.Parallel()
	frame := payload(head, okStatus, noMeta, "\x00", "body")
	for how, got := range kit.Parse(t, frame, func() any { return new(string) }) {
		if got.Err == nil {
			t.Errorf("%s: a body without codec became %v", how, got.Body())
		}
	}
	for how, got := range kit.Parse(t, frame, func() any { return new([]byte) }) {
		if got.Err != nil || string(*got.Body().(*[]byte)) != "body" {
			t.Errorf("%s: %v, body %v", how, got.Err, got.Body())
		}
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	t.Parallel()
	// whole puts a length field in front that tells the truth.
	whole := func(rest string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(rest)+4)), rest...)
	}
	tests := map[string][]byte{
		"nothing behind the filter count":        whole("\x01\x00"),
		"more filters than bytes":                whole("\x01\xff55"),
		"one filter more than bytes":             whole("\x01\x0355"),
		"filter count and nothing else":          whole("\x01\x01"),
		"seq longer than the frame":              payload("\xff\x31"),
		"seq missing":                            payload("\x00\x01\x00", okStatus, noMeta, "\x00"),
		"seq is only a sign":                     payload("\x01-\x01\x00", okStatus, noMeta, "\x00"),
		"seq with a plus":                        payload("\x02+1\x01\x00", okStatus, noMeta, "\x00"),
		"seq with a space":                       payload("\x02 1\x01\x00", okStatus, noMeta, "\x00"),
		"seq is no number":                       payload("\x01*\x01\x00", okStatus, noMeta, "\x00"),
		"seq one above the largest":              payload("\x06zik0zk\x01\x00", okStatus, noMeta, "\x00"),
		"seq one below the smallest":             payload("\x07-zik0zl\x01\x00", okStatus, noMeta, "\x00"),
		"seq of 255 digits":                      payload("\xff"+strings.Repeat("1", 255)+"\x01\x00", okStatus, noMeta, "\x00"),
		"seq that wraps around to 0":             payload("\x411"+strings.Repeat("0", 64)+"\x01\x00", okStatus, noMeta, "\x00"),
		"type missing":                           payload("\x01\x31"),
		"method longer than the frame":           payload("\x01\x31\x01\xff/m"),
		"method takes the rest":                  payload("\x01\x31\x01\x02/m"),
		"half a status length":                   payload(head, "\x00"),
		"status longer than the frame":           payload(head, "\xff\xff{}"),
		"status one longer than the frame":       payload(head, "\x00\x03{}"),
		"status is no JSON":                      payload(head, "\x00\x01%", noMeta, "\x00"),
		"status is a list":                       payload(head, "\x00\x02[]", noMeta, "\x00"),
		"meta length missing":                    payload(head, okStatus),
		"meta longer than the frame":             payload(head, okStatus, "\xff\xff{}"),
		"meta empty":                             payload(head, okStatus, "\x00\x00", "\x00"),
		"meta is spaces":                         payload(head, okStatus, "\x00\x02  ", "\x00"),
		"meta is a list":                         payload(head, okStatus, "\x00\x02[]", "\x00"),
		"meta is cut":                            payload(head, okStatus, "\x00\x06{\"a\":\"", "\x00"),
		"codec missing":                          payload(head, okStatus, noMeta),
		"all lengths zero, codec missing":        payload("\x00\x00\x00\x00\x00\x00\x00"),
		"17 filters":                             whole("\x01\x11" + strings.Repeat("5", 17)),
		"filters leave nothing of the header":    sealed(t, "", '5'),
		"filters leave a header that is cut off": sealed(t, "\x01\x31\x01\xff", '5'),
	}
	for name, frame := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, got := range kit.Parse(t, frame, nil) {
				if !errors.Is(got.Err, rawproto.ErrMalformed) {
					t.Errorf("%s: %v", how, got.Err)
				}
			}
		})
	}
}

// sealed is a frame whose payload went through filters.
func sealed(t testing.TB, inside string, ids ...byte) []byte {
	t.Helper()
	pipe := tfilter.NewPipeTFilter()
	if err := pipe.Append(ids...); err != nil {
		t.Fatal(err)
	}
	packed, err := pipe.OnPack([]byte(inside))
	if err != nil {
		t.Fatal(err)
	}
	rest := append(append([]byte{1, byte(len(ids))}, ids...), packed...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(rest)+4)), rest...)
}

func TestUnknownFilterIsRefusedByItsID(t *testing.T) {
	t.Parallel()
	frame := append([]byte{0, 0, 0, 16, 1, 1, 'Q'}, "123456789"...)
	for how, got := range kit.Parse(t, frame, nil) {
		if !errors.Is(got.Err, tfilter.UnknownIDError('Q')) {
			t.Errorf("%s: %v", how, got.Err)
		}
	}
}

func TestFilterThatFindsItsPayloadChangedRefusesIt(t *testing.T) {
	t.Parallel()
	frame := prototest.Golden(t, "call_md5")
	frame[len(frame)-20] ^= 1
	for how, got := range kit.Parse(t, frame, nil) {
		if !errors.Is(got.Err, tfilter.ErrCheckFailed) {
			t.Errorf("%s: %v", how, got.Err)
		}
	}
}

// A length below that of the fields in front of the payload, zero among them, must not wrap around.
func TestTinyLengthsAreRefusedBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	for n := range uint32(6) {
		head := binary.BigEndian.AppendUint32(nil, n)
		if _, err := kit.Framer(t).FrameLen(head, 0); !errors.Is(err, rawproto.ErrMalformed) {
			t.Errorf("length %d: %v", n, err)
		}
		w := new(prototest.Wire)
		w.Write(append(head, bytes.Repeat([]byte{0xff}, 64)...))
		if err := rawproto.RawProtoFunc(w).Unpack(message.NewMessage()); !errors.Is(err, rawproto.ErrMalformed) {
			t.Errorf("length %d: %v", n, err)
		}
		if w.Len() != 64 {
			t.Errorf("length %d: %d bytes were read", n, 64-w.Len())
		}
	}
	for _, short := range [][]byte{nil, {}, {0}, {0, 0, 1, 0}, {0, 0, 0, 5, 1}} {
		if err := kit.Framer(t).ParseFrame(short, new(message.Msg)); !errors.Is(err, rawproto.ErrMalformed) {
			t.Errorf("%x: %v", short, err)
		}
	}
}

func TestFrameLenNeedsFourBytes(t *testing.T) {
	t.Parallel()
	head := []byte{1, 2, 3, 4, 5}
	for n := range 4 {
		if got, err := kit.Framer(t).FrameLen(head[:n], 0); got != 0 || err != nil {
			t.Errorf("%d bytes: %d, %v", n, got, err)
		}
	}
	for _, n := range []int{4, 5} {
		if got, err := kit.Framer(t).FrameLen(head[:n], 0); got != 0x01020304 || err != nil {
			t.Errorf("%d bytes: %d, %v", n, got, err)
		}
	}
}

// Frames are parsed where they lie, in a buffer that held other peers' messages before.
func TestNoByteBehindTheFrameIsEverSeen(t *testing.T) {
	t.Parallel()
	const secret = "SECRET-OF-ANOTHER-PEER"
	for name, lie := range map[string]struct {
		at   int // offset in the payload of the length that lies
		size int
	}{
		"seq": {0, 1}, "method": {3, 1}, "status": {6, 2}, "meta": {6 + 32, 2},
	} {
		for extra := 1; extra <= len(secret); extra++ {
			whole := payload(head, okStatus, noMeta, "\x6a")
			buf := append(append(make([]byte, 0, 256), whole...), secret...)
			frame := buf[:len(whole)]
			// What is left behind the lying length, and then some of what is behind the frame.
			n := len(frame) - (6 + lie.at + lie.size) + extra
			if lie.size == 1 {
				if n > math.MaxUint8 {
					continue
				}
				frame[6+lie.at] = byte(n)
			} else {
				binary.BigEndian.PutUint16(frame[6+lie.at:], uint16(n))
			}
			m := message.NewMessage()
			message.From(m).DeferBody()
			err := kit.Framer(t).ParseFrame(frame, message.From(m))
			if !errors.Is(err, rawproto.ErrMalformed) {
				t.Fatalf("%s, %d too long: %v", name, extra, err)
			}
			if strings.Contains(err.Error()+m.String(), "SECRET") {
				t.Fatalf("%s, %d too long: %v %v", name, extra, err, m)
			}
		}
	}
}

func TestBodyEndsWithItsFrame(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "x", `"text"`} {
		frame := append(make([]byte, 0, 512), payload(head, okStatus, noMeta, "\x6a", body)...)
		m := new(message.Msg)
		m.DeferBody()
		if err := kit.Framer(t).ParseFrame(frame, m); err != nil {
			t.Fatal(err)
		}
		if got := m.EncodedBody(); string(got) != body || cap(got) != len(body) {
			t.Errorf("body %q with room for %d bytes, want %q and no more", got, cap(got), body)
		}
	}
}

func TestParsingForgetsTheFiltersOfTheLastFrame(t *testing.T) {
	t.Parallel()
	m := message.NewMessage(message.WithBody(new([]int)))
	for _, name := range []string{"call_md5", "call_md5_aes", "call_seq_1"} {
		if err := kit.Framer(t).ParseFrame(prototest.Golden(t, name), message.From(m)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if ids := m.PipeTFilter().IDs(); len(ids) != 0 {
		t.Errorf("filters %q", ids)
	}
}

func TestAnnouncedSizeAboveTheLimitIsRefusedUnread(t *testing.T) {
	t.Parallel()
	for _, n := range []uint32{message.DefaultMsgSizeLimit + 1, 1 << 30, math.MaxUint32} {
		w := new(prototest.Wire)
		w.Write(append(binary.BigEndian.AppendUint32(nil, n), "some bytes"...))
		err := rawproto.RawProtoFunc(w).Unpack(message.NewMessage())
		if !errors.Is(err, message.ErrExceedMessageSizeLimit) {
			t.Errorf("%d: %v", n, err)
		}
		if w.Len() != len("some bytes") {
			t.Errorf("%d: bytes were read", n)
		}
	}
}

func TestFrameAboveTheLimitIsNotSent(t *testing.T) {
	t.Parallel()
	m := prototest.Call(1)
	message.From(m).SetSizeLimit(60) // it has 61
	kit.Refused(t, m, message.ErrExceedMessageSizeLimit)
	message.From(m).SetSizeLimit(61)
	kit.Pack(t, m)
}

func TestPayloadMayNotInflateAboveTheLimit(t *testing.T) {
	t.Parallel()
	frame := kit.Pack(t, prototest.Call(1, message.WithBody(strings.Repeat("0", 1<<20)), message.WithTFilterPipe('z', 'z')))
	m := message.NewMessage(message.WithBody(new(string)))
	message.From(m).SetSizeLimit(1 << 18)
	err := kit.Framer(t).ParseFrame(frame, message.From(m))
	if !errors.Is(err, message.ErrExceedMessageSizeLimit) || !strings.Contains(err.Error(), "MaxMessageSize") {
		t.Fatal(err)
	}
	message.From(m).SetSizeLimit(1 << 21)
	if err = kit.Framer(t).ParseFrame(frame, message.From(m)); err != nil {
		t.Fatal(err)
	}
}

func TestHeaderPartsThatDoNotFitAreNotSent(t *testing.T) {
	t.Parallel()
	const overhead = len(`{"code":1,"msg":"","cause":""}`)
	longest := strings.Repeat("x", math.MaxUint16-overhead)
	meta := strings.Repeat("x", math.MaxUint16-len(`{"k":""}`))
	tests := []struct {
		name     string
		fits, no message.MsgSetting
	}{
		{"service method", message.WithServiceMethod(strings.Repeat("m", 255)), message.WithServiceMethod(strings.Repeat("m", 256))},
		{"status", message.WithStatus(status.New(1, longest, "")), message.WithStatus(status.New(1, longest+"x", ""))},
		{"cause", message.WithStatus(status.New(1, "", longest)), message.WithStatus(status.New(1, "", longest+"x"))},
		{"meta", message.WithSetMeta("k", meta), message.WithSetMeta("k", meta+"x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fits := prototest.Call(1, tt.fits)
			for how, got := range kit.Parse(t, kit.Pack(t, fits), func() any { return new([]int) }) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				prototest.SameHeader(t, how, got, fits)
			}
			kit.Refused(t, prototest.Call(1, tt.no), rawproto.ErrHeaderTooLong)
		})
	}
}

func TestServiceMethodTooLongHasTheTextThatCallersKnow(t *testing.T) {
	t.Parallel()
	err := kit.Refused(t, prototest.Call(1, message.WithServiceMethod(strings.Repeat("m", 256))), rawproto.ErrHeaderTooLong)
	if err.Error() != "raw proto: not support service method longer than 255" {
		t.Error(err)
	}
}

func TestSixteenFiltersAreTheMost(t *testing.T) {
	t.Parallel()
	ids := bytes.Repeat([]byte{'5'}, 16)
	for how, got := range kit.Parse(t, kit.Pack(t, prototest.Call(1, message.WithTFilterPipe(ids...))), func() any { return new([]int) }) {
		if got.Err != nil || got.PipeTFilter().Len() != 16 {
			t.Errorf("%s: %v", how, got.Err)
		}
	}
	kit.Refused(t, prototest.Call(1, message.WithTFilterPipe(append(ids, '5')...)), rawproto.ErrTooManyFilters)
	for how, got := range kit.Parse(t, append([]byte{0, 0, 0, 30, 1, 17}, bytes.Repeat([]byte{'5'}, 24)...), nil) {
		if !errors.Is(got.Err, rawproto.ErrTooManyFilters) {
			t.Errorf("%s: %v", how, got.Err)
		}
	}
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	kit.Refuses(t, "", map[string]prototest.Refusal{
		"another codec": {With: func(m message.Message) { m.SetBodyCodec(250) }, Want: codec.ErrUnsupported},
		"no codec":      {With: func(m message.Message) { m.SetBodyCodec(0) }, Want: codec.ErrUnsupported},
	})
}

func TestFramesAreReadOneByOneFromAnyChunks(t *testing.T) {
	t.Parallel()
	var frames [][]byte
	for _, name := range []string{"call_seq_1", "call_md5", "reply_err", "call_meta"} {
		frames = append(frames, prototest.Golden(t, name))
	}
	kit.Connection(t, frames...)
}
