package httpproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/status"
)

// FuzzParseFrame: whatever comes, no panic; the first request is what net/http reads there; and whatever is answered are
// responses that net/http reads.
func FuzzParseFrame(f *testing.F) {
	for _, g := range goldens {
		f.Add(prototest.Golden(f, g.Name))
	}
	f.Add(prototest.Golden(f, "old_reply_err_odd"))
	f.Add([]byte("POST /a?b=%20&c=+ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("HEAD http://h?q HTTP/1.1\r\nExpect: 100-continue\r\nAccept-Encoding: gzip;q=0.1\r\nContent-Length: 1\r\n\r\nx"))
	f.Add([]byte("HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 404 \r\nX-Seq: 1\r\nContent-Length: 2\r\n\r\nhi"))
	f.Add([]byte("HTTP/1.1 299 x\r\nX-Seq: -1\r\nX-Mtype: 5\r\nContent-Length: 31\r\n\r\n{\"code\":1,\"msg\":\"a\",\"cause\":\"b\"}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &prototest.Duplex{Reader: bytes.NewReader(b)}
		p := httpproto.NewHTTProtoFunc()(d)
		for first := true; ; first = false {
			m := message.NewMessage(message.WithBody(new([]byte)))
			message.From(m).SetSizeLimit(1 << 20)
			if err := p.Unpack(m); err != nil {
				break
			}
			if m.MType() == message.TypeReply || m.MType() == message.TypeAuthReply {
				continue
			}
			if first && d.Answers.Len() == 0 {
				compare(t, b, m)
			}
			reply := message.NewMessage(message.WithMType(message.TypeReply), message.WithBody(m.Body()))
			reply.SetSeq(m.Seq())
			if err := p.Pack(reply); err != nil {
				t.Fatal(err)
			}
		}
		checkAnswers(t, b, d.Answers.Bytes())
	})
}

// compare checks the first request against what net/http makes of it. Where net/http refuses one, we may be more lenient:
// it wants a host.
func compare(t *testing.T, b []byte, m message.Message) {
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimLeft(b, "\r\n"))))
	if err != nil {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatalf("net/http: %v\n%q", err, b)
	}
	got := *m.Body().(*[]byte)
	if m.PipeTFilter().Len() == 0 && req.Header.Get("Content-Encoding") == "" && !bytes.Equal(got, body) {
		t.Errorf("body %q, net/http reads %q", got, body)
	}
	if path := req.URL.Path; strings.HasPrefix(req.RequestURI, "/") && !strings.HasPrefix(req.RequestURI, "//") && m.ServiceMethod() != path {
		t.Errorf("service method %q, net/http reads %q", m.ServiceMethod(), path)
	}
}

func checkAnswers(t *testing.T, b, answers []byte) {
	r := bufio.NewReader(bytes.NewReader(answers))
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		req := &http.Request{Method: "GET"}
		if bytes.Contains(b, []byte("HEAD")) {
			return // their bodies cannot be told from here
		}
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			t.Fatalf("%v in %q", err, answers)
		}
		if _, err = io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%v in %q", err, answers)
		}
	}
}

// FuzzRoundTrip checks that what is packed comes out as it went in.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int32(1), false, "/math/add", int32(0), "", "", "", "", []byte("[1,2]"), false)
	f.Add(int32(-1), true, "", int32(404), "Not Found", "c\n", "k", `<2>&"é`, []byte{}, true)
	f.Add(int32(1<<31-1), true, "\xff", int32(-1), "a\"\x01\x07é<\xff\u2028", "\x00", "X-Real-IP", "\u2028", []byte("\n1 "), true)
	f.Add(int32(7), false, "http://h:1/p\\\"\u2028😀 %41%?a=b", int32(5), "", "", "hb_", "\t\"", []byte("\r\n\r\n"), false)
	f.Fuzz(func(t *testing.T, seq int32, isReply bool, method string, code int32, msg, cause, key, value string, body []byte, zip bool) {
		m := message.NewMessage(message.WithMType(message.TypeCall), message.WithBody(body), message.WithBodyCodec("json"))
		m.SetSeq(seq)
		if isReply {
			m.SetMType(message.TypeReply)
			if code != 0 {
				m.SetStatus(status.New(code, msg, cause))
			}
		} else {
			m.SetServiceMethod(method)
		}
		if key != "" {
			m.Meta().Set(key, value)
		}
		if zip {
			message.WithTFilterPipe('z')(m)
		}
		framer := kit.Framer(t)
		frame, err := framer.AppendFrame(nil, message.From(m))
		if err != nil {
			if !errors.Is(err, httpproto.ErrUnsupported) && !errors.Is(err, proto.ErrHeaderTooLong) {
				t.Fatal(err)
			}
			return
		}
		if n, err := kit.Framer(t).FrameLen(frame, 0); n != len(frame) || err != nil {
			t.Fatalf("%d bytes of %d, %v\n%q", n, len(frame), err, frame)
		}
		got := message.NewMessage(message.WithBody(new([]byte)))
		if err = kit.Framer(t).ParseFrame(frame, message.From(got)); err != nil {
			t.Fatalf("%v\n%q", err, frame)
		}
		if got.Seq() != seq || got.MType() != m.MType() || got.PipeTFilter().Len() != m.PipeTFilter().Len() {
			t.Errorf("%v from %q", got, frame)
		}
		plain := strings.HasPrefix(method, "/") && !strings.ContainsAny(method, "?%")
		if !isReply && plain && got.ServiceMethod() != method {
			t.Errorf("method %q, want %q", got.ServiceMethod(), method)
		}
		if key != "" && !isReply && !strings.Contains(method, "?") {
			checkMeta(t, got, key, value)
		}
		if isReply && code != 0 {
			if g, w := got.Status().String(), status.New(code, prototest.Text(msg), prototest.Text(cause)).String(); g != w {
				t.Errorf("status %s, want %s", g, w)
			}
		} else if b := *got.Body().(*[]byte); !bytes.Equal(b, body) {
			t.Errorf("body %q, want %q", b, body)
		}
	})
}

// checkMeta looks for a header, whose name has lost its case.
func checkMeta(t *testing.T, m message.Message, key, value string) {
	found := false
	m.Meta().Iterator(func(k, v any) bool {
		found = found || strings.EqualFold(k.(string), key) && v == prototest.Text(value)
		return !found
	})
	if !found {
		t.Errorf("meta %v, want %q: %q", m.Meta(), key, value)
	}
}
