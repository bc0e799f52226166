package rawproto_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// parse parses frame with its body left as bytes.
func parse(t *testing.T, frame []byte) (message.Message, error) {
	t.Helper()
	m := message.NewMessage(message.WithBody(new([]byte)))
	// Little, so that the fuzzer does not spend its time on inflating.
	message.From(m).SetSizeLimit(1 << 20)
	err := framer(t).ParseFrame(frame, message.From(m))
	return m, err
}

// FuzzParseFrame: whatever comes, no panic; and what can be parsed is packed again into an equal message.
func FuzzParseFrame(f *testing.F) {
	for _, tt := range goldens {
		f.Add(golden(f, tt.name))
	}
	f.Add(golden(f, "reply_err_odd"))
	f.Add(payload("\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(payload(head, "\x00\x00", "\x00\x0d{\"a\":[1,{}]}%", "\x6a", "\"body\""))
	f.Add([]byte{0, 0, 0, 8, 1, 255, '5', '5'})
	f.Fuzz(func(t *testing.T, frame []byte) {
		first, err := parse(t, frame)
		if err != nil {
			return
		}
		again, err := framer(t).AppendFrame(nil, message.From(first))
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
		sameHeader(t, "again", second, first)
		if !bytes.Equal(*second.Body().(*[]byte), *first.Body().(*[]byte)) {
			t.Errorf("body %q became %q", *first.Body().(*[]byte), *second.Body().(*[]byte))
		}
	})
}

// FuzzRoundTrip: every message that is packed comes out as it went in.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int32(1), byte(1), "/math/add", int32(0), "", "", "", "", byte('j'), []byte("[1,2]"), "")
	f.Add(int32(-1), byte(2), "", int32(404), "Not Found", "c\n", "k", `<2>&"é`, byte(0), []byte{}, "5a")
	f.Add(int32(1<<31-1), byte(255), "\xff", int32(-1), "a\"\x01\x07é<\xff\u2028", "\x00", "\xff", "\u2028", byte(255), []byte{0}, "z5")
	f.Fuzz(func(t *testing.T, seq int32, mtype byte, method string, code int32, msg, cause, key, value string,
		bodyCodec byte, body []byte, filters string) {
		m := message.NewMessage(message.WithMType(mtype), message.WithServiceMethod(method), message.WithBody(body))
		m.SetSeq(seq)
		m.SetBodyCodec(bodyCodec)
		if code != 0 {
			m.SetStatus(status.New(code, msg, cause))
		}
		if key != "" {
			m.Meta().Set(key, value)
		}
		for _, id := range filters {
			if strings.ContainsRune("5az", id) && m.PipeTFilter().Len() < 4 {
				message.WithTFilterPipe(byte(id))(m)
			}
		}
		frame, err := framer(t).AppendFrame(nil, message.From(m))
		if errors.Is(err, rawproto.ErrHeaderTooLong) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(t, frame)
		if err != nil {
			t.Fatalf("%v\n%x", err, frame)
		}
		if got.Seq() != seq || got.MType() != mtype || got.ServiceMethod() != method || got.BodyCodec() != bodyCodec ||
			!bytes.Equal(*got.Body().(*[]byte), body) || !bytes.Equal(got.PipeTFilter().IDs(), m.PipeTFilter().IDs()) {
			t.Errorf("%v became %v", m, got)
		}
		stat := got.Status(true)
		if stat.Code() != code || code != 0 && stat.String() != status.New(code, text(msg), text(cause)).String() {
			t.Errorf("status %v became %v", m.Status(), stat)
		}
		want := map[any]any{}
		if key != "" {
			want[text(key)] = text(value)
		}
		if meta := got.Meta().Map(); !reflect.DeepEqual(meta, want) {
			t.Errorf("meta %v became %v", want, meta)
		}
	})
}

// text is s as JSON can carry it: each byte that is no UTF-8 is the replacement character.
func text(s string) string { return string([]rune(s)) }
