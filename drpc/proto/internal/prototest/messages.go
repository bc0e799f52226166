package prototest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// Call is the message of most golden frames.
func Call(seq int32, more ...message.MsgSetting) message.Message {
	m := message.NewMessage(
		message.WithMType(message.TypeCall),
		message.WithServiceMethod("/math/add"),
		message.WithBodyCodec(codec.JsonName),
		message.WithBody([]int{1, 2}),
	)
	m.SetSeq(seq)
	message.From(m).Apply(more)
	return m
}

// Failed is a reply to call seq with nothing but a status.
func Failed(seq int32, stat *status.Status) message.Message {
	m := message.NewMessage(message.WithMType(message.TypeReply), message.WithStatus(stat))
	m.SetSeq(seq)
	return m
}

// GoldenFrame is a frame recorded from an older peer and the message, with a body of type []int or none, that it holds.
type GoldenFrame struct {
	Name    string // of the file
	Message func() message.Message
}

// Goldens checks that messages pack into just those frames, unless they are compressed, and that the frames parse into
// those messages. The size of a message is that of its frame without the uncounted bytes in front.
func (k Kit) Goldens(t *testing.T, frames []GoldenFrame, uncounted int) {
	for _, tt := range frames {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			want := Golden(t, tt.Name)
			sent := tt.Message()
			frame := k.Pack(t, sent)
			compressed := bytes.IndexByte(sent.PipeTFilter().IDs(), tfilter.GzipId) >= 0
			if !bytes.Equal(frame, want) && !compressed {
				t.Errorf("packed\n%q, want\n%q", frame, want)
			}
			if n := len(frame) - uncounted; int(sent.Size()) != n {
				t.Errorf("size after packing %d, want %d", sent.Size(), n)
			}
			for how, got := range k.Parse(t, want, func() any { return new([]int) }) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				SameHeader(t, how, got, sent)
				if n := len(want) - uncounted; int(got.Size()) != n {
					t.Errorf("%s: size %d, want %d", how, got.Size(), n)
				}
				if body := *got.Body().(*[]int); sent.Body() != nil && !reflect.DeepEqual(body, sent.Body()) {
					t.Errorf("%s: body %v, want %v", how, body, sent.Body())
				}
			}
		})
	}
}

// OlderStatus checks that the golden frame old_reply_err_odd is read: a reply to call 7 with a status that is no JSON, since
// older peers quote its strings as Go source does.
func (k Kit) OlderStatus(t *testing.T) {
	for how, got := range k.Parse(t, Golden(t, "old_reply_err_odd"), nil) {
		if got.Err != nil {
			t.Fatalf("%s: %v", how, got.Err)
		}
		stat := got.Status(true)
		if stat.Code() != -1 || stat.Msg() != "a\"\x01\aé<\xff\u2028" || stat.Cause().Error() != "c\n" {
			t.Errorf("%s: status %v", how, stat)
		}
		if got.Seq() != 7 || got.MType() != message.TypeReply {
			t.Errorf("%s: %v", how, got)
		}
	}
}

// LimitBeforeFilters checks that a message which a filter would shrink below its size limit is not sent: the receiver
// would refuse what it inflates to.
func (k Kit) LimitBeforeFilters(t *testing.T) {
	const size = 1 << 16
	limited := func(limit uint32) message.Message {
		m := Call(1, message.WithBody(bytes.Repeat([]byte("0"), size)), message.WithTFilterPipe(tfilter.GzipId))
		message.From(m).SetSizeLimit(limit)
		return m
	}
	err := k.Refused(t, limited(size-1), message.ErrExceedMessageSizeLimit)
	for _, how := range []string{"SetReadLimit", "MaxMessageSize"} {
		if err != nil && !strings.Contains(err.Error(), how) {
			t.Errorf("%v does not name %s", err, how)
		}
	}
	m := limited(size + 200) // with the header
	frame := k.Pack(t, m)
	if len(frame) > size/2 {
		t.Fatalf("%d bytes: nothing was shortened", len(frame))
	}
	received := message.NewMessage(message.WithBody(new([]byte)))
	message.From(received).SetSizeLimit(size + 200)
	if err := k.Framer(t).ParseFrame(frame, message.From(received)); err != nil {
		t.Errorf("what was sent is not taken: %v", err)
	}
}

// FuzzRoundTrip checks that every message that is packed comes out as it went in. refusal says which errors of packing
// are none of the protocol's mistakes.
func (k Kit) FuzzRoundTrip(f *testing.F, refusal func(error) bool) {
	f.Add(int32(1), byte(1), "/math/add", int32(0), "", "", "", "", byte('j'), []byte("[1,2]"), "")
	f.Add(int32(-1), byte(2), "", int32(404), "Not Found", "c\n", "k", `<2>&"é`, byte(0), []byte{}, "5a")
	f.Add(int32(1<<31-1), byte(255), "\xff", int32(-1), "a\"\x01\x07é<\xff\u2028", "\x00", "\xff", "\u2028", byte(255), []byte{0}, "z5")
	f.Add(int32(7), byte(3), "/p\\\"\u2028😀", int32(5), "\x7f\U000e0001", "", "\\", "\"", byte('j'), []byte(`{"q":"a\"b\\c\nd"}`), "z")
	f.Fuzz(func(t *testing.T, seq int32, mtype byte, method string, code int32, msg, cause, key, value string,
		bodyCodec byte, body []byte, filters string) {
		if bodyCodec == codec.JsonId && !json.Valid(body) {
			// A body that claims to be JSON and is not may be taken for one that an older peer has damaged.
			bodyCodec = codec.PlainId
		}
		m := message.NewMessage(message.WithMType(mtype), message.WithServiceMethod(method), message.WithBody(body))
		m.SetSeq(seq)
		m.SetBodyCodec(bodyCodec)
		want := message.NewMessage(message.WithMType(mtype), message.WithServiceMethod(method))
		want.SetSeq(seq)
		want.SetBodyCodec(bodyCodec)
		if code != 0 {
			m.SetStatus(status.New(code, msg, cause))
			want.SetStatus(status.New(code, Text(msg), Text(cause)))
		}
		if key != "" {
			m.Meta().Set(key, value)
			want.Meta().Set(Text(key), Text(value))
		}
		for _, id := range []byte(filters) {
			if bytes.IndexByte([]byte("5az"), id) >= 0 && m.PipeTFilter().Len() < 4 {
				message.WithTFilterPipe(id)(m)
				message.WithTFilterPipe(id)(want)
			}
		}
		frame, err := k.Framer(t).AppendFrame(nil, message.From(m))
		if err != nil {
			if !refusal(err) {
				t.Fatal(err)
			}
			return
		}
		for how, got := range k.Parse(t, frame, func() any { return new([]byte) }) {
			if got.Err != nil {
				t.Fatalf("%s: %v\n%x", how, got.Err, frame)
			}
			SameHeader(t, how, got, want)
			if !bytes.Equal(*got.Body().(*[]byte), body) {
				t.Errorf("%s: body %q, want %q", how, *got.Body().(*[]byte), body)
			}
		}
	})
}
