// Command plugin_ignorecase finds handlers whatever the case of the name that the caller writes.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/ignorecase"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{}, ignorecase.NewIgnoreCase())
	defer server.Close()
	drpc.HandleCall(server, "/math/double", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) { return 2 * *n, nil })
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{})
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	for _, method := range []string{"/math/double", "/Math/Double", "/MATH/DOUBLE"} {
		var result int
		demo.OK(sess.Call(method, 21, &result).Status())
		fmt.Println(method, result)
	}
}

// Output:
// /math/double 42
// /Math/Double 42
// /MATH/DOUBLE 42
