// Command both_ways shows that a session has no direction: while the server handles a call, it calls its caller.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/greet", func(ctx drpc.CallCtx, _ *struct{}) (string, *drpc.Status) {
		sess, _ := server.GetSession(ctx.Session().ID())
		var name string
		if stat := sess.Call("/name", nil, &name).Status(); !stat.OK() {
			return "", stat
		}
		return "hello, " + name, nil
	})
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	drpc.HandleCall(client, "/name", func(drpc.CallCtx, *struct{}) (string, *drpc.Status) {
		fmt.Println("the server asks for a name")
		return "gopher", nil
	})
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var greeting string
	demo.OK(sess.Call("/greet", nil, &greeting).Status())
	fmt.Println(greeting)
}

// Output:
// the server asks for a name
// hello, gopher
