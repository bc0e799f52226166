// Command plugin_event listens on an event bus to what an endpoint does.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/event"
	"github.com/osgochina/dmicro/eventbus"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	bus := eventbus.New("rpc")
	left := make(chan struct{})
	_, err := eventbus.On(bus, event.OnAcceptEvent, func(*event.OnAccept) error {
		fmt.Println("somebody has come")
		return nil
	})
	demo.Check(err)
	_, err = eventbus.On(bus, event.OnCloseEvent, func(*event.OnClose) error {
		fmt.Println("somebody has left")
		close(left)
		return nil
	})
	demo.Check(err)
	server := demo.Endpoint(drpc.EndpointConfig{}, event.NewEventPlugin(bus))
	defer server.Close()
	drpc.HandleCall(server, "/hello", func(drpc.CallCtx, *struct{}) (string, *drpc.Status) { return "hello", nil })
	addr := demo.Serve(server)

	client := demo.Endpoint(drpc.EndpointConfig{})
	sess, stat := client.Dial(addr)
	demo.OK(stat)
	var reply string
	demo.OK(sess.Call("/hello", nil, &reply).Status())
	fmt.Println(reply)
	demo.Check(client.Close())
	<-left
}

// Output:
// somebody has come
// hello
// somebody has left
