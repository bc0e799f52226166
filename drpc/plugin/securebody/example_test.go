package securebody_test

import (
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/plugin/securebody"
)

// bound is a plugin that tells where the endpoint listens.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

func Example() {
	const key = "sixteen bytes at least, and random" // both sides know it
	listening := make(bound, 1)
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, securebody.NewSecureBodyPlugin(key), listening)
	defer srv.Close()
	drpc.HandleCall(srv, "/greet", func(c drpc.CallCtx, name *string) (string, *drpc.Status) {
		return fmt.Sprintf("hello %s (secured: %v)", *name, securebody.Secured(c)), nil
	})
	go srv.ListenAndServe()

	cli := drpc.NewEndpoint(drpc.EndpointConfig{}, securebody.NewSecureBodyPlugin(key))
	defer cli.Close()
	sess, stat := cli.Dial((<-listening).String())
	if stat != nil {
		fmt.Println(stat)
		return
	}
	var text string
	fmt.Println(sess.Call("/greet", "world", &text, securebody.WithSecureMeta()).Status(), text)
	// Output: <nil> hello world (secured: true)
}
