package proxy_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/proxy"
)

// bound is a plugin that tells where the endpoint listens.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

func Example() {
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello " + *name, nil
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer cli.Close()
	upstream, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	front := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, listening,
		proxy.NewProxyPlugin(func(l *proxy.Label) proxy.Forwarder {
			fmt.Println("forwarding", l.ServiceMethod)
			return upstream
		}))
	defer front.Close()
	go front.ListenAndServe()

	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	var text string
	fmt.Println(sess.Call("/greet", "world", &text).Status(), text)
	// Output:
	// forwarding /greet
	// <nil> hello world
}
