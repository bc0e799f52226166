// Command plugin_proxy puts a proxy between a client and the server that has the handlers.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/proxy"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/stock", func(ctx drpc.CallCtx, item *string) (int, *drpc.Status) {
		if *item != "nails" {
			return 0, drpc.NewStatus(1001, "we have no "+*item)
		}
		return 12, nil
	})
	toServer := demo.Endpoint(drpc.EndpointConfig{RedialTimes: -1})
	defer toServer.Close()
	upstream, stat := toServer.Dial(demo.Serve(server))
	demo.OK(stat)

	front := demo.Endpoint(drpc.EndpointConfig{}, proxy.NewProxyPlugin(func(l *proxy.Label) proxy.Forwarder {
		if l.ServiceMethod == "/reset" {
			return nil // not for everybody: status 404
		}
		return upstream
	}))
	defer front.Close()

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(demo.Serve(front))
	demo.OK(stat)
	for _, call := range [][2]string{{"/stock", "nails"}, {"/stock", "screws"}, {"/reset", ""}} {
		var n int
		stat := sess.Call(call[0], call[1], &n).Status()
		fmt.Printf("%s %q: %d %q %d\n", call[0], call[1], stat.Code(), stat.Msg(), n)
	}
}

// Output:
// /stock "nails": 0 "" 12
// /stock "screws": 1001 "we have no screws" 0
// /reset "": 404 "Not Found" 0
