// Command proto_protobuf runs a server and a client that speak Protocol Buffers frames.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto/pbproto"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/greet", func(ctx drpc.CallCtx, name *string) (string, *drpc.Status) {
		return fmt.Sprintf("%v, %s", ctx.PeekMeta("greeting"), *name), nil
	})
	addr := demo.Serve(server, pbproto.NewPbProtoFunc())

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr, pbproto.NewPbProtoFunc())
	demo.OK(stat)
	var greeting string
	demo.OK(sess.Call("/greet", "gopher", &greeting, drpc.WithSetMeta("greeting", "hello")).Status())
	fmt.Println(greeting)
}

// Output:
// hello, gopher
