package securebody_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/plugin/ignorecase"
	"github.com/osgochina/dmicro/drpc/plugin/proxy"
	"github.com/osgochina/dmicro/drpc/plugin/securebody"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // bodies are refused on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

const (
	secret = "cipherkey1234567"
	canary = "canary-in-the-body"
)

func plugin(t testing.TB, cfg securebody.Config) *securebody.Plugin {
	t.Helper()
	if cfg.Keys == nil {
		cfg.Keys = []securebody.Key{{ID: "k1", Secret: []byte(secret)}}
	}
	p, err := securebody.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wire is a plugin that keeps the bytes of a connection, both ways.
type wire struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (*wire) Name() string { return "wire" }

func (w *wire) AfterDial(sess drpc.EarlySession, _ bool) *drpc.Status {
	sess.ModifySocket(func(conn net.Conn) (net.Conn, socket.ProtoFunc) { return &tapped{conn, w}, nil })
	return nil
}

type tapped struct {
	net.Conn
	w *wire
}

func (c *tapped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.note(b[:n])
	return n, err
}

func (c *tapped) Write(b []byte) (int, error) {
	c.w.note(b)
	return c.Conn.Write(b)
}

func (w *wire) note(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(b)
}

// take returns what was seen since the last time.
func (w *wire) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.all.Reset()
	return w.all.String()
}

type pair struct {
	sess drpc.Session
	wire *wire
	srv  drpc.Endpoint
}

// connect makes a client with its plugins and a server with its plugins and an echo.
func connect(t *testing.T, pf socket.ProtoFunc, cli, srv []drpc.Plugin, routes func(drpc.Endpoint)) pair {
	t.Helper()
	s := peertest.Endpoint(t, drpc.EndpointConfig{}, srv...)
	echo(s)
	if routes != nil {
		routes(s)
	}
	w := new(wire)
	c := peertest.Endpoint(t, drpc.EndpointConfig{}, append(cli, w)...)
	return pair{peertest.Dial(t, c, peertest.Serve(t, s, pf), pf), w, s}
}

func echo(e drpc.Endpoint) {
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, text *string) (string, *drpc.Status) { return *text, nil })
	drpc.HandleCall(e, "/secured", func(c drpc.CallCtx, _ *string) (bool, *drpc.Status) { return securebody.Secured(c), nil })
}

func both(p drpc.Plugin) []drpc.Plugin { return []drpc.Plugin{p} }

func TestBodiesAreNotReadableOnTheWire(t *testing.T) {
	t.Parallel()
	for name, pf := range map[string]socket.ProtoFunc{
		"raw": rawproto.RawProtoFunc, "json": jsonproto.NewJSONProtoFunc(), "protobuf": pbproto.NewPbProtoFunc(),
		"http": httpproto.NewHTTProtoFunc(), "jsonrpc": jsonrpcproto.NewJSONRPCProtoFunc(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, pf, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), nil)
			for _, tc := range []struct {
				settings    []message.MsgSetting
				call, reply bool // encrypted
			}{
				{nil, false, false},
				{[]message.MsgSetting{securebody.WithSecureMeta()}, true, true},
				{[]message.MsgSetting{securebody.WithSecureMeta(), securebody.WithReplySecureMeta(true)}, true, true},
				{[]message.MsgSetting{securebody.WithSecureMeta(), securebody.WithReplySecureMeta(false)}, true, false},
				{[]message.MsgSetting{securebody.WithReplySecureMeta(true)}, false, true},
			} {
				p.wire.take()
				var got string
				if stat := p.sess.Call("/echo", canary, &got, tc.settings...).Status(); stat != nil || got != canary {
					t.Fatalf("%+v: %q (%v)", tc, got, stat)
				}
				seen, want := strings.Count(p.wire.take(), canary), 0
				for _, secure := range []bool{tc.call, tc.reply} {
					if !secure {
						want++
					}
				}
				if seen != want {
					t.Errorf("%+v: the body is on the wire %d times, want %d", tc, seen, want)
				}
			}
			if stat := p.sess.Call("/none", canary, nil, securebody.WithSecureMeta()).Status(); stat.Code() != drpc.CodeNotFound {
				t.Errorf("status %v", stat)
			}
		})
	}
}

// Somebody who listens could try out keys against a digest of the one in use, without anybody noticing.
func TestNeitherKeyNorDigestIsOnTheWire(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), nil)
	var got string
	stat := p.sess.Call("/echo", canary, &got, securebody.WithSecureMeta()).Status()
	if stat != nil || got != canary {
		t.Fatalf("%q (%v)", got, stat)
	}
	seen := strings.ToLower(p.wire.take())
	if !strings.Contains(seen, "k1") {
		t.Fatalf("the id of the key is not on the wire: %q", seen)
	}
	md, one, two := md5.Sum([]byte(secret)), sha1.Sum([]byte(secret)), sha256.Sum256([]byte(secret))
	for name, b := range map[string][]byte{"key": []byte(secret), "MD5": md[:], "SHA-1": one[:], "SHA-256": two[:]} {
		for _, text := range []string{string(b), hex.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b)} {
			if strings.Contains(seen, strings.ToLower(text)) {
				t.Errorf("%s is on the wire", name)
			}
		}
	}
}

func TestEveryKindOfBody(t *testing.T) {
	t.Parallel()
	type form struct{ Name, Value string }
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/struct", func(_ drpc.CallCtx, f *form) (*form, *drpc.Status) { return f, nil })
		drpc.HandleCall(e, "/bytes", func(_ drpc.CallCtx, b *[]byte) ([]byte, *drpc.Status) { return *b, nil })
		drpc.HandleCall(e, "/nothing", func(drpc.CallCtx, *string) (any, *drpc.Status) { return nil, nil })
		drpc.HandleCall(e, "/protobuf", func(_ drpc.CallCtx, v *wrapperspb.StringValue) (*wrapperspb.StringValue, *drpc.Status) { return v, nil })
		e.SetUnknownCall(func(c drpc.UnknownCallCtx) (any, *drpc.Status) { return c.InputBodyBytes(), nil })
	})
	for _, codec := range []string{"json", "form", "xml"} {
		var got form
		want := form{"n", canary}
		stat := p.sess.Call("/struct", &want, &got, securebody.WithSecureMeta(), drpc.WithBodyCodec(codec)).Status()
		if stat != nil || got != want {
			t.Errorf("%s: %v (%v)", codec, got, stat)
		}
	}
	got := new(wrapperspb.StringValue)
	if stat := p.sess.Call("/protobuf", wrapperspb.String(canary), got, securebody.WithSecureMeta(), drpc.WithBodyCodec("protobuf")).Status(); stat != nil || got.Value != canary {
		t.Errorf("protobuf: %v (%v)", got, stat)
	}
	var text string
	if stat := p.sess.Call("/echo", canary, &text, securebody.WithSecureMeta(), drpc.WithBodyCodec("plain")).Status(); stat != nil || text != canary {
		t.Errorf("plain: %q (%v)", text, stat)
	}
	for _, method := range []string{"/bytes", "/unknown"} {
		var raw []byte
		if stat := p.sess.Call(method, []byte(canary), &raw, securebody.WithSecureMeta()).Status(); stat != nil || string(raw) != canary {
			t.Errorf("%s: %q (%v)", method, raw, stat)
		}
	}
	var raw []byte
	if stat := p.sess.Call("/nothing", nil, &raw, securebody.WithSecureMeta()).Status(); stat != nil || len(raw) != 0 {
		t.Errorf("nothing: %q (%v)", raw, stat)
	}
	if leaked := p.wire.take(); strings.Contains(leaked, canary) {
		t.Error("a body is on the wire")
	}
}

func TestPushesAreEncrypted(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), func(e drpc.Endpoint) {
		drpc.HandlePush(e, "/note", func(_ drpc.PushCtx, text *string) *drpc.Status {
			got <- *text
			return nil
		})
	})
	if stat := p.sess.Push("/note", canary, securebody.WithSecureMeta()); stat != nil {
		t.Fatal(stat)
	}
	if text := <-got; text != canary || strings.Contains(p.wire.take(), canary) {
		t.Errorf("%q arrived, or in clear", text)
	}
}

func TestEnforcedReplyIsEncryptedWhateverTheCallWants(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/enforce", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
			securebody.EnforceSecure(c.Output())
			return canary, nil
		})
		drpc.HandleCall(e, "/fail", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
			securebody.EnforceSecure(c.Output())
			return canary, drpc.NewStatus(1001, "no")
		})
	})
	for _, settings := range [][]message.MsgSetting{
		nil, {securebody.WithReplySecureMeta(false)}, {securebody.WithSecureMeta(), securebody.WithReplySecureMeta(false)},
		{securebody.WithSecureMeta()}, {securebody.WithReplySecureMeta(true)},
	} {
		var got string
		if stat := p.sess.Call("/enforce", "", &got, settings...).Status(); stat != nil || got != canary {
			t.Errorf("%q (%v)", got, stat)
		}
		if stat := p.sess.Call("/fail", "", &got, settings...).Status(); stat.Code() != 1001 {
			t.Errorf("status %v", stat)
		}
	}
	if strings.Contains(p.wire.take(), canary) {
		t.Error("a reply is on the wire")
	}
}

func TestWithoutPluginNothingLeaves(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, nil, nil, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/enforce", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
			securebody.EnforceSecure(c.Output())
			return canary, nil
		})
	})
	if stat := p.sess.Call("/echo", canary, nil, securebody.WithSecureMeta()).Status(); stat.Code() != drpc.CodeWriteFailed {
		t.Errorf("call: %v", stat)
	}
	if stat := p.sess.Push("/echo", canary, securebody.WithSecureMeta()); stat.Code() != drpc.CodeWriteFailed {
		t.Errorf("push: %v", stat)
	}
	if stat := p.sess.Call("/enforce", "", nil).Status(); stat.Code() != drpc.CodeInternalServerError {
		t.Errorf("reply: %v", stat)
	}
	if strings.Contains(p.wire.take(), canary) {
		t.Error("a body is on the wire")
	}
}

// saboteur is a plugin whose hooks before the writing fail or panic.
type saboteur struct{ panics bool }

func (saboteur) Name() string { return "saboteur" }

func (s saboteur) BeforeWriteReply(drpc.WriteCtx) *drpc.Status {
	if s.panics {
		panic("on purpose")
	}
	return drpc.NewStatus(1, "on purpose")
}

func TestHooksThatFailDoNotMakeARepliesBodyReadable(t *testing.T) {
	t.Parallel()
	for _, s := range []saboteur{{false}, {true}} {
		p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), []drpc.Plugin{s, plugin(t, securebody.Config{})}, func(e drpc.Endpoint) {
			drpc.HandleCall(e, "/enforce", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
				securebody.EnforceSecure(c.Output())
				return canary, nil
			})
		})
		var got string
		if stat := p.sess.Call("/echo", canary, &got, securebody.WithSecureMeta()).Status(); stat != nil || got != canary {
			t.Errorf("%q (%v)", got, stat)
		}
		p.sess.Call("/enforce", "", &got) // may fail, but must not leak
		if strings.Contains(p.wire.take(), canary) {
			t.Error("a body is on the wire")
		}
	}
}

// ask sends a call and returns the reply.
func ask(t *testing.T, c *socket.Conn, method, body string, settings ...message.MsgSetting) message.Message {
	t.Helper()
	m := message.NewMessage(append([]message.MsgSetting{
		message.WithMType(drpc.TypeCall), message.WithServiceMethod(method), message.WithBodyCodec("json"), message.WithBody([]byte(body)),
	}, settings...)...)
	m.SetSeq(1)
	if err := c.WriteMessage(m); err != nil {
		t.Fatal(err)
	}
	reply := message.NewMessage(message.WithBody(new([]byte)))
	if err := c.ReadMessage(reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

var marked = message.WithSetMeta(securebody.SecureMetaKey, "true")

// olderCall and olderVersion come from a DMicro 1.x program with the key above.
const (
	olderVersion = "1ba49884c59b16619f411c7c80343c9c"
	olderCall    = `{"cipherVersion":"` + olderVersion + `","ciphertext":"g22b7SOHc/w5jzE/WHoR9nax60XWpZP23g7FBJF0EMA="}`
	olderPlain   = `{"One":1,"Two":2}`
)

func echoBytes(e drpc.Endpoint) {
	drpc.HandleCall(e, "/raw", func(_ drpc.CallCtx, b *[]byte) ([]byte, *drpc.Status) { return *b, nil })
}

func TestOlderFormIsSpokenOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	for older, want := range map[securebody.Older]string{
		securebody.OlderRefuse: "", securebody.OlderAnswer: olderCall, securebody.OlderSpeak: olderCall,
	} {
		srv := peertest.Endpoint(t, drpc.EndpointConfig{}, plugin(t, securebody.Config{Older: older, OlderKey: secret}))
		echoBytes(srv)
		c := peertest.Raw(t, peertest.Serve(t, srv, rawproto.RawProtoFunc))
		reply := ask(t, c, "/raw", olderCall, marked)
		if got := string(*reply.Body().(*[]byte)); got != want {
			t.Errorf("mode %d: %q (%v), want %q", older, got, reply.Status(), want)
		}
		if older == securebody.OlderRefuse && reply.Status().Code() != drpc.CodeConflict {
			t.Errorf("refused with %v", reply.Status())
		}
		if older != securebody.OlderRefuse && reply.Meta().Get(securebody.SecureMetaKey) != "true" {
			t.Errorf("meta %v", reply.Meta())
		}
		reply = ask(t, c, "/raw", olderPlain, message.WithSetMeta(securebody.ReplySecureMetaKey, "true"))
		if got := string(*reply.Body().(*[]byte)); older != securebody.OlderRefuse && got != olderCall || got == olderPlain {
			t.Errorf("mode %d: a wish for a secured reply gave %q", older, got)
		}
		reply = ask(t, c, "/raw", olderCall, marked, message.WithSetMeta(securebody.ReplySecureMetaKey, "false"))
		if got := string(*reply.Body().(*[]byte)); older != securebody.OlderRefuse && got != olderPlain {
			t.Errorf("mode %d: a wish for a plain reply gave %q (%v)", older, got, reply.Status())
		}
	}
}

func TestSpeakingTheOlderForm(t *testing.T) {
	t.Parallel()
	speak := securebody.Config{Older: securebody.OlderSpeak, OlderKey: secret}
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, speak)), both(plugin(t, speak)), nil)
	var got string
	if stat := p.sess.Call("/echo", canary, &got, securebody.WithSecureMeta()).Status(); stat != nil || got != canary {
		t.Errorf("%q (%v)", got, stat)
	}
	if seen := p.wire.take(); strings.Count(seen, olderVersion) != 2 || strings.Contains(seen, canary) {
		t.Errorf("on the wire: %s", seen)
	}
	// A server that refuses it is not talked into it.
	p = connect(t, rawproto.RawProtoFunc, both(plugin(t, speak)), both(plugin(t, securebody.Config{})), nil)
	if stat := p.sess.Call("/echo", canary, &got, securebody.WithSecureMeta()).Status(); stat.Code() != drpc.CodeConflict {
		t.Errorf("status %v", stat)
	}
}

func TestWhatDoesNotCheckIsRefusedAlike(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{},
		plugin(t, securebody.Config{Older: securebody.OlderAnswer, OlderKey: secret, StatCode: 1409}))
	reached := make(chan string, 100)
	drpc.HandleCall(srv, "/raw", func(_ drpc.CallCtx, b *[]byte) (string, *drpc.Status) {
		reached <- string(*b)
		return "", nil
	})
	c := peertest.Raw(t, peertest.Serve(t, srv, rawproto.RawProtoFunc))
	var want string
	for name, body := range map[string]string{
		"no version":            `{"ciphertext":"g22b7SOHc/w5jzE/WHoR9nax60XWpZP23g7FBJF0EMA="}`,
		"empty version":         `{"cipherVersion":"","ciphertext":"g22b7SOHc/w5jzE/WHoR9nax60XWpZP23g7FBJF0EMA="}`,
		"another version":       `{"cipherVersion":"00000000000000000000000000000000","ciphertext":"g22b7SOHc/w5jzE/WHoR9nax60XWpZP23g7FBJF0EMA="}`,
		"no base64":             `{"cipherVersion":"` + olderVersion + `","ciphertext":"!!!"}`,
		"no block":              `{"cipherVersion":"` + olderVersion + `","ciphertext":"AAAA"}`,
		"bad padding":           `{"cipherVersion":"` + olderVersion + `","ciphertext":"AAAAAAAAAAAAAAAAAAAAAA=="}`,
		"nothing":               ``,
		"no object":             `[1]`,
		"other types":           `{"cipherVersion":1,"ciphertext":2}`,
		"plain":                 olderPlain,
		"unknown key":           `{"cipherVersion":"aes-gcm/k2","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"short":                 `{"cipherVersion":"aes-gcm/k1","ciphertext":"AAAA"}`,
		"empty":                 `{"cipherVersion":"aes-gcm/k1","ciphertext":""}`,
		"forged":                `{"cipherVersion":"aes-gcm/k1","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"older bytes as newest": `{"cipherVersion":"aes-gcm/k1","ciphertext":"g22b7SOHc/w5jzE/WHoR9nax60XWpZP23g7FBJF0EMA="}`,
	} {
		reply := ask(t, c, "/raw", body, marked)
		if want == "" {
			want = reply.Status().String()
		}
		if reply.Status().Code() != 1409 || reply.Status().String() != want {
			t.Errorf("%s: %v, want %s", name, reply.Status(), want)
		}
	}
	if len(reached) > 0 {
		t.Errorf("the handler got %q", <-reached)
	}
}

// tamper is a plugin of the server's side that changes what arrives before the plugin sees it.
type tamper struct{ change func(*message.Msg) }

func (tamper) Name() string { return "tamper" }

func (x tamper) BeforeReadCallBody(ctx drpc.ReadCtx) *drpc.Status {
	x.change(message.From(ctx.Input()))
	return nil
}

// tamperReply does the same with replies on the client's side.
type tamperReply struct{ change func(*message.Msg) }

func (tamperReply) Name() string { return "tamper" }

func (x tamperReply) BeforeReadReplyBody(ctx drpc.ReadCtx) *drpc.Status {
	x.change(message.From(ctx.Input()))
	return nil
}

// flip changes the last character of the base64 of an envelope that decodes still.
func flip(m *message.Msg) {
	var e map[string]string
	if json.Unmarshal(m.EncodedBody(), &e) != nil {
		return
	}
	text := []byte(e["ciphertext"])
	if text[0]++; text[0] > 'z' {
		text[0] = 'A'
	}
	e["ciphertext"] = string(text)
	raw, _ := json.Marshal(e)
	m.SetEncodedBody(raw)
}

func TestEveryChangeOfACallIsNoticed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*message.Msg){
		"ciphertext": flip,
		"wish":       func(m *message.Msg) { m.Meta().Set(securebody.ReplySecureMetaKey, "false") },
		"codec":      func(m *message.Msg) { m.SetBodyCodec('s') },
		"method":     func(m *message.Msg) { m.SetServiceMethod("/other") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), []drpc.Plugin{tamper{change}, plugin(t, securebody.Config{})}, nil)
			if stat := p.sess.Call("/echo", canary, nil, securebody.WithSecureMeta()).Status(); stat.Code() != drpc.CodeConflict {
				t.Errorf("status %v", stat)
			}
		})
	}
}

func TestEveryChangeOfAReplyIsNoticed(t *testing.T) {
	t.Parallel()
	var kept []byte
	for name, change := range map[string]func(*message.Msg){
		"ciphertext": flip,
		"stripped": func(m *message.Msg) {
			m.Meta().Remove(securebody.SecureMetaKey)
			m.SetEncodedBody([]byte(`"forged"`))
		},
		"mark stripped":     func(m *message.Msg) { m.Meta().Remove(securebody.SecureMetaKey) },
		"emptied":           func(m *message.Msg) { m.SetEncodedBody(nil) },
		"stripped, emptied": func(m *message.Msg) { m.Meta().Remove(securebody.SecureMetaKey); m.SetEncodedBody(nil) },
		"answer to another call": func(m *message.Msg) {
			if kept == nil {
				kept = bytes.Clone(m.EncodedBody()) // of the first call, which passes
			} else {
				m.SetEncodedBody(kept)
			}
		},
	} {
		for wish, settings := range map[string][]message.MsgSetting{
			"secure call": {securebody.WithSecureMeta()}, "secure reply": {securebody.WithReplySecureMeta(true)},
		} {
			p := connect(t, rawproto.RawProtoFunc, []drpc.Plugin{tamperReply{change}, plugin(t, securebody.Config{})}, both(plugin(t, securebody.Config{})), nil)
			kept = nil
			if name == "answer to another call" {
				if stat := p.sess.Call("/echo", "first", nil, settings...).Status(); stat != nil {
					t.Fatal(stat)
				}
			}
			var got string
			if stat := p.sess.Call("/echo", canary, &got, settings...).Status(); stat.Code() != drpc.CodeConflict || got != "" {
				t.Errorf("%s, %s: %q (%v)", name, wish, got, stat)
			}
		}
	}
}

func TestBodyBesideAnErrorIsNotTrusted(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), nil, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/both", func(c drpc.CallCtx, _ *[]byte) (string, *drpc.Status) {
			c.Output().SetStatus(drpc.NewStatus(1001, "no"))
			return "forged", nil
		})
	})
	var got string
	if stat := p.sess.Call("/both", "", &got, securebody.WithSecureMeta()).Status(); stat.Code() != 1001 || got != "" {
		t.Errorf("%q (%v)", got, stat)
	}
}

func TestRequireTakesAndSendsNothingPlain(t *testing.T) {
	t.Parallel()
	require := securebody.Config{Require: true}
	pushed := make(chan string, 2)
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, plugin(t, require))
	echo(srv)
	drpc.HandlePush(srv, "/note", func(_ drpc.PushCtx, text *string) *drpc.Status {
		pushed <- *text
		return nil
	})
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	c := peertest.Raw(t, addr)
	if reply := ask(t, c, "/echo", `"x"`); reply.Status().Code() != drpc.CodeConflict {
		t.Errorf("a plain call: %v", reply.Status())
	}
	if err := c.WriteMessage(message.NewMessage(message.WithMType(drpc.TypePush), message.WithServiceMethod("/note"),
		message.WithBodyCodec("json"), message.WithBody([]byte(`"plain"`)))); err != nil {
		t.Fatal(err)
	}
	w := new(wire)
	sess := peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}, plugin(t, require), w), addr, rawproto.RawProtoFunc)
	for _, settings := range [][]message.MsgSetting{nil, {securebody.WithReplySecureMeta(false)}} {
		var got string
		if stat := sess.Call("/echo", canary, &got, settings...).Status(); stat != nil || got != canary {
			t.Errorf("%q (%v)", got, stat)
		}
	}
	if stat := sess.Push("/note", canary); stat != nil {
		t.Fatal(stat)
	}
	if text := <-pushed; text != canary {
		t.Errorf("the push brought %q", text)
	}
	if strings.Contains(w.take(), canary) {
		t.Error("a body is on the wire")
	}
	// A client that requires takes no plain reply.
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, require)), nil, func(e drpc.Endpoint) {
		drpc.HandleCall(e, "/plain", func(drpc.CallCtx, *[]byte) (string, *drpc.Status) { return "plain", nil })
	})
	var got string
	if stat := p.sess.Call("/plain", "", &got).Status(); stat.Code() != drpc.CodeConflict || got != "" {
		t.Errorf("%q (%v)", got, stat)
	}
}

func TestKeysCanBeChangedWhileServing(t *testing.T) {
	t.Parallel()
	older := securebody.Key{ID: "2025", Secret: []byte("the key of last year")}
	newer := securebody.Key{ID: "2026", Secret: []byte("the key of this year")}
	srv := plugin(t, securebody.Config{Keys: []securebody.Key{older}})
	cli := plugin(t, securebody.Config{Keys: []securebody.Key{older}})
	p := connect(t, rawproto.RawProtoFunc, both(cli), both(srv), nil)
	call := func(want string) {
		t.Helper()
		p.wire.take()
		var got string
		if stat := p.sess.Call("/echo", canary, &got, securebody.WithSecureMeta()).Status(); stat != nil || got != canary {
			t.Fatalf("%q (%v)", got, stat)
		}
		if n := strings.Count(p.wire.take(), "aes-gcm/"+want); n != 2 {
			t.Errorf("key %s was used %d times", want, n)
		}
	}
	set := func(s *securebody.Plugin, keys ...securebody.Key) {
		t.Helper()
		if err := s.SetKeys(keys...); err != nil {
			t.Fatal(err)
		}
	}
	call("2025")
	set(srv, older, newer)
	call("2025")
	set(cli, newer, older)
	call("2026") // the reply, too: with the key of the call
	set(srv, newer)
	call("2026")
	set(cli, older)
	if stat := p.sess.Call("/echo", canary, nil, securebody.WithSecureMeta()).Status(); stat.Code() != drpc.CodeConflict {
		t.Errorf("a key that was taken away: %v", stat)
	}
}

func TestConfigurationsThatMakeNoSenseAreErrors(t *testing.T) {
	t.Parallel()
	good := securebody.Key{ID: "k", Secret: []byte(secret)}
	for name, cfg := range map[string]securebody.Config{
		"no key":       {},
		"no id":        {Keys: []securebody.Key{{Secret: []byte(secret)}}},
		"odd id":       {Keys: []securebody.Key{{ID: "a/b", Secret: []byte(secret)}}},
		"long id":      {Keys: []securebody.Key{{ID: strings.Repeat("a", 65), Secret: []byte(secret)}}},
		"short secret": {Keys: []securebody.Key{{ID: "k", Secret: []byte(canary[:15])}}},
		"twice":        {Keys: []securebody.Key{good, good}},
		"older key":    {Keys: []securebody.Key{good}, Older: securebody.OlderAnswer, OlderKey: canary[:15]},
		"older":        {Keys: []securebody.Key{good}, Older: 9},
	} {
		if _, err := securebody.New(cfg); err == nil || strings.Contains(err.Error(), canary[:15]) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := drpc.New(drpc.EndpointConfig{}, securebody.NewSecureBodyPlugin("short")); err == nil {
		t.Error("an endpoint with a bad key is made")
	}
}

func TestPluginAddedLaterWithABadKeyEncryptsNothing(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, nil, nil, nil)
	ep := p.sess.Endpoint()
	ep.PluginContainer().AppendRight(securebody.NewSecureBodyPlugin("short"))
	if stat := p.sess.Call("/echo", canary, nil, securebody.WithSecureMeta()).Status(); stat.Code() != drpc.CodeConflict {
		t.Errorf("status %v", stat)
	}
	if strings.Contains(p.wire.take(), canary) {
		t.Error("a body is on the wire")
	}
}

func TestNoTwoCiphertextsAreAlike(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), nil)
	seen := make(map[string]bool)
	for range 50 {
		p.wire.take()
		if stat := p.sess.Call("/echo", canary, nil, securebody.WithSecureMeta()).Status(); stat != nil {
			t.Fatal(stat)
		}
		for _, part := range strings.Split(p.wire.take(), `"ciphertext":"`)[1:] {
			text, _, _ := strings.Cut(part, `"`)
			if seen[text] || len(text) < 20 {
				t.Fatalf("ciphertext %q twice, or none", text)
			}
			seen[text] = true
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d ciphertexts", len(seen))
	}
}

func TestSecureBodiesPassAProxyAndCaseFolding(t *testing.T) {
	t.Parallel()
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, ignorecase.NewIgnoreCase(), plugin(t, securebody.Config{}))
	echo(srv)
	up := peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}), peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	front := peertest.Endpoint(t, drpc.EndpointConfig{}, proxy.NewProxyPlugin(func(*proxy.Label) proxy.Forwarder { return up }))
	w := new(wire)
	sess := peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}, plugin(t, securebody.Config{}), w),
		peertest.Serve(t, front, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
	for _, settings := range [][]message.MsgSetting{{securebody.WithSecureMeta()}, {securebody.WithReplySecureMeta(true)}} {
		var got string
		if stat := sess.Call("/ECHO", canary, &got, settings...).Status(); stat != nil || got != canary {
			t.Errorf("%q (%v)", got, stat)
		}
	}
}

func TestHandlersSeeWhetherTheArgumentWasSecured(t *testing.T) {
	t.Parallel()
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(plugin(t, securebody.Config{})), nil)
	for want, settings := range map[bool][]message.MsgSetting{true: {securebody.WithSecureMeta()}, false: nil} {
		var got bool
		if stat := p.sess.Call("/secured", "", &got, settings...).Status(); stat != nil || got != want {
			t.Errorf("%v (%v), want %v", got, stat, want)
		}
	}
	p = connect(t, rawproto.RawProtoFunc, nil, nil, nil)
	got := true
	if stat := p.sess.Call("/secured", "", &got, marked).Status(); stat != nil || got {
		t.Errorf("a mark alone passes for encryption (%v)", stat)
	}
}

func TestManyCallWhileKeysAreSet(t *testing.T) {
	t.Parallel()
	srv := plugin(t, securebody.Config{})
	p := connect(t, rawproto.RawProtoFunc, both(plugin(t, securebody.Config{})), both(srv), nil)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				want := fmt.Sprint(g, i)
				var got string
				if stat := p.sess.Call("/echo", want, &got, securebody.WithSecureMeta()).Status(); stat != nil || got != want {
					t.Errorf("%q (%v), want %q", got, stat, want)
				}
				if g == 0 && i%10 == 0 {
					if err := srv.SetKeys(securebody.Key{ID: "k1", Secret: []byte(secret)}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// The names that programs for DMicro 1.x use.
var (
	_ func(cipherKey string, statCode ...int32) drpc.Plugin = securebody.NewSecureBodyPlugin
	_ func() message.MsgSetting                             = securebody.WithSecureMeta
	_ func(secure bool) message.MsgSetting                  = securebody.WithReplySecureMeta
	_ func(output message.Message)                          = securebody.EnforceSecure
)

func TestNamesAndDefaults(t *testing.T) {
	t.Parallel()
	if securebody.SecureMetaKey != "X-Secure-Body" || securebody.ReplySecureMetaKey != "X-Reply-Secure-Body" {
		t.Error("the meta keys have changed")
	}
	p := securebody.NewSecureBodyPlugin(secret)
	if p.Name() != "secure(encrypt/decrypt)" {
		t.Errorf("name %q", p.Name())
	}
	for code, srv := range map[int32]drpc.Plugin{409: p, 1234: securebody.NewSecureBodyPlugin(secret, 1234)} {
		pair := connect(t, rawproto.RawProtoFunc, both(securebody.NewSecureBodyPlugin("another key 1234")), both(srv), nil)
		if stat := pair.sess.Call("/echo", "x", nil, securebody.WithSecureMeta()).Status(); stat.Code() != code {
			t.Errorf("another key: %v, want %d", stat, code)
		}
	}
}
