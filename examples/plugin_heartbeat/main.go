// Command plugin_heartbeat notices a peer that answers nothing any more.
package main

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/heartbeat"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	// A server that takes connections and is dead otherwise.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	demo.Check(err)
	defer ln.Close()

	client := demo.Endpoint(drpc.EndpointConfig{}, heartbeat.NewPing(3, true)) // seconds; the least there is
	defer client.Close()
	sess, stat := client.Dial(ln.Addr().String())
	demo.OK(stat)
	stat = sess.Call("/hello", nil, nil).Status() // without a deadline: it would wait for ever
	fmt.Println(stat.Msg())
}

// Output:
// Connection Closed
