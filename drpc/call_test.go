package drpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

type math struct{ CallCtx }

func (m *math) Add(arg *[]int) (int, *Status) {
	var sum int
	for _, n := range *arg {
		sum += n
	}
	m.SetMeta("author", "re:"+m.PeekMeta("author").(string))
	return sum, nil
}

type Math = math

func TestControllerAnswersCall(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	if got := srv.RouteCall(new(Math)); len(got) != 1 || got[0] != "/math/add" {
		t.Fatalf("routes %v", got)
	}
	cli := newPeer(t, EndpointConfig{})
	sess := dial(t, cli, serve(t, srv))
	var sum int
	cmd := sess.Call("/math/add", []int{1, 2, 3, 4, 5}, &sum, message.WithSetMeta("author", "someone"))
	if stat := cmd.Status(); stat != nil || sum != 15 {
		t.Fatalf("%v, sum %d", stat, sum)
	}
	if got := cmd.InputMeta().Get("author"); got != "re:someone" {
		t.Errorf("meta %v", got)
	}
}

func double(_ CallCtx, n *int) (int, *Status) { return 2 * *n, nil }

func TestFunctionAnswersCall(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	if got := srv.RouteCallFunc(double); got != "/double" {
		t.Fatalf("route %s", got)
	}
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var n int
	if stat := sess.Call("/double", 21, &n).Status(); stat != nil || n != 42 {
		t.Fatalf("%v, %d", stat, n)
	}
}

// refusal is a plugin that refuses calls of some methods at different stages.
type refusal struct{ handled sync.Map }

func (*refusal) Name() string { return "refusal" }

func (*refusal) AfterReadCallHeader(c ReadCtx) *Status {
	if c.ServiceMethod() == "/header" {
		return NewStatus(1001, "by header")
	}
	return nil
}

func (*refusal) AfterReadCallBody(c ReadCtx) *Status {
	if c.ServiceMethod() == "/body" {
		return NewStatus(1002, "by body")
	}
	return nil
}

func TestOutcomeOfCall(t *testing.T) {
	t.Parallel()
	plugin := new(refusal)
	srv := newPeer(t, EndpointConfig{MaxMessageSize: 1 << 20}, plugin)
	for method, fn := range map[string]func(CallCtx) (any, *Status){
		"/ok":     func(CallCtx) (any, *Status) { return "fine", nil },
		"/header": func(CallCtx) (any, *Status) { return "never", nil },
		"/body":   func(CallCtx) (any, *Status) { return "never", nil },
		"/status": func(CallCtx) (any, *Status) { return "never sent", NewStatus(1003, "mine", "why") },
		"/panic":  func(CallCtx) (any, *Status) { panic("oh no") },
		"/chan":   func(CallCtx) (any, *Status) { return make(chan int), nil },
		"/big":    func(CallCtx) (any, *Status) { return strings.Repeat("x", 2<<20), nil },
		"/meta": func(c CallCtx) (any, *Status) {
			c.SetMeta("long", strings.Repeat("x", 70_000))
			return 1, nil
		},
		"/cause": func(CallCtx) (any, *Status) { return nil, NewStatus(1004, "", strings.Repeat("x", 70_000)) },
		"/filter": func(c CallCtx) (any, *Status) {
			c.AddTFilterId(250)
			return 1, nil
		},
	} {
		HandleCall(srv, method, func(c CallCtx, _ *string) (any, *Status) {
			plugin.handled.Store(method, true)
			return fn(c)
		})
	}
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, tt := range []struct {
		name, method string
		arg          any
		code         int32
		msg, cause   string
		unhandled    bool
	}{
		{"handler returns a result", "/ok", "x", 0, "", "", false},
		{"hook after the header refuses", "/header", "x", 1001, "by header", "", true},
		{"no service method", "", "x", 400, "Bad Message", "invalid service method for message", true},
		{"no handler", "/nowhere", "x", 404, "Not Found", "", true},
		{"body does not decode", "/ok", []int{1}, 400, "Bad Message", "cannot unmarshal", true},
		{"hook after the body refuses", "/body", "x", 1002, "by body", "", true},
		{"handler returns a status", "/status", "x", 1003, "mine", "why", false},
		{"handler panics", "/panic", "x", 500, "Internal Server Error", "oh no", false},
		{"result does not encode", "/chan", "x", 500, "Internal Server Error", "unsupported type", false},
		{"frame is too big", "/big", "x", 500, "Internal Server Error", "exceeds the limit", false},
		{"meta does not fit", "/meta", "x", 500, "Internal Server Error", "meta of", false},
		{"status does not fit", "/cause", "x", 500, "Internal Server Error", "status of", false},
		{"filter is unknown", "/filter", "x", 500, "Internal Server Error", "250", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plugin.handled.Delete(tt.method)
			result := any("untouched")
			cmd := sess.Call(tt.method, tt.arg, &result)
			stat := cmd.Status()
			wantStatus(t, stat, tt.code, tt.cause)
			if stat.Msg() != tt.msg {
				t.Errorf("msg %q, want %q", stat.Msg(), tt.msg)
			}
			_, handled := plugin.handled.Load(tt.method)
			if handled == tt.unhandled {
				t.Errorf("handler ran: %v", handled)
			}
			switch {
			case tt.code == 0 && (result != "fine" || stat != nil || !cmd.StatusOK()):
				t.Errorf("result %v, status %v", result, stat)
			case tt.code != 0 && (result != "untouched" || cmd.InputBodyCodec() != 0):
				t.Errorf("an error came with a result: %v, codec %d", result, cmd.InputBodyCodec())
			}
			// Whatever went wrong concerned this call only.
			if stat := sess.Call("/ok", "x", nil).Status(); stat != nil {
				t.Fatalf("afterwards: %v", stat)
			}
		})
	}
}

func TestReplyCarriesStatusAndBodyOfOutput(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/partial", func(c CallCtx, _ *string) (int, *Status) {
		c.Output().SetStatus(NewStatus(1206, "partial"))
		return 7, nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var n int
	cmd := sess.Call("/partial", nil, &n)
	if wantStatus(t, cmd.Status(), 1206, ""); n != 7 {
		t.Errorf("result %d", n)
	}
}

func TestUnknownMessageTypeClosesSession(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	for _, mtype := range []byte{0, message.TypeAuthCall, message.TypeAuthReply, 77} {
		p := rawDial(t, serveOnce(t, srv))
		p.send(mtype, 1, "/x", codec.JsonId, "1")
		if m := p.next(); m != nil {
			t.Errorf("type %d is answered: %v", mtype, m)
		}
	}
}

// serveOnce is serve for a peer that may be served already.
func serveOnce(t testing.TB, e Endpoint) string {
	if addrs := e.Addrs(); len(addrs) > 0 {
		return addrs[0].String()
	}
	return serve(t, e)
}

func TestReplyCodec(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	HandleCall(srv, "/plain", func(c CallCtx, s *string) (string, *Status) {
		c.SetBodyCodec(codec.PlainId)
		return *s, nil
	})
	HandleCall(srv, "/fixed", func(c CallCtx, s *string) (string, *Status) {
		c.SetMeta("codec", strconv.Itoa(int(c.ReplyBodyCodec())))
		return *s, nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, tt := range []struct {
		name, method string
		settings     []message.MsgSetting
		want         byte
	}{
		{"the call's", "/echo", nil, codec.JsonId},
		{"the call's, another one", "/echo", []message.MsgSetting{WithBodyCodec("plain")}, codec.PlainId},
		{"what the caller accepts", "/echo", []message.MsgSetting{WithAcceptBodyCodec(codec.PlainId)}, codec.PlainId},
		{"accepted by what is no codec", "/echo", []message.MsgSetting{WithAcceptBodyCodec(254)}, codec.JsonId},
		{"accepted by what is no number", "/echo", []message.MsgSetting{WithSetMeta(MetaAcceptBodyCodec, "plain")}, codec.JsonId},
		{"the handler's before all", "/plain", []message.MsgSetting{WithAcceptBodyCodec(codec.XmlId)}, codec.PlainId},
		{"asked for by the handler", "/fixed", []message.MsgSetting{WithAcceptBodyCodec(codec.PlainId)}, codec.PlainId},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			cmd := sess.Call(tt.method, "text", &got, tt.settings...)
			if cmd.Status() != nil || got != "text" || cmd.InputBodyCodec() != tt.want {
				t.Errorf("%v, %q, codec %q", cmd.Status(), got, cmd.InputBodyCodec())
			}
			if fixed := cmd.InputMeta().Get("codec"); fixed != nil && fixed != strconv.Itoa(int(tt.want)) {
				t.Errorf("ReplyBodyCodec gave %v", fixed)
			}
		})
	}
}

func TestReplyGoesThroughFiltersOfCall(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	HandleCall(srv, "/more", func(c CallCtx, s *string) (string, *Status) {
		c.AddTFilterId(md5ID)
		return *s, nil
	})
	HandleCall(srv, "/fails", func(CallCtx, *string) (string, *Status) { return "", NewStatus(1001, "no") })
	p := rawDial(t, serve(t, srv))
	long := strings.Repeat("a long text ", 200)
	body, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method     string
		sent, want []byte
		code       int32
	}{
		{"/echo", nil, nil, 0},
		{"/echo", []byte{gzipID}, []byte{gzipID}, 0},
		{"/echo", []byte{gzipID, aesID, md5ID}, []byte{gzipID, aesID, md5ID}, 0},
		{"/more", []byte{gzipID}, []byte{gzipID, md5ID}, 0},
		{"/more", nil, []byte{md5ID}, 0},
		{"/fails", []byte{aesID}, []byte{aesID}, 1001},
		{"/nowhere", []byte{md5ID, gzipID}, []byte{md5ID, gzipID}, 404},
	} {
		t.Run(fmt.Sprint(tt.method, tt.sent), func(t *testing.T) {
			if !p.send(message.TypeCall, 9, tt.method, codec.JsonId, string(body), message.WithTFilterPipe(tt.sent...)) {
				t.Fatal("not sent")
			}
			m := p.next()
			if m == nil {
				t.Fatal("connection ended")
			}
			if got := m.PipeTFilter().IDs(); !bytes.Equal(got, tt.want) {
				t.Errorf("reply went through %v, want %v", got, tt.want)
			}
			wantStatus(t, m.Status(), tt.code, "")
			if tt.code == 0 && !bytes.Equal(*m.Body().(*[]byte), body) {
				t.Error("body changed on the way")
			}
		})
	}
}

func TestReplyOnTheWire(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(c CallCtx, s *string) (string, *Status) { return *s, nil })
	p := rawDial(t, serve(t, srv))
	p.send(message.TypeCall, -36, "/echo", codec.JsonId, `"x"`, message.WithSetMeta("mine", "stays here"))
	m := p.next()
	if m == nil {
		t.Fatal("connection ended")
	}
	if m.Seq() != -36 || m.MType() != message.TypeReply || m.ServiceMethod() != "" || m.Meta().Size() != 0 ||
		m.BodyCodec() != codec.JsonId || !m.StatusOK() {
		t.Errorf("reply %v", m)
	}
	p.send(message.TypeCall, 5, "/nowhere", codec.JsonId, `"x"`)
	if m = p.next(); m == nil || m.Seq() != 5 || m.BodyCodec() != 0 || len(*m.Body().(*[]byte)) != 0 {
		t.Errorf("reply with an error %v", m)
	}
}

func TestResultOfCall(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/answer", func(c CallCtx, _ *[]byte) (int, *Status) {
		c.SetMeta("k", "v")
		return 42, nil
	})
	HandleCall(srv, "/args", func(c CallCtx, arg *[]byte) (string, *Status) { return string(*arg), nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))

	t.Run("is dropped for nil", func(t *testing.T) {
		cmd := sess.Call("/answer", nil, nil)
		if got, stat := cmd.Reply(); stat != nil || got != nil || cmd.InputMeta().Get("k") != "v" || cmd.InputBodyCodec() != codec.JsonId {
			t.Errorf("%v, %v, %v", got, stat, cmd.InputMeta())
		}
	})
	t.Run("comes raw into bytes", func(t *testing.T) {
		raw := []byte("old")
		if stat := sess.Call("/answer", nil, &raw).Status(); stat != nil || string(raw) != "42" {
			t.Errorf("%v, %q", stat, raw)
		}
	})
	t.Run("is what Reply returns", func(t *testing.T) {
		var n int
		cmd := sess.Call("/answer", nil, &n)
		if got, _ := cmd.Reply(); got != any(&n) || n != 42 || cmd.CostTime() <= 0 {
			t.Errorf("%v, %d, %v", got, n, cmd.CostTime())
		}
	})
	for name, result := range map[string]any{
		"value": 0, "struct": struct{}{}, "map": map[string]int{}, "nil pointer": (*int)(nil), "bytes": []byte("here"),
		"function": func() {}, "wrong pointer": new([]string), "nil pointer to bytes": (*[]byte)(nil),
	} {
		t.Run("into a "+name+" is a status", func(t *testing.T) {
			wantStatus(t, sess.Call("/answer", nil, result).Status(), CodeBadMessage, "")
		})
	}
	t.Run("of no argument is an empty body", func(t *testing.T) {
		got := "untouched"
		if stat := sess.Call("/args", nil, &got).Status(); stat != nil || got != "" {
			t.Errorf("%v, %q", stat, got)
		}
	})
	t.Run("of raw bytes is those bytes", func(t *testing.T) {
		var got string
		if stat := sess.Call("/args", []byte("raw \x00"), &got).Status(); stat != nil || got != "raw \x00" {
			t.Errorf("%v, %q", stat, got)
		}
	})
}

func TestReplyWithoutCodecIsBadMessageAndSessionLives(t *testing.T) {
	t.Parallel()
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			switch m.ServiceMethod() {
			case "/none":
				p.send(message.TypeReply, m.Seq(), "", codec.NilCodecID, "surprise")
			case "/unknown":
				p.send(message.TypeReply, m.Seq(), "", 200, "surprise")
			case "/garbage":
				p.reply(m, "{")
			default:
				p.reply(m, "1")
			}
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	var n int
	for _, method := range []string{"/none", "/unknown", "/garbage"} {
		cmd := sess.Call(method, nil, &n)
		if wantStatus(t, cmd.Status(), CodeBadMessage, ""); n != 0 {
			t.Errorf("%s: result %d", method, n)
		}
		// Whoever wants no result does not mind what it is encoded in.
		if stat := sess.Call(method, nil, nil).Status(); stat != nil {
			t.Errorf("%s: %v", method, stat)
		}
	}
	if stat := sess.Call("/fine", nil, &n).Status(); stat != nil || n != 1 {
		t.Errorf("afterwards: %v, %d", stat, n)
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnaskedReplyIsDropped(t *testing.T) {
	t.Parallel()
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			p.send(message.TypeReply, m.Seq()+1000, "", codec.JsonId, "666")
			p.reply(m, "1")
			p.reply(m, "666")
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	for range 100 {
		var n int
		if stat := sess.Call("/x", nil, &n).Status(); stat != nil || n != 1 {
			t.Fatalf("%v, %d", stat, n)
		}
	}
}

func TestSequenceNumbers(t *testing.T) {
	t.Parallel()
	seqs := make(chan int32, 10)
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			seqs <- m.Seq()
			if m.MType() == message.TypeCall {
				p.reply(m, strconv.Itoa(int(m.Seq())))
			}
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	call := func() {
		t.Helper()
		var n int32
		if stat := sess.Call("/x", nil, &n).Status(); stat != nil {
			t.Fatal(stat)
		}
		if got := <-seqs; got != n {
			t.Errorf("reply to %d went to %d", n, got)
		} else {
			seqs <- got
		}
	}
	var got []int32
	call()
	got = append(got, <-seqs)
	if stat := sess.Push("/x", nil); stat != nil {
		t.Fatal(stat)
	}
	got = append(got, <-seqs)
	sess.(*session).seq.Store(1<<31 - 2)
	for range 3 {
		call()
		got = append(got, <-seqs)
	}
	sess.(*session).seq.Store(-2)
	for range 3 {
		call()
		got = append(got, <-seqs)
	}
	if want := []int32{1, 2, 1<<31 - 1, -1 << 31, -1<<31 + 1, -1, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("sequence numbers %v, want %v", got, want)
	}
}

func TestManyConcurrentCallsBothWays(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	square := func(_ CallCtx, n *int) (int, *Status) { return *n * *n, nil }
	HandleCall(srv, "/square", square)
	HandleCall(cli, "/square", square)
	there := dial(t, cli, serve(t, srv))
	var back Session
	polltest.Until(t, "the session on the other side", func() bool {
		srv.RangeSession(func(s Session) bool { back = s; return false })
		return back != nil
	})
	var wg sync.WaitGroup
	for i := range 2000 {
		sess := []Session{there, back}[i%2]
		wg.Go(func() {
			var n int
			if stat := sess.Call("/square", i, &n).Status(); stat != nil || n != i*i {
				t.Errorf("%d: %v, %d", i, stat, n)
			}
		})
	}
	wg.Wait()
	if a, b := pendingCalls(there), pendingCalls(back); a+b != 0 {
		t.Errorf("%d and %d calls are left in the tables", a, b)
	}
}

func TestHandlersCallBackOverTheSameSession(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	countdown := func(c CallCtx, n *int) (int, *Status) {
		if *n == 0 {
			return 0, nil
		}
		var below int
		stat := c.Session().Call("/countdown", *n-1, &below).Status()
		return below + 1, stat
	}
	HandleCall(srv, "/countdown", countdown)
	HandleCall(cli, "/countdown", countdown)
	sess := dial(t, cli, serve(t, srv))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			var n int
			if stat := sess.Call("/countdown", 30, &n).Status(); stat != nil || n != 30 {
				t.Errorf("%v, depth %d", stat, n)
			}
		})
	}
	wg.Wait()
}

// tantrum panics when it is encoded.
type tantrum struct{}

func (tantrum) MarshalJSON() ([]byte, error) { panic("tantrum") }

// sulk panics when it is decoded.
type sulk struct{}

func (*sulk) UnmarshalJSON([]byte) error { panic("sulk") }

func TestPanicOfCodecIsAStatus(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *any) (any, *Status) { return *arg, nil })
	HandleCall(srv, "/sulk", func(CallCtx, *sulk) (any, *Status) { return nil, nil })
	HandleCall(srv, "/tantrum", func(CallCtx, *any) (any, *Status) { return tantrum{}, nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, tt := range []struct {
		name, method string
		arg, result  any
		code         int32
		cause        string
	}{
		{"argument", "/echo", tantrum{}, nil, CodeWriteFailed, "tantrum"},
		{"argument of the handler", "/sulk", 1, nil, CodeInternalServerError, "sulk"},
		{"result of the handler", "/tantrum", 1, nil, CodeInternalServerError, "tantrum"},
		{"result", "/echo", 1, new(sulk), CodeInternalServerError, "sulk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantStatus(t, sess.Call(tt.method, tt.arg, tt.result).Status(), tt.code, tt.cause)
			cmd := sess.AsyncCall(tt.method, tt.arg, tt.result, nil)
			polltest.Receive(t, "the asynchronous call to end", cmd.Done())
			wantStatus(t, cmd.Status(), tt.code, tt.cause)
		})
	}
	t.Run("argument of a push", func(t *testing.T) {
		wantStatus(t, sess.Push("/echo", tantrum{}), CodeWriteFailed, "tantrum")
	})
	if err := sess.Close(); err != nil { // which waits for all of them
		t.Error(err)
	}
}

func TestCallThatFailedToLeave(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	sess := dial(t, newPeer(t, EndpointConfig{MaxMessageSize: 1 << 16}), serve(t, srv))
	for name, tt := range map[string]struct {
		arg      any
		settings []message.MsgSetting
		cause    string
	}{
		"what is no value":  {arg: make(chan int), cause: "unsupported type"},
		"an unknown codec":  {settings: []message.MsgSetting{WithBodyCodec("morse")}, cause: "morse"},
		"an unknown filter": {settings: []message.MsgSetting{WithTFilterPipe(250)}, cause: "250"},
		"too much":          {arg: strings.Repeat("x", 1<<17), cause: "exceeds the limit"},
		"a long method":     {settings: []message.MsgSetting{message.WithServiceMethod(strings.Repeat("x", 256))}, cause: "service method longer than 255"},
	} {
		t.Run("for "+name, func(t *testing.T) {
			cmd := sess.Call("/x", tt.arg, nil, tt.settings...)
			wantStatus(t, cmd.Status(), CodeWriteFailed, tt.cause)
			wantStatus(t, sess.Push("/x", tt.arg, tt.settings...), CodeWriteFailed, tt.cause)
			// What reads of the reply finds none, and says so without a fault.
			if meta := cmd.InputMeta(); meta == nil || meta.Size() != 0 {
				t.Errorf("meta %v", meta)
			}
			if cmd.InputBodyCodec() != 0 || cmd.CostTime() <= 0 || cmd.(*callCmd).RealIP() != sess.RemoteAddr().String() {
				t.Error("a call without reply has something of a reply")
			}
		})
	}
	if n := pendingCalls(sess); n != 0 {
		t.Errorf("%d calls are left in the table", n)
	}
}

func TestAsyncCallHandsItselfOver(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	t.Run("on the channel, then by Done", func(t *testing.T) {
		results := make(chan CallCmd, 1)
		var got string
		cmd := sess.AsyncCall("/echo", "x", &got, results)
		if c := polltest.Receive(t, "the call on the channel", results); c != cmd || c.Status() != nil || got != "x" {
			t.Errorf("%v, %v, %q", c, c.Status(), got)
		}
		polltest.Receive(t, "Done", cmd.Done())
		if result, stat := cmd.Reply(); stat != nil || result != any(&got) || cmd.CostTime() <= 0 {
			t.Errorf("%v, %v", result, stat)
		}
	})
	t.Run("without a channel of the caller's", func(t *testing.T) {
		cmd := sess.AsyncCall("/echo", "x", nil, nil)
		if polltest.Receive(t, "Done", cmd.Done()); !cmd.StatusOK() {
			t.Error(cmd.Status())
		}
	})
	t.Run("on failing at once", func(t *testing.T) {
		results := make(chan CallCmd, 1)
		cmd := sess.AsyncCall("/echo", make(chan int), nil, results)
		c := polltest.Receive(t, "the call on the channel", results)
		wantStatus(t, c.Status(), CodeWriteFailed, "")
		polltest.Receive(t, "Done", cmd.Done())
	})
	t.Run("not on an unbuffered channel", func(t *testing.T) {
		defer func() {
			if r := recover(); r != "*session.AsyncCall(): callCmdChan channel is unbuffered" {
				t.Errorf("panic: %v", r)
			}
		}()
		sess.AsyncCall("/echo", "x", nil, make(chan CallCmd))
	})
	t.Run("and may be looked at meanwhile", func(t *testing.T) {
		cmd := sess.AsyncCall("/echo", "x", nil, nil)
		for done := false; !done; {
			if stat := cmd.Status(); stat != nil || !cmd.StatusOK() {
				t.Error(stat)
			}
			select {
			case <-cmd.Done():
				done = true
			default:
			}
		}
		_ = cmd.CostTime()
	})
}

func TestFullChannelHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, n *int) (int, *Status) { return *n, nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	results := make(chan CallCmd, 1)
	const n = 20
	for i := range n {
		sess.AsyncCall("/echo", i, new(int), results)
	}
	for i := range 100 {
		var got int
		if stat := sess.Call("/echo", i, &got).Status(); stat != nil || got != i {
			t.Fatalf("%v, %d", stat, got)
		}
	}
	within(t, "Close", func() {
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
	})
	seen := map[int]bool{}
	for range n {
		cmd := polltest.Receive(t, "a call on the channel", results)
		result, stat := cmd.Reply()
		if stat != nil {
			t.Error(stat)
		}
		seen[*result.(*int)] = true
	}
	if len(seen) != n {
		t.Errorf("%d calls came on the channel, want %d", len(seen), n)
	}
}

func TestCallKnowsItsSession(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, n *int) (int, *Status) { return *n, nil })
	sess := dial(t, cli, serve(t, srv))
	type key struct{}
	ctx := context.WithValue(context.Background(), key{}, "here")
	cmd := sess.Call("/echo", 1, nil, WithContext(ctx))
	if e, ok := cmd.TraceEndpoint(); !ok || e != cli {
		t.Errorf("endpoint %v", e)
	}
	if s, ok := cmd.TraceSession(); !ok || s != sess {
		t.Errorf("session %v", s)
	}
	if cmd.Context().Value(key{}) != "here" || cmd.Output().ServiceMethod() != "/echo" || cmd.Output().Seq() != 1 {
		t.Errorf("output %v", cmd.Output())
	}
	fake := NewFakeCallCmd("/x", 1, nil, NewStatus(1001, "no"))
	if _, ok := fake.TraceSession(); ok || fake.StatusOK() || fake.InputMeta() == nil || fake.Output().ServiceMethod() != "/x" {
		t.Errorf("fake call %v", fake)
	}
	polltest.Receive(t, "a fake call to be done", fake.Done())
}

func TestWhatAHandlerSees(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	failure := make(chan error, 1)
	HandleCall(srv, "/look", func(c CallCtx, arg *string) (string, *Status) {
		_, bounded := c.Context().Deadline()
		var visited []string
		c.VisitMeta(func(k, v any) bool {
			visited = append(visited, fmt.Sprint(k, "=", v))
			return true
		})
		slices.Sort(visited)
		failure <- errors.Join(
			check("IP", c.IP(), c.Session().RemoteAddr().String()),
			check("RealIP", c.RealIP(), "192.0.2.1"),
			check("bounded", bounded, false),
			check("swap", c.Swap().Get("who"), "session"),
			check("PeekMeta", c.PeekMeta("k"), "v"),
			check("CopyMeta", c.CopyMeta().Get("k"), "v"),
			check("nothing", c.PeekMeta("none"), nil),
			check("VisitMeta", strings.Join(visited, " "), "X-Real-IP=192.0.2.1 k=v"),
			check("method", c.ServiceMethod(), "/look"),
			check("seq", c.Seq(), 1),
			check("codec", c.GetBodyCodec(), codec.JsonId),
			check("endpoint", c.Endpoint(), srv),
		)
		c.Swap().Set("who", "message")
		return "", nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	srvSess := onlySession(t, srv)
	srvSess.Swap().Set("who", "session")
	for range 2 { // the second one sees that the first one's swap was a copy
		sess.(*session).seq.Store(0)
		if stat := sess.Call("/look", "x", nil, WithSetMeta("k", "v"), WithRealIP("192.0.2.1")).Status(); stat != nil {
			t.Fatal(stat)
		}
		if err := <-failure; err != nil {
			t.Error(err)
		}
	}
}

func check[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

// onlySession waits for the one session of e.
func onlySession(t testing.TB, e Endpoint) (sess Session) {
	t.Helper()
	polltest.Until(t, "a session", func() bool {
		e.RangeSession(func(s Session) bool { sess = s; return false })
		return sess != nil
	})
	return sess
}

func TestSettingThatPanicsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for name, call := range map[string]func(message.MsgSetting){
		"Call":      func(s message.MsgSetting) { sess.Call("/x", nil, nil, s) },
		"AsyncCall": func(s message.MsgSetting) { sess.AsyncCall("/x", nil, nil, nil, s) },
		"Push":      func(s message.MsgSetting) { sess.Push("/x", nil, s) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic is the caller's, and was swallowed", name)
				}
			}()
			call(func(message.Message) { panic("setting") })
		}()
	}
	closed := make(chan error, 1)
	go func() { closed <- sess.Close() }()
	if err := polltest.Receive(t, "Close", closed); err != nil {
		t.Error(err)
	}
}
