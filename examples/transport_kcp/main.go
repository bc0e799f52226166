// Command transport_kcp serves over KCP.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{Network: "kcp"})
	defer server.Close()
	drpc.HandleCall(server, "/echo", func(_ drpc.CallCtx, text *string) (string, *drpc.Status) { return *text, nil })
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{Network: "kcp"})
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var reply string
	demo.OK(sess.Call("/echo", "over kcp", &reply).Status())
	fmt.Println(reply)
}

// Output:
// over kcp
