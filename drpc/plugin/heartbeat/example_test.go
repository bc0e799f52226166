package heartbeat_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/heartbeat"
)

// bound is a plugin that tells where the endpoint listens.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

// The client asks after 5 seconds of silence, and dials anew if the server has gone or has stopped.
func Example() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, heartbeat.NewPong(), listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello " + *name, nil
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{RedialTimes: -1}, heartbeat.NewPing(5, true))
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	var text string
	fmt.Println(sess.Call("/greet", "world", &text).Status(), text)
	// Output: <nil> hello world
}
