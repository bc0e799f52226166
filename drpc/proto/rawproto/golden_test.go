package rawproto_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/status"
)

var goldens = []prototest.GoldenFrame{
	{Name: "call_seq_1", Message: func() message.Message { return prototest.Call(1) }},
	{Name: "call_seq_35", Message: func() message.Message { return prototest.Call(35) }},
	{Name: "call_seq_minus_1", Message: func() message.Message { return prototest.Call(-1) }},
	{Name: "call_seq_max", Message: func() message.Message { return prototest.Call(math.MaxInt32) }},
	{Name: "call_meta", Message: func() message.Message {
		return prototest.Call(36, message.WithSetMeta("b", `<2>&"é`), message.WithSetMeta("a", "1"))
	}},
	{Name: "call_md5", Message: func() message.Message { return prototest.Call(1, message.WithTFilterPipe('5')) }},
	{Name: "call_aes", Message: func() message.Message { return prototest.Call(1, message.WithTFilterPipe('a')) }},
	{Name: "call_md5_aes", Message: func() message.Message { return prototest.Call(1, message.WithTFilterPipe('5', 'a')) }},
	{Name: "call_gzip", Message: func() message.Message { return prototest.Call(1, message.WithTFilterPipe('z')) }},
	{Name: "reply_err", Message: func() message.Message { return prototest.Failed(7, status.New(404, "Not Found", "")) }},
}

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	kit.Goldens(t, goldens, 0)
}

func TestGzipFrameOfOlderPeerHoldsTheSamePayload(t *testing.T) {
	t.Parallel()
	frame := kit.Pack(t, prototest.Call(1, message.WithTFilterPipe('z')))
	plain := kit.Pack(t, prototest.Call(1))
	zip := message.NewMessage().PipeTFilter()
	if err := zip.Append('z'); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"golden": prototest.Golden(t, "call_gzip"), "ours": frame} {
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
	frame := kit.Pack(t, prototest.Failed(7, status.New(-1, msg, cause)))
	if bytes.Equal(frame, prototest.Golden(t, "old_reply_err_odd")) {
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
	for how, p := range kit.Parse(t, frame, nil) {
		if p.Err != nil || p.Status().Code() != -1 || p.Status().Cause().Error() != cause {
			t.Errorf("%s: %v %v", how, p.Err, p.Status())
		}
	}
}

func TestAppendFrameKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "5", "z", "a", "5a", "z5"} {
		m := prototest.Call(9, message.WithTFilterPipe([]byte(id)...))
		out, err := kit.Framer(t).AppendFrame([]byte("before"), message.From(m))
		if err != nil || string(out[:6]) != "before" {
			t.Fatalf("%q: %v %q", id, err, out)
		}
		if n := binary.BigEndian.Uint32(out[6:]); int(n) != len(out)-6 || m.Size() != n {
			t.Errorf("%q: length field %d, size %d, want %d", id, n, m.Size(), len(out)-6)
		}
		for how, got := range kit.Parse(t, out[6:], func() any { return new([]int) }) {
			if got.Err != nil {
				t.Errorf("%q %s: %v", id, how, got.Err)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	kit.Version(t, 6, "raw")
}

func TestPackingIsDeterministic(t *testing.T) {
	t.Parallel()
	kit.Deterministic(t)
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
		frame := kit.Pack(t, prototest.Call(tt.seq))
		if text := string(frame[7:][:frame[6]]); text != tt.text {
			t.Errorf("%d is %q, want %q", tt.seq, text, tt.text)
		}
		for how, got := range kit.Parse(t, frame, nil) {
			if got.Err != nil || got.Seq() != tt.seq {
				t.Errorf("%s: %d, %v, want %d", how, got.Seq(), got.Err, tt.seq)
			}
		}
	}
}

func TestStatusOfOlderPeerIsRead(t *testing.T) {
	t.Parallel()
	kit.OlderStatus(t)
}

func TestLimitHoldsBeforeFiltersToo(t *testing.T) {
	t.Parallel()
	kit.LimitBeforeFilters(t)
}
