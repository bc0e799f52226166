package httpproto_test

import (
	"bytes"
	"errors"
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
	kit.Version(t, 104, "http")
}

func TestPackingIsDeterministic(t *testing.T) {
	t.Parallel()
	kit.Deterministic(t)
}

func TestWhatHTTPCannotCarryIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 20_000)
	unsupported := func(with message.MsgSetting, text string) prototest.Refusal {
		return prototest.Refusal{With: with, Want: httpproto.ErrUnsupported, Text: text}
	}
	tooLong := func(with message.MsgSetting) prototest.Refusal {
		return prototest.Refusal{With: with, Want: proto.ErrHeaderTooLong}
	}
	manyKeys := func(n int, value string) message.MsgSetting {
		return func(m message.Message) {
			for i := range n {
				m.Meta().Set(fmt.Sprintf("K%d", i), value)
			}
		}
	}
	kit.Refuses(t, "", map[string]prototest.Refusal{
		"a push":              unsupported(message.WithMType(message.TypePush), "unsupport message type: 3(PUSH)"),
		"another filter":      unsupported(message.WithTFilterPipe('5'), "unsupport tfilter : md5"),
		"a line feed":         unsupported(message.WithSetMeta("A", "b\r\nX-Seq: 9"), ""),
		"a blank before":      unsupported(message.WithSetMeta("A", " b"), ""),
		"a tab behind":        unsupported(message.WithSetMeta("A", "b\t"), ""),
		"a key with a blank":  unsupported(message.WithSetMeta("a b", "c"), ""),
		"an empty key":        unsupported(message.WithSetMeta("", "c"), ""),
		"framing as meta":     unsupported(message.WithSetMeta("content-length", "7"), ""),
		"one header twice":    unsupported(message.WithSetMetas(map[string]any{"a": "1", "A": "2"}), ""),
		"a host of two lines": unsupported(message.WithServiceMethod("http://a\r\nb: c/"), ""),
		"a long value":        tooLong(message.WithSetMeta("A", long)),
		"a long path":         tooLong(message.WithServiceMethod("/" + long)),
		"many headers":        tooLong(manyKeys(200, "v")),
		"long headers":        tooLong(manyKeys(5, long[:12_000])),
	})
}

// What is sent must be taken: a receiver ends the session over a head that is too long.
func TestTheLongestHeadsThatAreSentAreTaken(t *testing.T) {
	t.Parallel()
	meta := func(keys, size int) message.Message {
		m := prototest.Call(1)
		for i := range keys {
			m.Meta().Set(fmt.Sprintf("K%03d", i), strings.Repeat("v", size))
		}
		return m
	}
	for name, tt := range map[string]struct {
		from, to int
		message  func(n int) message.Message
	}{
		"service method": {16_360, 16_400, func(n int) message.Message {
			return prototest.Call(1, message.WithServiceMethod("/"+strings.Repeat("x", n)))
		}},
		"header":  {16_360, 16_400, func(n int) message.Message { return meta(1, n) }},
		"headers": {100, 130, func(n int) message.Message { return meta(n, 1) }},
		"all headers": {12_100, 12_400, func(n int) message.Message {
			m := meta(3, 12_200)
			m.Meta().Set("Last", strings.Repeat("v", n))
			m.SetServiceMethod("/" + strings.Repeat("x", 16_368))
			return m
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent, refused := 0, 0
			for n := tt.from; n < tt.to; n++ {
				frame, err := kit.Framer(t).AppendFrame(nil, message.From(tt.message(n)))
				if errors.Is(err, proto.ErrHeaderTooLong) {
					refused++
					continue
				}
				sent++
				for how, got := range kit.Parse(t, frame, func() any { return new([]int) }) {
					if err != nil || got.Err != nil {
						t.Fatalf("%d: %v, %s: %v", n, err, how, got.Err)
					}
				}
			}
			if sent == 0 || refused == 0 {
				t.Errorf("%d were sent, %d refused", sent, refused)
			}
		})
	}
}

type text string

func TestMetaThatIsNoStringIsWrittenAsJSON(t *testing.T) {
	t.Parallel()
	m := prototest.Call(1, message.WithSetMetas(map[string]any{
		"Number": 7, "Text": text(`"q" \ <é>`), "Empty": text(""), "List": []string{"a", "b"}, "None": nil,
	}))
	for how, got := range kit.Parse(t, kit.Pack(t, m), func() any { return new([]int) }) {
		want := map[string]any{
			"Number": "7", "Text": `"q" \ <é>`, "Empty": "", "List": `["a","b"]`, "None": "null",
			"Accept-Encoding": "gzip", "User-Agent": "drpc-httpproto/1.1",
		}
		for key, value := range want {
			if v := got.Meta().Get(key); got.Err != nil || v != value {
				t.Errorf("%s: %s is %q (%v), want %q", how, key, v, got.Err, value)
			}
		}
		if n := got.Meta().Size(); n != len(want) {
			t.Errorf("%s: %v", how, got.Meta())
		}
	}
}

func TestFramesAreReadOneByOneFromAnyChunks(t *testing.T) {
	t.Parallel()
	kit.Connection(t, prototest.Golden(t, "call"), prototest.Golden(t, "call_gzip"), prototest.Golden(t, "reply_err"),
		kit.Pack(t, prototest.Call(3, message.WithBody(strings.Repeat("three", 2000)))))
}

func TestContentTypesStandForCodecs(t *testing.T) {
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
