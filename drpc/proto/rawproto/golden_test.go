package rawproto_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// call is the message of most golden frames.
func call(seq int32, more ...message.MsgSetting) message.Message {
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

// failed is a reply with nothing but a status.
func failed(stat *status.Status) message.Message {
	m := message.NewMessage(message.WithMType(message.TypeReply), message.WithStatus(stat))
	m.SetSeq(7)
	return m
}

var goldens = []struct {
	name   string
	msg    func() message.Message
	inside bool // the frame is not byte-exact by nature: compare what is inside
}{
	{name: "call_seq_1", msg: func() message.Message { return call(1) }},
	{name: "call_seq_35", msg: func() message.Message { return call(35) }},
	{name: "call_seq_minus_1", msg: func() message.Message { return call(-1) }},
	{name: "call_seq_max", msg: func() message.Message { return call(math.MaxInt32) }},
	{name: "call_meta", msg: func() message.Message {
		return call(36, message.WithSetMeta("b", `<2>&"é`), message.WithSetMeta("a", "1"))
	}},
	{name: "call_md5", msg: func() message.Message { return call(1, message.WithTFilterPipe('5')) }},
	{name: "call_aes", msg: func() message.Message { return call(1, message.WithTFilterPipe('a')) }},
	{name: "call_md5_aes", msg: func() message.Message { return call(1, message.WithTFilterPipe('5', 'a')) }},
	{name: "call_gzip", msg: func() message.Message { return call(1, message.WithTFilterPipe('z')) }, inside: true},
	{name: "reply_err", msg: func() message.Message { return failed(status.New(404, "Not Found", "")) }},
}

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	for _, tt := range goldens {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := golden(t, tt.name)
			sent := tt.msg()
			frame := pack(t, sent)
			if !tt.inside && !bytes.Equal(frame, want) {
				t.Errorf("packed\n%x, want\n%x", frame, want)
			}
			if int(sent.Size()) != len(frame) {
				t.Errorf("size after packing %d, want %d", sent.Size(), len(frame))
			}
			for how, got := range both(t, want, func() any { return new([]int) }) {
				if got.err != nil {
					t.Fatalf("%s: %v", how, got.err)
				}
				if int(got.Size()) != len(want) {
					t.Errorf("%s: size %d, want %d", how, got.Size(), len(want))
				}
				sameHeader(t, how, got, sent)
				if body := *got.Body().(*[]int); sent.Body() != nil && !reflect.DeepEqual(body, sent.Body()) {
					t.Errorf("%s: body %v, want %v", how, body, sent.Body())
				}
			}
		})
	}
}

// sameHeader compares everything but the body.
func sameHeader(t testing.TB, how string, got, want message.Message) {
	t.Helper()
	if got.Seq() != want.Seq() || got.MType() != want.MType() || got.ServiceMethod() != want.ServiceMethod() ||
		got.BodyCodec() != want.BodyCodec() {
		t.Errorf("%s:\n%v, want\n%v", how, got, want)
	}
	if g, w := got.Status(true).String(), want.Status(true).String(); g != w {
		t.Errorf("%s: status %s, want %s", how, g, w)
	}
	if g, w := got.Meta().Map(), want.Meta().Map(); !reflect.DeepEqual(g, w) {
		t.Errorf("%s: meta %v, want %v", how, g, w)
	}
	if g, w := got.PipeTFilter().IDs(), want.PipeTFilter().IDs(); !bytes.Equal(g, w) {
		t.Errorf("%s: filters %q, want %q", how, g, w)
	}
}

func TestGzipFrameOfOlderPeerHoldsTheSamePayload(t *testing.T) {
	t.Parallel()
	frame := pack(t, call(1, message.WithTFilterPipe('z')))
	plain := pack(t, call(1))
	zip := message.NewMessage().PipeTFilter()
	if err := zip.Append('z'); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"golden": golden(t, "call_gzip"), "ours": frame} {
		got, err := zip.OnUnpack(b[7:])
		if err != nil || !bytes.Equal(got, plain[6:]) {
			t.Errorf("%s: %v\n%x, want\n%x", what, err, got, plain[6:])
		}
	}
}

// Older peers quote as Go source does, which is no JSON where a text has control characters, and then cannot read it.
func TestStatusWithOddTextIsJSON(t *testing.T) {
	t.Parallel()
	const msg, cause = "a\"\x01\x07é<\xff\u2028", "c\n"
	frame := pack(t, failed(status.New(-1, msg, cause)))
	if bytes.Equal(frame, golden(t, "reply_err_odd")) {
		t.Fatal("the status is quoted as in Go source")
	}
	const statusAt = 6 + 2 + 1 + 1 // after seq, type and the empty method
	n := int(binary.BigEndian.Uint16(frame[statusAt:]))
	text := frame[statusAt+2:][:n]
	var got struct {
		Code       int32
		Msg, Cause string
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if got.Code != -1 || got.Msg != "a\"\x01\x07é<\ufffd\u2028" || got.Cause != cause {
		t.Errorf("%+v", got)
	}
	for how, p := range both(t, frame, nil) {
		if p.err != nil || p.Status().Code() != -1 || p.Status().Cause().Error() != cause {
			t.Errorf("%s: %v %v", how, p.err, p.Status())
		}
	}
}

func TestPackingIsDeterministic(t *testing.T) {
	t.Parallel()
	make1 := func() message.Message {
		m := call(5)
		for _, k := range []string{"z", "a", "m", "q", "b", "c", "y"} {
			m.Meta().Set(k, k)
		}
		return m
	}
	want := pack(t, make1())
	for range 50 {
		if got := pack(t, make1()); !bytes.Equal(got, want) {
			t.Fatalf("%x\n%x", got, want)
		}
	}
}

func TestAppendFrameKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "5", "z", "a", "5a", "z5"} {
		m := call(9, message.WithTFilterPipe([]byte(id)...))
		out, err := framer(t).AppendFrame([]byte("before"), message.From(m))
		if err != nil || string(out[:6]) != "before" {
			t.Fatalf("%q: %v %q", id, err, out)
		}
		if n := binary.BigEndian.Uint32(out[6:]); int(n) != len(out)-6 || m.Size() != n {
			t.Errorf("%q: length field %d, size %d, want %d", id, n, m.Size(), len(out)-6)
		}
		for how, got := range both(t, out[6:], func() any { return new([]int) }) {
			if got.err != nil {
				t.Errorf("%q %s: %v", id, how, got.err)
			}
		}
	}
}

func TestVersionIsSixRaw(t *testing.T) {
	t.Parallel()
	if id, name := rawproto.NewRawProtoFunc()(nil).Version(); id != 6 || name != "raw" {
		t.Errorf("%d %q", id, name)
	}
}

func TestSequenceNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		seq  int32
		text string
	}{
		{0, "0"}, {1, "1"}, {9, "9"}, {10, "a"}, {35, "z"}, {36, "10"}, {1295, "zz"}, {1296, "100"},
		{math.MaxInt32, "zik0zj"}, {math.MinInt32, "-zik0zk"}, {math.MinInt32 + 1, "-zik0zj"}, {-1, "-1"}, {-36, "-10"},
	}
	for _, tt := range tests {
		frame := pack(t, call(tt.seq))
		if text := string(frame[7:][:frame[6]]); text != tt.text {
			t.Errorf("%d is %q, want %q", tt.seq, text, tt.text)
		}
		for how, got := range both(t, frame, nil) {
			if got.err != nil || got.Seq() != tt.seq {
				t.Errorf("%s: %d, %v, want %d", how, got.Seq(), got.err, tt.seq)
			}
		}
	}
}
