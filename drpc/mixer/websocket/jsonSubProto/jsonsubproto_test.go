package jsonSubProto

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// rot is a filter whose output is text.
type rot struct{}

func (rot) ID() byte     { return 'R' }
func (rot) Name() string { return "rot" }
func (rot) OnPack(src []byte) ([]byte, error) {
	return bytes.Map(func(r rune) rune { return r ^ 1 }, src), nil
}
func (rot) OnUnpack(src []byte) ([]byte, error) { return rot{}.OnPack(src) }

func TestMain(m *testing.M) {
	tfilter.RegGzip(5)
	tfilter.RegMD5()
	tfilter.Reg(rot{})
	os.Exit(m.Run())
}

func newMessage(mtype byte, seq int32, method string, settings ...message.MsgSetting) *message.Msg {
	m := message.From(message.NewMessage(append([]message.MsgSetting{message.WithMType(mtype), message.WithServiceMethod(method)}, settings...)...))
	m.SetSeq(seq)
	return m
}

func call(settings ...message.MsgSetting) *message.Msg {
	return newMessage(message.TypeCall, 1, "/math/add", append([]message.MsgSetting{
		message.WithBodyCodec("json"), message.WithBody([]int{1, 2})}, settings...)...)
}

var framer = NewJSONSubProtoFunc()(nil).(proto.Framer)

func parse(frame string) (*message.Msg, error) {
	m := message.From(message.NewMessage(message.WithBody(new([]byte))))
	return m, framer.ParseFrame([]byte(frame), m)
}

func body(m *message.Msg) string { return string(*m.Body().(*[]byte)) }

func TestFramesAreThoseOfOlderPeers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		m    *message.Msg
		want string
	}{
		"call": {call(message.WithSetMeta("k", "v")),
			`{"seq":1,"mtype":1,"serviceMethod":"/math/add","meta":"{\"k\":\"v\"}","bodyCodec":106,"body":"[1,2]","ptf":[]}`},
		"reply": {newMessage(message.TypeReply, 7, "", message.WithBodyCodec("json"), message.WithBody("a\"\n")),
			`{"seq":7,"mtype":2,"serviceMethod":"","meta":"{}","bodyCodec":106,"body":"\"a\\\"\\n\"","ptf":[]}`},
		"push with a filter": {newMessage(message.TypePush, -1, "/p", message.WithBody([]byte("abc")), message.WithTFilterPipe('R')),
			`{"seq":-1,"mtype":3,"serviceMethod":"/p","meta":"{}","bodyCodec":0,"body":"` + "`cb" + `","ptf":[82]}`},
		"reply with a status, which they ignore": {newMessage(message.TypeReply, 7, "", message.WithStatus(status.New(404, "Not Found"))),
			`{"seq":7,"mtype":2,"serviceMethod":"","meta":"{}","bodyCodec":0,"body":"","ptf":[],` +
				`"status":"{\"code\":404,\"msg\":\"Not Found\",\"cause\":\"\"}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frame, err := framer.AppendFrame([]byte("before"), tt.m)
			if err != nil || string(frame) != "before"+tt.want || int(tt.m.Size()) != len(tt.want) {
				t.Fatalf("%s, size %d, %v, want\n%s", frame, tt.m.Size(), err, tt.want)
			}
			var w bytes.Buffer
			if err = NewJSONSubProtoFunc()(&w).Pack(tt.m); err != nil || w.String() != tt.want {
				t.Errorf("Pack: %s, %v", w.String(), err)
			}
			back := message.From(message.NewMessage(message.WithBody(new([]byte))))
			if err = NewJSONSubProtoFunc()(&w).Unpack(back); err != nil {
				t.Fatal(err)
			}
			if back.Seq() != tt.m.Seq() || back.MType() != tt.m.MType() || back.ServiceMethod() != tt.m.ServiceMethod() ||
				back.BodyCodec() != tt.m.BodyCodec() || back.Status().Code() != tt.m.Status().Code() {
				t.Errorf("read back: %v", back)
			}
		})
	}
}

func TestWhatOthersWriteIsRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ frame, method, body string }{
		"other order, spaces, more keys": {`{ "body":"[1]", "x":{"y":1}, "mtype":1, "seq":5, "serviceMethod":"/a" }`, "/a", `[1]`},
		"values in place of strings":     {`{"seq":5,"mtype":1,"serviceMethod":"/a","meta":{},"body":{"q":"\n"},"ptf":null,"status":null}`, "/a", `{"q":"\n"}`},
		"unicode escapes":                {`{"seq":5,"mtype":1,"serviceMethod":"/\u0061","meta":"{}","bodyCodec":115,"body":"\u00e9\ud83d\ude00","ptf":[]}`, "/a", "é😀"},
		"an older peer's quotes":         {`{"seq":5,"mtype":1,"serviceMethod":"/a","meta":"{}","bodyCodec":106,"body":"{\"q\":\"a\\"b\"}","ptf":[]}`, "/a", `{"q":"a\"b"}`},
		"an older peer's line feed":      {`{"seq":5,"mtype":1,"serviceMethod":"/a","meta":"{}","bodyCodec":106,"body":"\"a\nb\"","ptf":[]}`, "/a", `"a\nb"`},
		"an older peer's header":         {`{"seq":5,"mtype":1,"serviceMethod":"/\x61","meta":"{}","bodyCodec":106,"body":"1","ptf":[]}`, "/a", `1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := parse(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if m.Seq() != 5 || m.MType() != message.TypeCall || m.ServiceMethod() != tt.method || body(m) != tt.body || !m.StatusOK() {
				t.Errorf("%v, body %q, want %q", m, body(m), tt.body)
			}
		})
	}
}

// Before, every failure of a server looked like success.
func TestStatusArrives(t *testing.T) {
	t.Parallel()
	odd := status.New(404, "no \"such\" thing\x01\n", "é<")
	frame, err := framer.AppendFrame(nil, newMessage(message.TypeReply, 1, "", message.WithStatus(odd)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(string(frame))
	if err != nil || m.Status().String() != odd.String() {
		t.Errorf("%v, %v, want %v", m.Status(), err, odd)
	}
	m, err = parse(`{"seq":1,"mtype":2,"status":"oops"}`)
	if err != nil || m.StatusOK() {
		t.Errorf("an unreadable status counts as success: %v, %v", m.Status(), err)
	}
}

func TestWhatCannotBeCarriedIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", proto.MaxHeaderPart+1)
	for name, tt := range map[string]struct {
		set  message.MsgSetting
		want error
	}{
		"binary body":      {message.WithBody([]byte{0xff}), proto.ErrNotText},
		"method":           {message.WithServiceMethod("\xff"), proto.ErrNotText},
		"gzip":             {message.WithTFilterPipe('z'), ErrBinaryFilter},
		"md5 of nothing":   {func(m message.Message) { m.SetBody(nil); message.WithTFilterPipe('5')(m) }, proto.ErrNotText},
		"17 filters":       {message.WithTFilterPipe([]byte(strings.Repeat("R", proto.MaxFilters+1))...), proto.ErrTooManyFilters},
		"method too long":  {message.WithServiceMethod(long), proto.ErrHeaderTooLong},
		"meta too long":    {message.WithSetMeta("k", long), proto.ErrHeaderTooLong},
		"status too long":  {message.WithStatus(status.New(1, long)), proto.ErrHeaderTooLong},
		"above the limit":  {func(m message.Message) { message.From(m).SetSizeLimit(20) }, message.ErrExceedMessageSizeLimit},
		"body of no codec": {message.WithBody(make(chan int)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := framer.AppendFrame([]byte("before"), call(tt.set))
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || string(out) != "before" {
				t.Errorf("%q, %v, want %v", out, err, tt.want)
			}
		})
	}
}

func TestMalformedFramesAreRefused(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{
		``, `x`, `[]`, `{`, `{"seq":1}x`, `{"seq":9999999999}`, `{"mtype":256}`, `{"mtype":-1}`, `{"bodyCodec":300}`, `{"ptf":[256]}`,
		`{"seq":"1"}`, `{"serviceMethod":1}`, "\xff", `{"seq":1,"mtype":1,"serviceMethod":"","meta":"","bodyCodec":1,"body":"\xff","ptf":[999]}`,
	} {
		if _, err := parse(frame); !errors.Is(err, proto.ErrMalformed) {
			t.Errorf("%q: %v", frame, err)
		}
	}
	if _, err := parse(`{"mtype":1,"ptf":[81]}`); !errors.Is(err, tfilter.ErrUnsupported) {
		t.Errorf("unknown filter: %v", err)
	}
	m := new(message.Msg)
	m.SetSizeLimit(10)
	if err := framer.ParseFrame([]byte(`{"seq":1,"mtype":1}`), m); !errors.Is(err, message.ErrExceedMessageSizeLimit) {
		t.Errorf("too large: %v", err)
	}
	if err := NewJSONSubProtoFunc()(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), io.Discard}).Unpack(m); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// FuzzParseFrame: whatever comes, no panic; what is read can be written and read again, unless it is no text.
func FuzzParseFrame(f *testing.F) {
	for _, m := range []*message.Msg{call(), call(message.WithTFilterPipe('R')), newMessage(2, 7, "", message.WithStatus(status.New(404, "x", "c\n")))} {
		frame, err := framer.AppendFrame(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte(`{"seq":5,"mtype":1,"serviceMethod":"/\x61","meta":"{}","bodyCodec":106,"body":"{\"q\":\"a\\"b\"}","ptf":[]}`))
	f.Add([]byte(`{"ptf":[53,122],"body":"\u00e9","mtype":1}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m := message.From(message.NewMessage(message.WithBody(new([]byte))))
		m.SetSizeLimit(1 << 20)
		if err := framer.ParseFrame(bytes.Clone(frame), m); err != nil {
			return
		}
		again, err := framer.AppendFrame(nil, m)
		if err != nil {
			return // it was of an older peer, or has what only they can send
		}
		back := message.From(message.NewMessage(message.WithBody(new([]byte))))
		if err = framer.ParseFrame(bytes.Clone(again), back); err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		doubtful := m.BodyCodec() == codec.JsonId && !json.Valid([]byte(body(m)))
		if body(back) != body(m) && !doubtful || back.ServiceMethod() != m.ServiceMethod() || back.Seq() != m.Seq() || back.MType() != m.MType() {
			t.Errorf("%v, then %v", m, back)
		}
	})
}

// FuzzScan: what the short way reads, encoding/json reads alike.
func FuzzScan(f *testing.F) {
	f.Add(`{"seq":1,"mtype":1,"serviceMethod":"/a\n\"","meta":"{}","bodyCodec":115,"body":"x\\y","ptf":[1,2],"status":"s"}`)
	f.Fuzz(func(t *testing.T, frame string) {
		var fast, slow object
		if !utf8.ValidString(frame) || !json.Valid([]byte(frame)) || !fast.scan([]byte(frame)) {
			return
		}
		if err := slow.decode([]byte(frame)); err != nil {
			t.Fatal(err)
		}
		if fast.Seq != slow.Seq || fast.MType != slow.MType || fast.BodyCodec != slow.BodyCodec || !bytes.Equal(fast.Method, slow.Method) ||
			!bytes.Equal(fast.Meta, slow.Meta) || !bytes.Equal(fast.body, slow.body) || !bytes.Equal(fast.ids, slow.ids) ||
			!bytes.Equal(fast.Status, slow.Status) || !bytes.Equal(fast.old, slow.old) {
			t.Errorf("%+v, want %+v", fast, slow)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	m := call(message.WithBody([]byte(`[` + strings.Repeat(`{"id":12345,"title":"some text"},`, 4) + `0]`)))
	frame, err := framer.AppendFrame(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 2*len(frame))
		for b.Loop() {
			_, _ = framer.AppendFrame(buf, m)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		in, buf := new(message.Msg), make([]byte, len(frame))
		for b.Loop() {
			in.Clear()
			in.DeferBody()
			copy(buf, frame)
			if err := framer.ParseFrame(buf, in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
