package jsonrpcproto_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/status"
)

var kit = prototest.Kit{New: jsonrpcproto.NewJSONRPCProtoFunc()}

func TestMain(m *testing.M) {
	prototest.RegisterFilters()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

func reply(body any) func() message.Message {
	return func() message.Message {
		m := message.NewMessage(message.WithMType(message.TypeReply), message.WithBodyCodec("json"), message.WithBody(body))
		m.SetSeq(7)
		return m
	}
}

var goldens = []prototest.GoldenFrame{
	{Name: "call", Message: func() message.Message { return prototest.Call(1, message.WithSetMeta("k", "v")) }},
	{Name: "reply_nil", Message: reply(nil)},
	{Name: "reply_err", Message: func() message.Message { return prototest.Failed(7, status.New(404, "Not Found")) }},
}

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	kit.Goldens(t, goldens, 0)
	if got, want := kit.Pack(t, reply(3)()), prototest.Golden(t, "reply"); string(got) != string(want) {
		t.Errorf("packed\n%q, want\n%q", got, want)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if id, name := kit.New(nil).Version(); id != 3 || name != "jsonrpc" {
		t.Errorf("%d %q", id, name)
	}
}

func TestWhatALineCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70_000)
	for name, tt := range map[string]struct {
		with message.MsgSetting
		want error
	}{
		"a filter":          {message.WithTFilterPipe('z'), jsonrpcproto.ErrUnsupported},
		"bytes":             {message.WithBody([]byte("no json")), jsonrpcproto.ErrUnsupported},
		"half an object":    {message.WithBody([]byte(`1},"x":{`)), jsonrpcproto.ErrUnsupported},
		"a type":            {message.WithMType(9), jsonrpcproto.ErrUnsupported},
		"a long method":     {message.WithServiceMethod(long), proto.ErrHeaderTooLong},
		"long meta":         {message.WithSetMeta("a", long), proto.ErrHeaderTooLong},
		"a channel":         {message.WithBody(make(chan int)), nil},
		"a channel in meta": {message.WithSetMetas(map[string]any{"a": make(chan int)}), nil},
		"above the limit":   {func(m message.Message) { message.From(m).SetSizeLimit(50) }, message.ErrExceedMessageSizeLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_ = kit.Refused(t, prototest.Call(1, tt.with), tt.want)
		})
	}
	_ = kit.Refused(t, prototest.Failed(1, status.New(1, long)), proto.ErrHeaderTooLong)
}

func TestBytesBecomeOneLine(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"": "null", "{\n \"a\": \"b\\n\"\r\n}": `{"a":"b\n"}`, " [1, 2] ": " [1, 2] ",
	} {
		raw := []byte(body)
		for _, b := range []any{raw, &raw} {
			got := string(kit.Pack(t, prototest.Call(1, message.WithBody(b))))
			if !strings.Contains(got, `"params":`+want+`,"id"`) || strings.Count(got, "\n") != 1 {
				t.Errorf("%q: %q", body, got)
			}
		}
	}
}

func BenchmarkFrame(b *testing.B) { kit.Benchmark(b) }
