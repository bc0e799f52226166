package websocket_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/websocket"
)

// An endpoint beside whatever else an HTTP server has. Pages connect to ws://HOST/rpc.
func ExampleNewHandler() {
	srv := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer srv.Close()
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello, " + *name, nil
	})
	mux := http.NewServeMux()
	mux.Handle("/rpc", websocket.NewHandler(srv, websocket.Options{}))
	web := httptest.NewServer(mux)
	defer web.Close()

	cli := websocket.NewClient("/rpc", drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.DialJSON(strings.TrimPrefix(web.URL, "http://"))
	if !stat.OK() {
		fmt.Println(stat)
		return
	}
	var reply string
	stat = sess.Call("/greet", "gopher", &reply).Status()
	fmt.Println(reply, stat.OK())
	// Output: hello, gopher true
}

// bound is a plugin that tells when the server listens, and where.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

// A server by itself, with a page beside the sessions.
func ExampleServer() {
	listening := make(bound, 1)
	srv := websocket.NewServer("/rpc", drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello, " + *name, nil
	})
	srv.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a page") })
	go srv.ListenAndServeProtobuf()

	cli := websocket.NewClient("/rpc", drpc.EndpointConfig{})
	defer cli.Close()
	sess, stat := cli.DialProtobuf((<-listening).String())
	if !stat.OK() {
		fmt.Println(stat)
		return
	}
	var reply string
	stat = sess.Call("/greet", "gopher", &reply).Status()
	fmt.Println(reply, stat.OK())
	// Output: hello, gopher true
}

// Who shows no token in the request gets no session; who does has one of that name.
func ExampleHandshakeAuthPlugin() {
	auth := websocket.NewHandshakeAuthPlugin(func(r *http.Request) (string, *drpc.Status) {
		if websocket.QueryToken("token", r) != "open sesame" {
			return "", drpc.NewStatus(drpc.CodeUnauthorized, "wrong token")
		}
		return "ali", nil
	}, nil)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{}, auth)
	defer srv.Close()
	drpc.HandleCall(srv, "/who", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) { return c.Session().ID(), nil })
	web := httptest.NewServer(websocket.NewHandler(srv, websocket.Options{}))
	defer web.Close()

	for _, path := range []string{"/?token=open+barley", "/?token=open+sesame"} {
		cli := websocket.NewClient(path, drpc.EndpointConfig{})
		defer cli.Close()
		sess, stat := cli.Dial(strings.TrimPrefix(web.URL, "http://"))
		if refused := (*websocket.HandshakeError)(nil); errors.As(stat.Cause(), &refused) {
			fmt.Println("refused with", refused.Code)
			continue
		}
		var name string
		fmt.Println(sess.Call("/who", "", &name).Status(), name)
	}
	// Output:
	// refused with 403
	// <nil> ali
}
