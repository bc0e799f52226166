package event_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/event"
	"github.com/osgochina/dmicro/eventbus"
)

// bound is a plugin that tells where the endpoint listens.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

// A server whose log of what happens is a listener.
func Example() {
	bus := eventbus.New("rpc")
	over := make(chan struct{})
	if _, err := eventbus.On(bus, event.OnAcceptEvent, func(*event.OnAccept) error {
		fmt.Println("somebody is here")
		return nil
	}); err != nil {
		fmt.Println(err)
	}
	if _, err := eventbus.On(bus, event.OnReceiveEvent, func(e *event.OnReceive) error {
		fmt.Println("received", e.ReadCtx.ServiceMethod())
		return nil
	}); err != nil {
		fmt.Println(err)
	}
	if _, err := eventbus.On(bus, event.OnCloseEvent, func(*event.OnClose) error {
		fmt.Println("and gone")
		close(over)
		return nil
	}); err != nil {
		fmt.Println(err)
	}

	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, event.NewEventPlugin(bus), listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello " + *name, nil
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	sess.Call("/greet", "world", new(string))
	cli.Close()
	<-over
	// Output:
	// somebody is here
	// received /greet
	// and gone
}
