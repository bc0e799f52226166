package httpproto_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	drpcclient "github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/plugin/heartbeat"
	"github.com/osgochina/dmicro/drpc/plugin/proxy"
	"github.com/osgochina/dmicro/drpc/plugin/securebody"
	"github.com/osgochina/dmicro/drpc/proto/httpproto"
	"github.com/osgochina/dmicro/logger"
)

func init() { logger.SetLevel(logger.LevelError) }

// dial connects e to addr.
func dial(t testing.TB, e drpc.Endpoint, addr string) drpc.Session {
	t.Helper()
	return peertest.Dial(t, e, addr, httpproto.NewHTTProtoFunc())
}

type greeting struct {
	Name string
	Nr   int
}

// server is an endpoint with handlers for every test; its address is returned.
func server(t testing.TB, cfg drpc.EndpointConfig, plugins ...drpc.Plugin) (string, drpc.Endpoint) {
	t.Helper()
	srv := peertest.Endpoint(t, cfg, plugins...)
	drpc.HandleCall(srv, "/echo", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) { return *arg, nil })
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, arg *greeting) (*greeting, *drpc.Status) {
		return &greeting{"hello " + arg.Name, arg.Nr + 1}, nil
	})
	drpc.HandleCall(srv, "/bytes", func(_ drpc.CallCtx, arg *[]byte) ([]byte, *drpc.Status) { return *arg, nil })
	drpc.HandleCall(srv, "/meta", func(ctx drpc.CallCtx, _ *[]byte) (map[string]any, *drpc.Status) {
		out := make(map[string]any)
		ctx.VisitMeta(func(k, v any) bool { out[k.(string)] = v; return true })
		ctx.SetMeta("X-Answer", "yes")
		return out, nil
	})
	drpc.HandleCall(srv, "/fail", func(ctx drpc.CallCtx, arg *int) (*struct{}, *drpc.Status) {
		return nil, drpc.NewStatus(int32(*arg), "no", "because\r\n\"of\" that")
	})
	drpc.HandleCall(srv, "/slow", func(ctx drpc.CallCtx, arg *int) (int, *drpc.Status) {
		select { // the first one takes the longest
		case <-time.After(time.Duration(30-*arg) * time.Millisecond):
		case <-ctx.Context().Done():
		}
		return *arg, nil
	})
	return peertest.Serve(t, srv, httpproto.NewHTTProtoFunc()), srv
}

func TestPeersTalkToEachOther(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	cli := peertest.Endpoint(t, drpc.EndpointConfig{})
	sess := dial(t, cli, addr)

	for name, with := range map[string][]message.MsgSetting{
		"json": {message.WithBodyCodec("json")}, "xml": {message.WithBodyCodec("xml")},
		"form": {message.WithBodyCodec("form")}, "gzip": {message.WithTFilterPipe('z')},
		"whole URL": {message.WithServiceMethod("http://" + addr + "/greet?lang=en")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got greeting
			cmd := sess.Call("/greet", &greeting{"wörld ☃", 41}, &got, with...)
			if want := (greeting{"hello wörld ☃", 42}); cmd.Status() != nil || got != want {
				t.Errorf("%v (%v)", got, cmd.Status())
			}
		})
	}
	t.Run("plain, empty and large", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "ünïcode", strings.Repeat("0123456789abcdef", 1<<16)} {
			for _, with := range []message.MsgSetting{message.WithNothing(), message.WithTFilterPipe('z')} {
				var got string
				if stat := sess.Call("/echo", text, &got, message.WithBodyCodec("plain"), with).Status(); stat != nil || got != text {
					t.Errorf("%d bytes: %d (%v)", len(text), len(got), stat)
				}
			}
		}
	})
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		var got greeting
		if stat := sess.Call("/greet", nil, &got).Status(); stat != nil || got.Nr != 1 {
			t.Errorf("%v (%v)", got, stat)
		}
	})
	t.Run("meta", func(t *testing.T) {
		t.Parallel()
		got := make(map[string]any)
		cmd := sess.Call("/meta?a=1&b=%20x%26y&c=d=e&empty=&=none", nil, &got,
			message.WithSetMeta("X-Real-IP", "192.0.2.1"), message.WithSetMeta("hb_", "3"),
			message.WithSetMeta("Quoted", `<"é\>`), message.WithSetMetas(map[string]any{"Number": 7}))
		want := map[string]any{
			"a": "1", "b": " x&y", "c": "d=e", "X-Real-IP": "192.0.2.1", "hb_": "3", "Quoted": `<"é\>`, "Number": "7",
			"Accept-Encoding": "gzip", "User-Agent": "drpc-httpproto/1.1",
		}
		if cmd.Status() != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v (%v)", got, cmd.Status())
		}
		if v := cmd.InputMeta().Get("X-Answer"); v != "yes" {
			t.Errorf("meta of the reply: %v", cmd.InputMeta())
		}
	})
	t.Run("failures", func(t *testing.T) {
		t.Parallel()
		for _, code := range []int32{404, 500, 1001, -1} {
			stat := sess.Call("/fail", code, nil).Status()
			if stat.Code() != code || stat.Msg() != "no" || stat.Cause().Error() != "because\r\n\"of\" that" {
				t.Errorf("%d: %v", code, stat)
			}
		}
		if stat := sess.Call("/nowhere", nil, nil).Status(); stat.Code() != drpc.CodeNotFound {
			t.Errorf("%v", stat)
		}
		if stat := sess.Push("/echo", "x"); stat.Code() != drpc.CodeWriteFailed ||
			stat.Cause().Error() != "unsupport message type: 3(PUSH)" {
			t.Errorf("push: %v", stat)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for j := range 20 {
					var got greeting
					if stat := sess.Call("/greet", &greeting{"x", i * j}, &got).Status(); stat != nil || got.Nr != i*j+1 {
						t.Errorf("%d: %v (%v)", i*j, got, stat)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Many clients, and proxies between, send all names in lower case.
func TestKeysOfTheFrameworkArriveWhateverTheCase(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		drpc.MetaRealIP: "192.0.2.1", drpc.MetaAcceptBodyCodec: "106", drpc.MetaTimeout: "600000",
		heartbeat.MetaRate: "3", drpcclient.MetaIdempotent: "1", proxy.MetaHops: "2",
		securebody.SecureMetaKey: "false", securebody.ReplySecureMetaKey: "false", "X-Secure-Challenge": "",
		"peer_id": "as it came",
	}
	request := "POST /meta HTTP/1.1\r\n"
	for key, value := range want {
		request += strings.ToLower(key) + ": " + value.(string) + "\r\n"
	}
	addr, _ := server(t, drpc.EndpointConfig{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(peertest.Soon))
	if _, err = io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := make(map[string]any)
	if err = json.NewDecoder(resp.Body).Decode(&got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
}

func TestAuthenticationWorks(t *testing.T) {
	t.Parallel()
	peertest.Authenticates(t, httpproto.NewHTTProtoFunc())
}

func TestMakingTheProtocolLeavesTheMapperAlone(t *testing.T) { // not parallel: the mapper is that of the process
	t.Cleanup(func() { drpc.SetServiceMethodMapper(nil) })
	drpc.SetServiceMethodMapper(drpc.RPCServiceMethodMapper)
	httpproto.NewHTTProtoFunc()(nil)
	names := peertest.Endpoint(t, drpc.EndpointConfig{}).RouteCall(new(Math))
	if fmt.Sprint(names) != "[Math.Add]" {
		t.Errorf("%v", names)
	}
}

// Math is a controller.
type Math struct{ drpc.CallCtx }

// Add is a handler.
func (*Math) Add(arg *[]int) (int, *drpc.Status) { return (*arg)[0] + (*arg)[1], nil }

// client is an HTTP client of the standard library.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{ExpectContinueTimeout: peertest.Soon, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: peertest.Soon}
}

// exchange sends a request and returns what came.
func exchange(t testing.TB, c *http.Client, method, url, contentType string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp, string(text)
}

func TestAnyClientIsServed(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	url := "http://" + addr
	large := strings.Repeat("x", 1<<20)
	for name, tt := range map[string]struct {
		method, path, contentType, body string
		headers                         []string
		code                            int
		want                            string
	}{
		"POST":                  {"POST", "/greet", "application/json", `{"Name":"you","Nr":1}`, nil, 200, `{"Name":"hello you","Nr":2}`},
		"upper case type":       {"POST", "/greet", "Application/JSON; Charset=UTF-8", `{"Nr":1}`, nil, 200, `{"Name":"hello ","Nr":2}`},
		"form, reply in json":   {"POST", "/greet", "application/x-www-form-urlencoded", "Name=you", []string{"X-Accept-Body-Codec", "106"}, 200, `{"Name":"hello you","Nr":1}`},
		"PUT of a large text":   {"PUT", "/echo", "text/plain", large, nil, 200, large},
		"GET":                   {"GET", "/greet?x=1", "", "", nil, 200, `{"Name":"hello ","Nr":1}`},
		"HEAD":                  {"HEAD", "/greet", "", "", nil, 200, ""},
		"escaped path":          {"GET", "/gr%65et", "", "", nil, 200, `{"Name":"hello ","Nr":1}`},
		"no handler":            {"GET", "/nowhere", "", "", nil, 404, `{"code":404,"msg":"Not Found","cause":""}`},
		"bad body":              {"POST", "/fail", "application/json", `"x"`, nil, 400, ""},
		"unknown type":          {"POST", "/greet", "image/png", "x", nil, 415, `{"code":415,"msg":"Unsupported Media Type","cause":"http proto: no codec for the content type \"image/png\""}`},
		"unknown type as it is": {"POST", "/bytes", "image/png", "x", nil, 200, "x"},
		"unknown coding":        {"POST", "/greet", "application/json", "x", []string{"Content-Encoding", "br"}, 415, ""},
		"business error":        {"POST", "/fail", "application/json", "1001", nil, 299, `{"code":1001,"msg":"no","cause":"because\r\n\"of\" that"}`},
		"framework error":       {"POST", "/fail", "application/json", "500", nil, 500, `{"code":500,"msg":"no","cause":"because\r\n\"of\" that"}`},
		"with a number":         {"POST", "/fail", "application/json", "500", []string{"x-seq", "77"}, 299, `{"code":500,"msg":"no","cause":"because\r\n\"of\" that"}`},
		"number is none":        {"GET", "/greet", "", "", []string{"X-Seq", "x"}, 400, ""},
		"type is none":          {"GET", "/greet", "", "", []string{"X-Mtype", "3"}, 400, ""},
		"no gzip inside":        {"POST", "/greet", "application/json", "x", []string{"Content-Encoding", "gzip"}, 400, ""},
		"too large":             {"POST", "/echo", "text/plain", strings.Repeat("x", 4<<20+1), nil, 413, ""},
		"long header":           {"GET", "/greet", "", "", []string{"A", strings.Repeat("x", 20_000)}, 431, ""},
		"close":                 {"GET", "/greet", "", "", []string{"Connection", "close"}, 200, `{"Name":"hello ","Nr":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t)
			for _, chunked := range []bool{false, true} {
				var body io.Reader
				if tt.body != "" {
					body = strings.NewReader(tt.body)
				}
				if chunked && body != nil {
					body = io.MultiReader(body, strings.NewReader("")) // hides its length
				}
				resp, got := exchange(t, c, tt.method, url+tt.path, tt.contentType, body, tt.headers...)
				if resp.StatusCode != tt.code || tt.want != "" && got != tt.want {
					t.Errorf("chunked %v: %s %.200q, want %d %.200q", chunked, resp.Status, got, tt.code, tt.want)
				}
				if tt.method == "HEAD" && (got != "" || resp.ContentLength != int64(len(`{"Name":"hello ","Nr":1}`))) {
					t.Errorf("%q, length %d", got, resp.ContentLength)
				}
				if number := resp.Header.Get("X-Seq"); name == "with a number" && number != "77" || name != "with a number" && number != "" {
					t.Errorf("X-Seq %q", number)
				}
			}
		})
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	addr, srv := server(t, drpc.EndpointConfig{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(peertest.Soon))
	r := bufio.NewReader(conn)
	for i := range 5 { // by hand: whether a client uses a connection again depends on when its goroutines run, too
		if _, err = io.WriteString(conn, "POST /fail HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.Close || resp.ContentLength < 0 {
			t.Fatalf("request %d: the connection is not to be used again: %v", i, resp.Header)
		}
	}
	if n := srv.CountSession(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestGzipForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	text := strings.Repeat("all work and no play ", 200)
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	_, _ = zw.Write([]byte(text))
	_ = zw.Close()
	c := client(t)
	for _, asks := range []bool{false, true} {
		for _, sends := range []bool{false, true} {
			headers := []string{"Accept-Encoding", "gzip;q=0, br"}
			if asks {
				headers[1] = "br, GZIP;q=0.5"
			}
			body := text
			if sends {
				headers, body = append(headers, "Content-Encoding", "gzip"), packed.String()
			}
			resp, got := exchange(t, c, "POST", "http://"+addr+"/echo", "text/plain", strings.NewReader(body), headers...)
			if zipped := resp.Header.Get("Content-Encoding") == "gzip"; zipped != asks {
				t.Errorf("asks %v, sends %v: coding %q", asks, sends, resp.Header.Get("Content-Encoding"))
			} else if zipped {
				zr, err := gzip.NewReader(strings.NewReader(got))
				if err != nil {
					t.Fatal(err)
				}
				plain, _ := io.ReadAll(zr)
				got = string(plain)
			}
			if got != text {
				t.Errorf("asks %v, sends %v: %.50q", asks, sends, got)
			}
		}
	}
	resp, got := exchange(t, c, "POST", "http://"+addr+"/echo", "text/plain", strings.NewReader("short"), "Accept-Encoding", "gzip")
	if got != "short" || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("%q %v", got, resp.Header)
	}
}

func TestABombIsNotInflated(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{MaxMessageSize: 1 << 20})
	var packed bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	zeros := make([]byte, 1<<20)
	for range 8 {
		_, _ = zw.Write(zeros)
	}
	_ = zw.Close()
	resp, text := exchange(t, client(t), "POST", "http://"+addr+"/bytes", "", &packed, "Content-Encoding", "gzip")
	if resp.StatusCode != 413 || !strings.Contains(text, "MaxMessageSize") {
		t.Errorf("%s %s", resp.Status, text)
	}
}

func TestWhoWaitsForLeaveToSendGetsItOnce(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	for _, chunked := range []bool{false, true} {
		var leave atomic.Int32
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { leave.Add(1) }})
		var body io.Reader = strings.NewReader("text")
		if chunked {
			body = io.MultiReader(body)
		}
		req, _ := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/echo", body)
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("Expect", "100-continue")
		resp, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(text) != "text" || leave.Load() != 1 {
			t.Errorf("chunked %v: %q, %d times", chunked, text, leave.Load())
		}
	}
}

// pipe sends text over one connection and returns all that comes back until the server closes it.
func pipe(t testing.TB, addr, text string) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(peertest.Soon))
	if _, err = io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%v after %q", err, got)
	}
	return got
}

// responses takes apart what came over one connection.
func responses(t testing.TB, raw []byte) (codes []int, bodies []string) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		if _, err := r.Peek(1); err != nil {
			return codes, bodies
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%v in %q", err, raw)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%v in %q", err, raw)
		}
		codes, bodies = append(codes, resp.StatusCode), append(bodies, string(body))
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	var text strings.Builder
	want := ""
	for i := range 30 {
		body := strconv.Itoa(i)
		extra := ""
		switch {
		case i%3 == 1:
			extra = "X-Seq: 7\r\n"
		case i == 29:
			extra = "Connection: close\r\n"
		}
		fmt.Fprintf(&text, "POST /slow HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s\r\n",
			extra, len(body), body)
		want += body + " "
		if i == 15 {
			text.WriteString("GET /slow HTTP/1.1\r\nX-Mtype: 9\r\n\r\n") // refused, in its turn
			want += "! "
		}
	}
	codes, bodies := responses(t, pipe(t, addr, text.String()))
	got := ""
	for i, body := range bodies {
		if codes[i] == 400 {
			body = "!"
		}
		got += body + " "
	}
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestRequestsThatTwoProgramsMightReadDifferentlyAreRefused(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	const line = "POST /bytes HTTP/1.1\r\n"
	for name, tt := range map[string]struct {
		request string
		code    int
	}{
		"negative length":        {line + "Content-Length: -1\r\n\r\n", 400},
		"length with a plus":     {line + "Content-Length: +1\r\n\r\nx", 400},
		"huge length":            {line + "Content-Length: 99999999999999999999\r\n\r\n", 400},
		"large length":           {line + "Content-Length: 999999999999\r\n\r\n", 413},
		"two lengths":            {line + "Content-Length: 1\r\ncontent-length: 1\r\n\r\nx", 400},
		"list of lengths":        {line + "Content-Length: 1, 1\r\n\r\nx", 400},
		"length and chunks":      {line + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"chunks and length":      {line + "transfer-encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
		"chunks twice":           {line + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"another coding":         {line + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"obfuscated coding":      {line + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"chunks in 1.0":          {"POST /bytes HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"blank before colon":     {line + "Content-Length : 1\r\n\r\nx", 400},
		"folded line":            {line + "A: b\r\n c\r\n\r\n", 400},
		"header without colon":   {line + "A\r\n\r\n", 400},
		"header without name":    {line + ": a\r\n\r\n", 400},
		"line feed alone":        {line + "A: b\nC: d\r\n\r\n", 400},
		"line feeds only":        {"GET /bytes HTTP/1.1\n\n", 400},
		"carriage return inside": {line + "A: b\rc\r\n\r\n", 400},
		"zero byte":              {line + "A: b\x00c\r\n\r\n", 400},
		"two hosts":              {line + "Host: a\r\nHost: b\r\n\r\n", 400},
		"two types":              {line + "Content-Type: a\r\nContent-Type: b\r\n\r\n", 400},
		"two numbers":            {line + "X-Seq: 1\r\nX-Seq: 2\r\n\r\n", 299},
		"large, with a number":   {line + "X-Seq: 7\r\nContent-Length: 999999999999\r\n\r\n", 299},
		"chunk without size":     {line + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
		"chunk of negative size": {line + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
		"chunk longer than said": {line + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", 400},
		"huge chunk":             {line + "Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n", 400},
		"endless extension":      {line + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 1<<16), 431},
		"trailer without colon":  {line + "Transfer-Encoding: chunked\r\n\r\n0\r\na\r\n\r\n", 400},
		"endless trailer":        {line + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 1<<14), 431},
		"endless line":           {"GET /" + strings.Repeat("x", 1<<16), 431},
		"endless headers":        {line + strings.Repeat("a: b\r\n", 200), 431},
		"long headers":           {line + strings.Repeat("a: "+strings.Repeat("x", 8<<10)+"\r\n", 10), 431},
		"many pairs":             {"GET /bytes?" + strings.Repeat("a=b&", 200) + " HTTP/1.1\r\nConnection: close\r\n\r\n", 431},
		"another version":        {"GET / HTTP/2.0\r\n\r\n", 505},
		"no version":             {"GET /\r\n\r\n", 400},
		"blank in the target":    {"GET /a b HTTP/1.1\r\n\r\n", 400},
		"another protocol":       {"\x16\x03\x01\x02\x00\x01", 400},
		"empty lines":            {"\r\n\r\n\r\n\r\n", 400},
		"another expectation":    {line + "Expect: more\r\n\r\n", 417},
		"after a good one":       {"GET /bytes HTTP/1.1\r\n\r\nGET /bytes HTTP/1.1\r\nA\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// What follows must never be taken for a request.
			codes, _ := responses(t, pipe(t, addr, tt.request+"GET /nowhere HTTP/1.1\r\n\r\n"))
			if len(codes) == 0 || codes[len(codes)-1] != tt.code {
				t.Errorf("%v, want %d at the end", codes, tt.code)
			}
			for _, code := range codes {
				if code == 404 {
					t.Error("a request inside was answered")
				}
			}
		})
	}
}

func TestOldClientsAreServed(t *testing.T) {
	t.Parallel()
	addr, _ := server(t, drpc.EndpointConfig{})
	got := string(pipe(t, addr, "\r\nGET http://x?q=1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET http://x/greet HTTP/1.0\r\n\r\n"))
	codes, bodies := responses(t, []byte(got))
	if len(codes) != 2 || codes[0] != 404 || codes[1] != 200 || bodies[1] != `{"Name":"hello ","Nr":1}` ||
		!strings.Contains(got, "Connection: keep-alive\r\n") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("%q", got)
	}
}

func TestCurlIsServed(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	addr, _ := server(t, drpc.EndpointConfig{})
	url := "http://" + addr
	large := strings.Repeat("0123456789abcdef", 1<<17) // above the size from which curl asks first
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"twice over one connection": {"", []string{url + "/greet", url + "/greet"}, `{"Name":"hello ","Nr":1}{"Name":"hello ","Nr":1}`},
		"json":                      {"", []string{"-H", "content-type: application/json", "-d", `{"Name":"curl"}`, url + "/greet"}, `{"Name":"hello curl","Nr":1}`},
		"head":                      {"", []string{"-I", "-o", "/dev/null", "-w", "%{http_code}", url + "/greet"}, "200"},
		"not found":                 {"", []string{"-o", "/dev/null", "-w", "%{http_code}", url + "/nowhere"}, "404"},
		"large":                     {large, []string{"-H", "Content-Type: text/plain", "--data-binary", "@-", url + "/echo"}, large},
		"chunked":                   {large, []string{"-H", "Content-Type: text/plain", "-T", "-", url + "/echo"}, large},
		"compressed":                {large, []string{"--compressed", "-H", "Content-Type: text/plain", "--data-binary", "@-", url + "/echo"}, large},
		"HTTP/1.0":                  {"", []string{"-0", url + "/greet"}, `{"Name":"hello ","Nr":1}`},
		"large, 1.0":                {large, []string{"-0", "-H", "Content-Type: text/plain", "--data-binary", "@-", url + "/echo"}, large},
		"close":                     {"", []string{"-H", "Connection: close", url + "/greet"}, `{"Name":"hello ","Nr":1}`},
		"upgrade":                   {"", []string{"--http2", url + "/greet"}, `{"Name":"hello ","Nr":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(curl, append([]string{"-sS", "--max-time", "20"}, tt.args...)...)
			cmd.Stdin = strings.NewReader(tt.stdin)
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != tt.want {
				t.Errorf("%v: %.300q", err, out)
			}
		})
	}
}

func TestAnyServerIsCalled(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			w.Header().Set("X-Query", r.URL.Query().Get("q"))
			_, _ = w.Write(body)
		case "/chunked":
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(201)
			_, _ = io.WriteString(w, `"a`)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, `b"`)
		case "/gzip":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			zw := gzip.NewWriter(w)
			_, _ = io.WriteString(zw, `"zipped"`)
			_ = zw.Close()
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNoContent)
		case "/json":
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(map[string]any{"code": "E1"})
		case "/status":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":1001,"msg":"m","cause":"c"}`)
		default:
			http.Error(w, "nothing here", http.StatusTeapot)
		}
	}))
	t.Cleanup(srv.Close)
	addr := srv.Listener.Addr().String()
	sess := dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}), addr)
	host := message.WithSetMeta("Host", addr)

	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				var got int
				cmd := sess.Call(srv.URL+"/echo?q=a%20"+strconv.Itoa(j), i*100+j, &got)
				if cmd.Status() != nil || got != i*100+j || cmd.InputMeta().Get("X-Query") != "a "+strconv.Itoa(j) {
					t.Errorf("%d %d: %d (%v), %v", i, j, got, cmd.Status(), cmd.InputMeta())
				}
			}
		})
	}
	wg.Wait()
	for path, want := range map[string]string{"/chunked": "ab", "/gzip": "zipped", "/early": ""} {
		var got string
		if stat := sess.Call(path, nil, &got, host).Status(); stat != nil || got != want {
			t.Errorf("%s: %q (%v)", path, got, stat)
		}
	}
	for path, want := range map[string]string{
		"/nowhere": `{"code":418,"msg":"I'm a teapot","cause":"nothing here"}`,
		"/json":    `{"code":409,"msg":"Conflict","cause":"{\"code\":\"E1\"}"}`,
		"/status":  `{"code":1001,"msg":"m","cause":"c"}`,
	} {
		if stat := sess.Call(path, nil, nil, host).Status(); stat.String() != want {
			t.Errorf("%s: %v", path, stat)
		}
	}
	// A call that its caller has given up still has its turn.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = sess.Call("/echo", 1, nil, host, message.WithContext(ctx))
	var got int
	if stat := sess.Call("/echo", 2, &got, host).Status(); stat != nil || got != 2 {
		t.Errorf("%d (%v)", got, stat)
	}
}
