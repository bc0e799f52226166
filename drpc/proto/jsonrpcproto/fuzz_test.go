package jsonrpcproto_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/internal/prototest"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/drpc/status"
)

// FuzzParseFrame: whatever comes, no panic; each request is what encoding/json reads in its line; and whatever is answered
// is lines of JSON.
func FuzzParseFrame(f *testing.F) {
	for _, name := range []string{"call", "reply", "reply_nil", "reply_err"} {
		f.Add(prototest.Golden(f, name))
	}
	f.Add([]byte(`[{"method":"a","id":"x"},{"method":"b"},1,[{}],{"method":"c","id":2,"context":{"k":[1]}}]` + "\n" + `{"method":"d","id":1}` + "\n"))
	f.Add([]byte(" {\"id\":1.5,\"method\":\"\\ud83d\\ude00\\\\\\\"\",\"params\":\"\\\"]}\"}\r\n\n[]\n{]\n"))
	f.Add([]byte(`{"jsonrpc":"2.0","id":"7","error":{"code":-32601,"message":"m","data":{"code":404,"msg":"x","cause":""}},"mtype":5}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &prototest.Duplex{Reader: bytes.NewReader(b)}
		p := jsonrpcproto.NewJSONRPCProtoFunc()(d)
		for {
			m := message.NewMessage(message.WithBody(new([]byte)))
			message.From(m).SetSizeLimit(1 << 20)
			if err := p.Unpack(m); err != nil {
				break
			}
			if m.MType() == message.TypeCall || m.MType() == message.TypeAuthCall {
				answer(t, p, m)
			}
		}
		for line := range bytes.Lines(d.Answers.Bytes()) {
			if !json.Valid(line) {
				t.Fatalf("answered %q to %q", line, b)
			}
		}
	})
}

// answer replies to a call with its own body, and checks that what there is to see of it is JSON.
func answer(t *testing.T, p proto.Proto, call message.Message) {
	body := *call.Body().(*[]byte)
	if len(body) > 0 && !json.Valid(body) {
		t.Fatalf("a body of %q", body)
	}
	reply := message.NewMessage(message.WithMType(message.TypeReply), message.WithBody(body))
	reply.SetSeq(call.Seq())
	if call.ServiceMethod() == "" {
		reply.SetStatus(status.New(404, "x", "y"))
	}
	if err := p.Pack(reply); err != nil {
		t.Fatalf("%v", err)
	}
}

// FuzzRoundTrip checks that what is packed comes out as it went in.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int32(1), byte(1), "/math/add", int32(0), "", "", "", "", []byte("[1,2]"))
	f.Add(int32(-1), byte(2), "", int32(404), "Not Found", "c\n", "k", `<2>&"é`, []byte{})
	f.Add(int32(1<<31-1), byte(3), "\xff", int32(-1), "a\"\x01\x07é<\xff\u2028", "\x00", "\xff", "\u2028", []byte("\n1 "))
	f.Add(int32(7), byte(4), "/p\\\"\u2028😀", int32(5), "\x7f\U000e0001", "", "\\", "\"", []byte(`{"q":"a\"b\\c\nd"}`))
	f.Fuzz(func(t *testing.T, seq int32, mtype byte, method string, code int32, msg, cause, key, value string, body []byte) {
		mtype %= 6
		request := mtype == message.TypeCall || mtype == message.TypePush || mtype == message.TypeAuthCall
		m := message.NewMessage(message.WithMType(mtype), message.WithBody(body))
		if mtype != message.TypePush {
			m.SetSeq(seq)
		}
		if request {
			m.SetServiceMethod(method)
		} else if code != 0 {
			m.SetStatus(status.New(code, msg, cause))
		}
		if key != "" {
			m.Meta().Set(key, value)
		}
		framer := kit.Framer(t)
		frame, err := framer.AppendFrame(nil, message.From(m))
		if err != nil {
			if !errors.Is(err, jsonrpcproto.ErrUnsupported) && !errors.Is(err, proto.ErrHeaderTooLong) {
				t.Fatal(err)
			}
			return
		}
		if request && method == "" && mtype != message.TypeAuthCall || request && mtype != message.TypePush && seq < 0 {
			return // refused, and known by another number
		}
		if n, err := framer.FrameLen(frame, 0); n != len(frame) || err != nil {
			t.Fatalf("%d bytes of %d, %v", n, len(frame), err)
		}
		got := message.NewMessage(message.WithBody(new([]byte)))
		if err = kit.Framer(t).ParseFrame(frame, message.From(got)); err != nil {
			t.Fatalf("%v\n%s", err, frame)
		}
		if got.Seq() != m.Seq() || got.MType() != mtype || got.ServiceMethod() != m.ServiceMethod() {
			t.Errorf("%v from %s", got, frame)
		}
		if key != "" && got.Meta().Get(prototest.Text(key)) != prototest.Text(value) {
			t.Errorf("meta %v", got.Meta())
		}
		if !request && code != 0 {
			checkStatus(t, got.Status(), m.Status())
			return
		}
		want := bytes.TrimSpace(body)
		if string(want) == "null" {
			want = nil
		}
		if b := *got.Body().(*[]byte); !bytes.Equal(b, want) && !sameJSON(b, want) {
			t.Errorf("body %q, want %q", b, want)
		}
	})
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func checkStatus(t *testing.T, got, want *status.Status) {
	if got.Msg() != prototest.Text(want.Msg()) || got.Cause().Error() != prototest.Text(want.Cause().Error()) &&
		want.Cause().Error() != "" {
		t.Errorf("status %v, want %v", got, want)
	}
	switch want.Code() { // these are statuses of the framework to any receiver
	case -32700, -32600, -32601, -32602, -32603:
	default:
		if got.Code() != want.Code() {
			t.Errorf("status %v, want %v", got, want)
		}
	}
}
