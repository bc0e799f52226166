// Command proto_raw runs a server and a client that speak the compact binary frames that are the default.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/greet", func(ctx drpc.CallCtx, name *string) (string, *drpc.Status) {
		return fmt.Sprintf("%v, %s", ctx.PeekMeta("greeting"), *name), nil
	})
	addr := demo.Serve(server, rawproto.NewRawProtoFunc())

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr, rawproto.NewRawProtoFunc())
	demo.OK(stat)
	var greeting string
	demo.OK(sess.Call("/greet", "gopher", &greeting, drpc.WithSetMeta("greeting", "hello")).Status())
	fmt.Println(greeting)
}

// Output:
// hello, gopher
