package jsonproto_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// FuzzParseFrame: whatever comes, no panic; and a payload in JSON says to us what it says to encoding/json.
func FuzzParseFrame(f *testing.F) {
	for _, tt := range goldens {
		f.Add(prototest.Golden(f, tt.Name))
	}
	f.Add(prototest.Golden(f, "old_body_with_escapes"))
	f.Add(prototest.Golden(f, "old_reply_err_odd"))
	for _, m := range []message.Message{
		prototest.Call(-9, message.WithBody(everyRune())),
		prototest.Call(9, message.WithTFilterPipe('z', 'a')),
		prototest.Failed(7, status.New(404, "Not Found", "c\n")),
	} {
		f.Add(kit.Pack(f, m))
	}
	f.Add(frame(`{"seq":1,"mtype":1,"serviceMethod":"\ud83d\ude00\ud83d\u0041\udc00\u0000","status":"","meta":"","bodyCodec":0,"body":"\/\b\u2028"}`))
	f.Add(frame(`{"body":{"a":[]},"status":{"code":1},"meta":{"k":1},"seq":1,"mtype":1}`))
	f.Add(older(1, "\x7f", `{"code":1,"msg":"\x01","cause":""}`, "{}", 'p', "\xff\\\""))
	f.Add([]byte{0, 0, 0, 2, 255, '5'})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := message.NewMessage(message.WithBody(new([]byte)))
		message.From(got).SetSizeLimit(1 << 20) // little, so that no time goes into inflating
		err := kit.Framer(t).ParseFrame(bytes.Clone(b), message.From(got))
		if len(b) < 5 || b[4] != 0 || !utf8.Valid(b[5:]) || !json.Valid(b[5:]) {
			return // filters are between us, or it is no JSON
		}
		var theirs struct {
			Seq           int32  `json:"seq"`
			MType         byte   `json:"mtype"`
			ServiceMethod string `json:"serviceMethod"`
			Status        any    `json:"status"`
			BodyCodec     byte   `json:"bodyCodec"`
			Body          any    `json:"body"`
		}
		if json.Unmarshal(b[5:], &theirs) != nil || err != nil {
			return // too large a number, or too long a header: told by other tests
		}
		if got.Seq() != theirs.Seq || got.MType() != theirs.MType || got.ServiceMethod() != theirs.ServiceMethod ||
			got.BodyCodec() != theirs.BodyCodec {
			t.Errorf("we read %v, they %+v", got, theirs)
		}
		body := string(*got.Body().(*[]byte))
		switch want := theirs.Body.(type) {
		case nil:
			if body != "" {
				t.Errorf("body %q, they read nothing", body)
			}
		case string:
			if body != want && (got.BodyCodec() != 'j' || json.Valid([]byte(want)) || !json.Valid([]byte(body))) {
				t.Errorf("body %q, they read %q", body, want)
			}
		default:
			var again any
			if err = json.Unmarshal([]byte(body), &again); err != nil || !reflect.DeepEqual(again, want) {
				t.Errorf("body %q, they read %v", body, want)
			}
		}
		if text, ok := theirs.Status.(string); ok {
			if stat, err := status.Parse([]byte(text)); err == nil && stat.String() != got.Status().String() && !stat.OK() {
				t.Errorf("status %v, they read %v", got.Status(), stat)
			} else if err != nil && got.StatusOK() {
				t.Errorf("status %q is OK", text)
			}
		}
	})
}

// FuzzRoundTrip: every message that is packed comes out as it went in.
func FuzzRoundTrip(f *testing.F) {
	kit.FuzzRoundTrip(f, func(err error) bool {
		return errors.Is(err, proto.ErrHeaderTooLong) || errors.Is(err, jsonproto.ErrNotText) ||
			errors.Is(err, message.ErrExceedMessageSizeLimit)
	})
}

func BenchmarkFrame(b *testing.B) { kit.Benchmark(b) }
