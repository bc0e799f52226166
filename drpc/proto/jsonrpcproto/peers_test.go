package jsonrpcproto_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/rpc"
	rpcjson "net/rpc/jsonrpc"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/jsonrpcproto"
	"github.com/osgochina/dmicro/logger"
)

func init() { logger.SetLevel(logger.LevelError) }

// dial connects e to addr.
func dial(t testing.TB, e drpc.Endpoint, addr string) drpc.Session {
	t.Helper()
	return peertest.Dial(t, e, addr, jsonrpcproto.NewJSONRPCProtoFunc())
}

type greeting struct {
	Name string `json:"name"`
	Nr   int    `json:"nr"`
}

// server is an endpoint with handlers for every test. What is pushed to it comes out of pushed.
func server(t testing.TB, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (addr string, pushed chan string) {
	t.Helper()
	srv := peertest.Endpoint(t, cfg, plugins...)
	pushed = make(chan string, 10)
	drpc.HandleCall(srv, "/echo", func(_ drpc.CallCtx, arg *any) (any, *drpc.Status) { return *arg, nil })
	drpc.HandleCall(srv, "/raw", func(_ drpc.CallCtx, arg *[]byte) ([]byte, *drpc.Status) { return *arg, nil })
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, arg *greeting) (*greeting, *drpc.Status) {
		return &greeting{"hello " + arg.Name, arg.Nr + 1}, nil
	})
	drpc.HandleCall(srv, "/subtract", func(_ drpc.CallCtx, arg *[]int) (int, *drpc.Status) { return (*arg)[0] - (*arg)[1], nil })
	drpc.HandleCall(srv, "/fail", func(_ drpc.CallCtx, arg *int) (any, *drpc.Status) {
		return nil, drpc.NewStatus(int32(*arg), "no", "because \"of\"\nthat")
	})
	drpc.HandleCall(srv, "/panic", func(drpc.CallCtx, *any) (any, *drpc.Status) {
		return nil, drpc.NewStatus(500, "Internal Server Error", "oh")
	})
	drpc.HandleCall(srv, "/meta", func(ctx drpc.CallCtx, _ *any) (string, *drpc.Status) {
		ctx.SetMeta("answer", "yes")
		return fmt.Sprint(ctx.PeekMeta("a"), ctx.PeekMeta("b")), nil
	})
	drpc.HandlePush(srv, "/tell", func(_ drpc.PushCtx, arg *string) *drpc.Status { pushed <- *arg; return nil })

	return peertest.Serve(t, srv, jsonrpcproto.NewJSONRPCProtoFunc()), pushed
}

func TestPeersTalkToEachOther(t *testing.T) {
	t.Parallel()
	addr, pushed := server(t, drpc.EndpointConfig{})
	sess := dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}), addr)

	t.Run("values", func(t *testing.T) {
		t.Parallel()
		for _, v := range []any{
			nil, "", "a: b", "ünïcode ☃ \u2028 \x00 \"\\", 1.5, true, []any{}, map[string]any{"k": []any{"v", nil}},
			strings.Repeat("0123456789abcdef", 1<<16),
		} {
			var got any
			if stat := sess.Call("/echo", v, &got).Status(); stat != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("%.50v: %.50v (%v)", v, got, stat)
			}
		}
	})
	t.Run("any codec is json", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"json", "xml", "plain", "form"} {
			var got greeting
			cmd := sess.Call("/greet", &greeting{"x", 1}, &got, message.WithBodyCodec(name))
			if cmd.Status() != nil || got != (greeting{"hello x", 2}) || cmd.InputBodyCodec() != 'j' {
				t.Errorf("%s: %v (%v)", name, got, cmd.Status())
			}
		}
		if stat := sess.Call("/greet", 1, nil, message.WithBodyCodec("none")).Status(); stat.Code() != drpc.CodeWriteFailed {
			t.Errorf("%v", stat)
		}
	})
	t.Run("meta", func(t *testing.T) {
		t.Parallel()
		var got string
		cmd := sess.Call("/meta", nil, &got, message.WithSetMeta("a", "<é\n"), message.WithSetMeta("b", "2"))
		if cmd.Status() != nil || got != "<é\n2" || cmd.InputMeta().Get("answer") != "yes" {
			t.Errorf("%q %v (%v)", got, cmd.InputMeta(), cmd.Status())
		}
	})
	t.Run("failures", func(t *testing.T) {
		t.Parallel()
		for _, code := range []int32{404, 500, 1001, -1, -32601} {
			want := code
			if code == -32601 { // a caller cannot tell it from a foreign server's
				want = 404
			}
			stat := sess.Call("/fail", code, nil).Status()
			if stat.Code() != want || stat.Msg() != "no" || stat.Cause().Error() != "because \"of\"\nthat" {
				t.Errorf("%d: %v", code, stat)
			}
		}
		if stat := sess.Call("/nowhere", nil, nil).Status(); stat.String() != `{"code":404,"msg":"Not Found","cause":""}` {
			t.Errorf("%v", stat)
		}
	})
	t.Run("push", func(t *testing.T) {
		t.Parallel()
		if stat := sess.Push("/tell", "news"); stat != nil {
			t.Fatal(stat)
		}
		select {
		case got := <-pushed:
			if got != "news" {
				t.Errorf("%q", got)
			}
		case <-time.After(peertest.Soon):
			t.Error("nothing came")
		}
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for j := range 20 {
					var got int
					if stat := sess.Call("/echo", i*j, &got).Status(); stat != nil || got != i*j {
						t.Errorf("%d: %d (%v)", i*j, got, stat)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestAuthenticationWorks(t *testing.T) {
	t.Parallel()
	peertest.Authenticates(t, jsonrpcproto.NewJSONRPCProtoFunc())
}

// line is a connection that speaks text.
type line struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func connect(t testing.TB, addr string) *line {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(peertest.Soon))
	return &line{t, conn, bufio.NewReader(conn)}
}

// ask sends a line and returns the next one.
func (l *line) ask(text string) string {
	l.t.Helper()
	if _, err := io.WriteString(l, text+"\n"); err != nil {
		l.t.Fatal(err)
	}
	got, err := l.r.ReadString('\n')
	if err != nil {
		l.t.Fatalf("%v after %q", err, got)
	}
	return strings.TrimSuffix(got, "\r\n")
}

func TestAnyPeerIsServed(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	const nullID = `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request","data":`
	for name, tt := range map[string]struct{ ask, want string }{
		"number":                            {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":1}`, `{"jsonrpc":"2.0","id":1,"result":19}`},
		"string":                            {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":"a\"1"}`, `{"jsonrpc":"2.0","id":"a\"1","result":19}`},
		"number in quotes":                  {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":"7"}`, `{"jsonrpc":"2.0","id":"7","result":19}`},
		"large number":                      {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":12345678901234567890}`, `{"jsonrpc":"2.0","id":12345678901234567890,"result":19}`},
		"fraction":                          {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":1.50}`, `{"jsonrpc":"2.0","id":1.50,"result":19}`},
		"negative":                          {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":-1}`, `{"jsonrpc":"2.0","id":-1,"result":19}`},
		"null":                              {`{"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":null}`, `{"jsonrpc":"2.0","id":null,"result":19}`},
		"zero, with context":                {`{"id":0,"context":{},"params":[42,23],"method":"/subtract"}`, `{"jsonrpc":"2.0","id":0,"result":19,"context":{}}`},
		"string, with context":              {`{"id":"x","context":null,"params":[42,23],"method":"/subtract"}`, `{"jsonrpc":"2.0","id":"x","result":19,"context":{}}`},
		"blanks and escapes":                {" { \"jsonrpc\" : \"2.0\" , \"id\":1 ,\t\"params\" : [ 1 , 1 ], \"method\":\"/sub\\u0074ract\" } \r", `{"jsonrpc":"2.0","id":1,"result":0}`},
		"a string stays one":                {`{"jsonrpc":"2.0","method":"/echo","params":"a: b","id":1}`, `{"jsonrpc":"2.0","id":1,"result":"a: b"}`},
		"bytes as they are":                 {`{"jsonrpc":"2.0","method":"/raw","params":{"b": 1, "a":[ ]},"id":1}`, `{"jsonrpc":"2.0","id":1,"result":{"b": 1, "a":[ ]}}`},
		"no params":                         {`{"jsonrpc":"2.0","method":"/raw","id":1}`, `{"jsonrpc":"2.0","id":1,"result":null}`},
		"meta":                              {`{"jsonrpc":"2.0","method":"/meta","id":1}`, `{"jsonrpc":"2.0","id":1,"result":"\u003cnil\u003e \u003cnil\u003e","context":{"answer":"yes"}}`},
		"no method":                         {`{"jsonrpc":"2.0","method":"foobar","id":"1"}`, `{"jsonrpc":"2.0","id":"1","error":{"code":-32601,"message":"Method not found","data":{"code":404,"msg":"Not Found","cause":""}}}`},
		"no method, peer":                   {`{"jsonrpc":"2.0","method":"foobar","id":1,"context":{}}`, `{"jsonrpc":"2.0","id":1,"context":{},"error":{"code":404,"message":"Not Found","data":null}}`},
		"bad params":                        {`{"jsonrpc":"2.0","method":"/greet","params":1,"id":1}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params","data":{"code":400,"msg":"Bad Message","cause":"json: cannot unmarshal number into Go value of type jsonrpcproto_test.greeting"}}}`},
		"internal":                          {`{"jsonrpc":"2.0","method":"/panic","id":1}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error","data":{"code":500,"msg":"Internal Server Error","cause":"oh"}}}`},
		"business":                          {`{"jsonrpc":"2.0","method":"/fail","params":1001,"id":1}`, `{"jsonrpc":"2.0","id":1,"error":{"code":1001,"message":"no","data":"because \"of\"\nthat"}}`},
		"no json":                           {`{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error","data":"jsonrpc proto: malformed frame: a line is no JSON"}}`},
		"no request":                        {`{"jsonrpc": "2.0", "method": 1, "params": "bar"}`, nullID + `"neither a request nor a response"}}`},
		"no request, with id":               {`{"foo": "boo", "id": 3}`, `{"jsonrpc":"2.0","id":3,"error":{"code":-32600,"message":"Invalid Request","data":"neither a request nor a response"}}`},
		"a number":                          {`5`, nullID + `"neither a request nor a response"}}`},
		"another version":                   {`{"jsonrpc":"3.0","method":"/subtract","id":1}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Invalid Request","data":"jsonrpc proto: malformed frame: a version other than 2.0"}}`},
		"empty method":                      {`{"jsonrpc":"2.0","method":"","id":1}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Invalid Request","data":"jsonrpc proto: malformed frame: the method is empty"}}`},
		"id of another kind":                {`{"jsonrpc":"2.0","method":"/subtract","id":[1]}`, nullID + `"jsonrpc proto: malformed frame: an id that is neither a string nor a number"}}`},
		"long id":                           {`{"jsonrpc":"2.0","method":"/subtract","id":"` + strings.Repeat("x", 300) + `"}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Server error","data":"the id is too long"}}`},
		"context of another kind":           {`{"jsonrpc":"2.0","method":"/subtract","id":1,"context":[]}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Invalid Request","data":"jsonrpc proto: malformed frame: a context that is no object"}}`},
		"empty batch":                       {`[ ]`, nullID + `"jsonrpc proto: malformed frame: a batch of none or of more than 256"}}`},
		"large batch":                       {"[1" + strings.Repeat(",1", 256) + "]", nullID + `"jsonrpc proto: malformed frame: a batch of none or of more than 256"}}`},
		"broken batch":                      {`[{"jsonrpc":"2.0","method":"/subtract","params":[1,2],"id":1},{]`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error","data":"jsonrpc proto: malformed frame: a line is no JSON"}}`},
		"batch of one":                      {`[{"jsonrpc":"2.0","method":"/subtract","params":[5,3],"id":1}]`, `[{"jsonrpc":"2.0","id":1,"result":2}]`},
		"batch of nonsense":                 {"[1,[2],\"]\"]", "[" + strings.Repeat(nullID+`"neither a request nor a response"}},`, 2) + nullID + `"neither a request nor a response"}}]`},
		"batch that ends in a notification": {`[{"method":"/subtract","params":[5,3],"id":"1"},{"method":"/tell","params":"x"}]`, `[{"jsonrpc":"2.0","id":"1","result":2}]`},
		"empty lines":                       {"\r\n\n" + `{"method":"/subtract","params":[5,3],"id":1}`, `{"jsonrpc":"2.0","id":1,"result":2}`},
		"a reply to nothing":                {`{"jsonrpc":"2.0","id":null,"result":1}` + "\n" + `{"jsonrpc":"2.0","id":1,"result":1}` + "\n" + `{"method":"/subtract","params":[5,3],"id":1}`, `{"jsonrpc":"2.0","id":1,"result":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := connect(t, addr)
			for range 2 { // the session goes on
				if got := l.ask(tt.ask); got != tt.want {
					t.Errorf("got\n%s\nwant\n%s", got, tt.want)
				}
			}
		})
	}
}

func TestABatchIsAnsweredWithOneArray(t *testing.T) {
	t.Parallel()
	addr, pushed := server(t, drpc.EndpointConfig{})
	l := connect(t, addr)
	var got []map[string]any
	text := l.ask(`[ {"jsonrpc":"2.0","method":"/subtract","params":[42,23],"id":"a"} , {"jsonrpc":"2.0","method":"/tell","params":"in a batch"},` +
		`{"jsonrpc":"2.0","method":"foobar","id":5},{"foo":"boo"},` +
		`{"jsonrpc":"2.0","method":"/greet","params":{"name":"]},{[\\\""},"id":"b","context":{"k":"v"}}]`)
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 4 {
		t.Fatalf("%v: %s", err, text)
	}
	byID := make(map[string]map[string]any)
	for _, reply := range got {
		byID[fmt.Sprint(reply["id"])] = reply
	}
	if byID["a"]["result"] != 19.0 || byID["5"]["error"].(map[string]any)["code"] != -32601.0 ||
		byID["<nil>"]["error"].(map[string]any)["code"] != -32600.0 ||
		byID["b"]["result"].(map[string]any)["name"] != `hello ]},{[\"` || byID["b"]["context"] == nil {
		t.Errorf("%s", text)
	}
	if text := <-pushed; text != "in a batch" {
		t.Errorf("%q", text)
	}
	// A batch of notifications has no answer: the next one is that of another line.
	if got := l.ask(`[{"method":"/tell","params":"1"},{"method":"/tell","params":"2"}]` + "\n" + `{"method":"/echo","params":3,"id":3}`); got != `{"jsonrpc":"2.0","id":3,"result":3}` {
		t.Errorf("%s", got)
	}
}

func TestTheReplyToABatchIsLimited(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{MaxMessageSize: 1 << 20})
	l := connect(t, addr)
	call := `{"method":"/echo","params":"` + strings.Repeat("<", 60_000) + `","id":1,"context":{}}`
	text := l.ask("[" + call + "," + call + "," + call + "]")
	var got []struct {
		Result string
		Error  struct{ Data string }
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 3 {
		t.Fatalf("%v: %.300s", err, text)
	}
	served := 0
	for _, reply := range got {
		if reply.Result != "" {
			served++
		} else if !strings.Contains(reply.Error.Data, "message limit") {
			t.Errorf("%+v", reply.Error)
		}
	}
	if served != 2 {
		t.Errorf("%d were served", served)
	}
}

func TestAPeerThatDoesNotFinishIsLimited(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{MaxMessageSize: 1 << 16})
	l := connect(t, addr)
	_, _ = io.WriteString(l, strings.Repeat("x", 1<<20))
	if _, err := l.r.ReadString('\n'); err == nil {
		t.Error("an endless line was answered")
	}
}

func TestTheClientOfTheStandardLibraryIsServed(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClientWithCodec(rpcjson.NewClientCodec(conn))
	t.Cleanup(func() { _ = c.Close() })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			var got []int // it sends its argument in an array
			if err := c.Call("/echo", i, &got); err != nil || len(got) != 1 || got[0] != i {
				t.Errorf("%d: %v (%v)", i, got, err)
			}
		})
	}
	wg.Wait()
}

// foreign is a server of another make: it answers each line with what answer makes of it.
func foreign(t testing.TB, answer func(id json.Number, method string) string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		dec := json.NewDecoder(conn)
		for {
			var req struct {
				ID     json.Number
				Method string
			}
			if dec.Decode(&req) != nil {
				return
			}
			_, _ = io.WriteString(conn, answer(req.ID, req.Method)+"\n")
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func TestAnyServerIsCalled(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"number": `{"jsonrpc":"2.0","result":"ok","id":%s}`,
		"string": `{"id":"%s","result":"ok"}`,
		"nulls":  `{"id":%s,"result":"ok","error":null,"context":null}`,
		"batch":  `[{"id":%s,"result":"ok"}]`,
		"method": `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":%s}`,
		"params": `{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params","data":{"field":"x"}},"id":%s}`,
		"other":  `{"jsonrpc":"2.0","error":{"code":7,"message":"m","data":"why"},"id":%s}`,
		"text":   `{"error":"just text","id":%s,"result":null}`,
		"zero":   `{"error":{"code":0,"message":"zero"},"id":%s}`,
		"broken": `no json at all %s`,
	}
	addr := foreign(t, func(id json.Number, method string) string { return fmt.Sprintf(answers[method], id) })
	sess := dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}), addr)
	for _, method := range []string{"number", "string", "nulls", "batch"} {
		var got string
		if stat := sess.Call(method, nil, &got).Status(); stat != nil || got != "ok" {
			t.Errorf("%s: %q (%v)", method, got, stat)
		}
	}
	for method, want := range map[string]string{
		"method": `{"code":404,"msg":"Method not found","cause":""}`,
		"params": `{"code":400,"msg":"Invalid params","cause":"{\"field\":\"x\"}"}`,
		"other":  `{"code":7,"msg":"m","cause":"why"}`,
		"text":   `{"code":-1,"msg":"\"just text\"","cause":""}`,
		"zero":   `{"code":-1,"msg":"zero","cause":""}`,
	} {
		if stat := sess.Call(method, nil, nil).Status(); stat.String() != want {
			t.Errorf("%s: %v", method, stat)
		}
	}
	if stat := sess.Call("broken", nil, nil).Status(); stat.Code() != drpc.CodeConnClosed {
		t.Errorf("broken: %v", stat)
	}
}
