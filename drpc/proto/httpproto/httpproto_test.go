package httpproto_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/status"
)

var kit = prototest.Kit{New: httpproto.NewHTTProtoFunc()}

func TestMain(m *testing.M) {
	prototest.RegisterFilters()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// call is a call of "/math/add" with the body [1,2], as in most golden frames.
func call(settings ...message.MsgSetting) func() message.Message {
	return func() message.Message { return prototest.Call(1, settings...) }
}

// failed is the reply to call 7 that there is no such handler.
func failed(settings ...message.MsgSetting) func() message.Message {
	return func() message.Message {
		m := prototest.Failed(7, status.New(404, "Not Found"))
		message.From(m).Apply(settings)
		return m
	}
}

var goldens = []prototest.GoldenFrame{
	{Name: "call", Message: call(message.WithServiceMethod("http://localhost:9090/home/test?peer_id=110"),
		message.WithSetMeta("peer_id", "110"))},
	{Name: "call_gzip", Message: call(message.WithTFilterPipe('z'))},
	{Name: "authcall", Message: call(message.WithMType(message.TypeAuthCall))},
	{Name: "reply_ok", Message: func() message.Message {
		m := message.NewMessage(message.WithMType(message.TypeReply), message.WithBodyCodec("json"), message.WithBody(3))
		m.SetSeq(7)
		return m
	}},
	{Name: "reply_err", Message: failed()},
	{Name: "reply_err_gzip", Message: failed(message.WithTFilterPipe('z'))},
}

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	for _, g := range goldens {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			want := prototest.Golden(t, g.Name)
			sent := g.Message()
			if got := kit.Pack(t, sent); string(got) != string(want) {
				t.Errorf("packed\n%q, want\n%q", got, want)
			}
			for how, got := range kit.Parse(t, want, func() any { return new([]byte) }) {
				if got.Err != nil {
					t.Fatalf("%s: %v", how, got.Err)
				}
				// A request has headers of its own, and the host is one of them.
				for _, header := range []string{"Accept-Encoding", "User-Agent", "Host"} {
					got.Meta().Remove(header)
				}
				path, _, _ := strings.Cut(strings.TrimPrefix(sent.ServiceMethod(), "http://localhost:9090"), "?")
				if got.Seq() != sent.Seq() || got.MType() != sent.MType() || got.ServiceMethod() != path {
					t.Errorf("%s: %v", how, got)
				}
				if g, w := got.Status(true).String(), sent.Status(true).String(); g != w {
					t.Errorf("%s: status %s, want %s", how, g, w)
				}
				if g, w := got.PipeTFilter().IDs(), sent.PipeTFilter().IDs(); !bytes.Equal(g, w) {
					t.Errorf("%s: filters %q, want %q", how, g, w)
				}
				body, err := sent.MarshalBody()
				if g := *got.Body().(*[]byte); err != nil || sent.StatusOK() && !bytes.Equal(g, body) {
					t.Errorf("%s: body %q, want %q", how, g, body)
				}
				if g.Name == "call" && got.Meta().Get("Peer_id") != "110" {
					t.Errorf("%s: meta %v", how, got.Meta())
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if id, name := kit.New(nil).Version(); id != 104 || name != "http" {
		t.Errorf("%d %q", id, name)
	}
}

func TestWhatHTTPCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 20_000)
	for name, tt := range map[string]struct {
		with message.MsgSetting
		want error
		text string
	}{
		"a push":              {message.WithMType(message.TypePush), httpproto.ErrUnsupported, "unsupport message type: 3(PUSH)"},
		"another filter":      {message.WithTFilterPipe('5'), httpproto.ErrUnsupported, "unsupport tfilter : md5"},
		"a line feed":         {message.WithSetMeta("A", "b\r\nX-Seq: 9"), httpproto.ErrUnsupported, ""},
		"a key with a blank":  {message.WithSetMeta("a b", "c"), httpproto.ErrUnsupported, ""},
		"an empty key":        {message.WithSetMeta("", "c"), httpproto.ErrUnsupported, ""},
		"framing as meta":     {message.WithSetMeta("content-length", "7"), httpproto.ErrUnsupported, ""},
		"one header twice":    {message.WithSetMetas(map[string]any{"a": "1", "A": "2"}), httpproto.ErrUnsupported, ""},
		"a channel as meta":   {message.WithSetMetas(map[string]any{"a": make(chan int)}), nil, ""},
		"a long value":        {message.WithSetMeta("A", long), proto.ErrHeaderTooLong, ""},
		"a long path":         {message.WithServiceMethod("/" + long), proto.ErrHeaderTooLong, ""},
		"a host of two lines": {message.WithServiceMethod("http://a\r\nb: c/"), httpproto.ErrUnsupported, ""},
		"many headers": {func(m message.Message) {
			for i := range 200 {
				m.Meta().Set(fmt.Sprintf("K%d", i), "v")
			}
		}, proto.ErrHeaderTooLong, ""},
		"long headers": {func(m message.Message) {
			for i := range 5 {
				m.Meta().Set(fmt.Sprintf("K%d", i), long[:12_000])
			}
		}, proto.ErrHeaderTooLong, ""},
		"many filters": {message.WithTFilterPipe(bytes.Repeat([]byte("z"), 17)...), proto.ErrTooManyFilters, ""},
		"above the limit": {func(m message.Message) {
			message.From(m).SetSizeLimit(50)
		}, message.ErrExceedMessageSizeLimit, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := kit.Refused(t, prototest.Call(1, tt.with), tt.want)
			if tt.text != "" && err.Error() != tt.text {
				t.Errorf("%v", err)
			}
		})
	}
	stat := status.New(1, long[:10_000]+strings.Repeat("y", 60_000))
	if err := kit.Refused(t, prototest.Failed(1, stat), proto.ErrHeaderTooLong); err == nil {
		t.Error("a status of 70,000 bytes is sent")
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]byte{
		"application/json": 'j', "APPLICATION/JSON ; charset=utf-8": 'j', "text/plain;charset=utf-8": 's',
		"text/xml": 'x', "application/x-protobuf": 'p', "application/x-www-form-urlencoded": 'f', "": 0, "image/png": 0,
	} {
		if got := httpproto.GetBodyCodec(contentType, 0); got != want {
			t.Errorf("%q: %q, want %q", contentType, got, want)
		}
	}
	if got := httpproto.GetContentType('j', ""); got != "application/json;charset=utf-8" {
		t.Errorf("json: %q", got)
	}
	if got := httpproto.GetContentType(201, "none"); got != "none" {
		t.Errorf("201: %q", got)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := byte(210 + i)
			httpproto.RegBodyCodec(fmt.Sprintf("application/test-%d; v=1", i), id)
			if got := httpproto.GetBodyCodec(fmt.Sprintf("application/TEST-%d", i), 0); got != id {
				t.Errorf("%d: %d", i, got)
			}
			if got := httpproto.GetContentType(id, ""); got != fmt.Sprintf("application/test-%d; v=1", i) {
				t.Errorf("%d: %q", i, got)
			}
		})
	}
	wg.Wait()
	for _, bad := range []string{"", "a\nb", " ;"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was registered", bad)
				}
			}()
			httpproto.RegBodyCodec(bad, 'j')
		}()
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

func BenchmarkFrame(b *testing.B) { kit.Benchmark(b) }
