// Command plugin_securebody encrypts bodies, which stay closed on their way through proxies. Use TLS where both ends can.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/securebody"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

const key = "a shared key of some length, random in earnest"

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{}, securebody.NewSecureBodyPlugin(key))
	defer server.Close()
	drpc.HandleCall(server, "/keep", func(ctx drpc.CallCtx, secret *string) (string, *drpc.Status) {
		if !securebody.Secured(ctx) {
			return "", drpc.NewStatus(1001, "not in the open, please")
		}
		return "kept: " + *secret, nil
	})
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{}, securebody.NewSecureBodyPlugin(key))
	defer client.Close()
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var reply string
	demo.OK(sess.Call("/keep", "the door code", &reply, securebody.WithSecureMeta()).Status())
	fmt.Println(reply)
	fmt.Println(sess.Call("/keep", "the door code", &reply).Status().Msg())
}

// Output:
// kept: the door code
// not in the open, please
