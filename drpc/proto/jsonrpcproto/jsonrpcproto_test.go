package jsonrpcproto_test

import (
	"encoding/json"
	"errors"
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
	kit.Version(t, 3, "jsonrpc")
}

func TestPackingIsDeterministic(t *testing.T) {
	t.Parallel()
	kit.Deterministic(t)
}

func TestWhatALineCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	unsupported := func(with message.MsgSetting) prototest.Refusal {
		return prototest.Refusal{With: with, Want: jsonrpcproto.ErrUnsupported}
	}
	kit.Refuses(t, "", map[string]prototest.Refusal{
		"a filter":       unsupported(message.WithTFilterPipe('z')),
		"17 filters":     unsupported(message.WithTFilterPipe([]byte(strings.Repeat("z", 17))...)),
		"bytes":          unsupported(message.WithBody([]byte("no json"))),
		"half an object": unsupported(message.WithBody([]byte(`1},"x":{`))),
		"a type":         unsupported(message.WithMType(9)),
		"method":         unsupported(message.WithServiceMethod("/\xff")),
	})
}

// own writes itself, with an escape that encoding/json uses for what is no UTF-8.
type own string

func (own) MarshalJSON() ([]byte, error) { return []byte(`"\ufffd"`), nil }

type tree struct {
	Name  string            `json:"name,omitempty"`
	Next  *tree             `json:"next,omitempty"`
	Any   any               `json:"any,omitempty"`
	Map   map[string]string `json:"map,omitempty"`
	List  [1]string         `json:"list"`
	Own   own               `json:"own"`
	Raw   json.RawMessage   `json:"raw,omitempty"`
	Bytes []byte            `json:"bytes,omitempty"`
	Out   string            `json:"-"`
	out   *tree             // encoding/json does not see it, nor must anybody else: it may lead back to the whole
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	bad := "a\xff"
	var none *tree
	for name, body := range map[string]any{
		"string": bad, "pointer": &bad, "list": []string{"ok", bad}, "any": []any{1, map[string]any{"k": bad}},
		"key": map[string]int{bad: 1}, "field": tree{Name: bad}, "deep": &tree{Next: &tree{Any: tree{Map: map[string]string{"k": bad}}}},
		"array": tree{List: [1]string{bad}}, "half a surrogate": "\xed\xa0\x80",
	} {
		for _, codec := range []string{"plain", "json", "form"} {
			m := prototest.Call(1, message.WithBody(body), message.WithBodyCodec(codec))
			if err := kit.Refused(t, m, proto.ErrNotText); !errors.Is(err, jsonrpcproto.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
			reply := prototest.Call(1, message.WithBody(body), message.WithMType(message.TypeReply))
			_ = kit.Refused(t, reply, proto.ErrNotText)
		}
	}
	loop := &tree{Name: "\ufffd", Own: "x", Out: bad}
	loop.out = loop
	for name, body := range map[string]any{
		"text": "é世界😀\u2028", "the replacement itself": "\ufffd", "its escape": `\ufffd`, "written by itself": own(bad), "nothing": none,
		"raw": tree{Raw: json.RawMessage(`"\ufffd"`)}, "a loop that is not sent": loop, "bytes": tree{Bytes: []byte(bad)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := json.Marshal(body)
			if got := string(kit.Pack(t, prototest.Call(1, message.WithBody(body)))); err != nil || !strings.Contains(got, `"params":`+string(want)+`,`) {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		})
	}
}

func TestFramesAreReadOneByOneFromAnyChunks(t *testing.T) {
	t.Parallel()
	kit.Connection(t, prototest.Golden(t, "call"), prototest.Golden(t, "reply_nil"), prototest.Golden(t, "reply_err"),
		kit.Pack(t, prototest.Call(3, message.WithBody(strings.Repeat("three", 2000)))))
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
