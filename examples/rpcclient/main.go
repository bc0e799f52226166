// Command rpcclient calls a service of three nodes: one fails, and calls go elsewhere; all of them get a broadcast.
package main

import (
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
	"github.com/osgochina/dmicro/registry"
)

// node serves one node of the service.
func node(name string) (drpc.Endpoint, *registry.Node) {
	e := demo.Endpoint(drpc.EndpointConfig{})
	drpc.HandleCall(e, "/hello", func(_ drpc.CallCtx, arg *string) (string, *drpc.Status) {
		return "hello " + *arg, nil
	})
	drpc.HandleCall(e, "/who", func(drpc.CallCtx, *string) (string, *drpc.Status) { return name, nil })
	drpc.HandleCall(e, "/get", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		if name == "ann" { // it loses its connection whenever it is asked
			drpc.Cut(c.Session().(drpc.Session), errors.New("on purpose"))
		}
		return "found", nil
	})
	return e, &registry.Node{Id: name, Address: demo.Serve(e)}
}

func main() {
	ann, first := node("ann")
	bob, second := node("bob")
	eve, third := node("eve")
	defer ann.Close()
	defer bob.Close()

	cli, err := client.New("greeter",
		client.OptCustomService(&registry.Service{Name: "greeter", Nodes: []*registry.Node{first, second, third}}),
		client.OptRetryTimes(3), client.OptIdempotent("/get"))
	demo.Check(err)
	defer cli.Close()

	demo.Check(eve.Close()) // nobody has told the client
	lost := 0
	for range 100 {
		var reply string
		if stat := cli.Call("/hello", "you", &reply).Status(); stat != nil {
			lost++
		}
	}
	fmt.Println("calls lost with one of three nodes gone:", lost)

	lost = 0
	for range 20 { // those that ann cut off were tried again: reading twice does no harm
		var reply string
		if stat := cli.Call("/get", "", &reply).Status(); stat != nil {
			lost++
		}
	}
	fmt.Println("idempotent calls lost:", lost)

	replies, stat := cli.CallAll("/who", "", func() any { return new(string) })
	demo.OK(stat)
	for _, r := range replies {
		if r.Status != nil {
			fmt.Println(r.Node.Id+":", r.Status.Msg())
		} else {
			fmt.Println(r.Node.Id+":", *r.Result.(*string), "is here")
		}
	}
}

// Output:
// calls lost with one of three nodes gone: 0
// idempotent calls lost: 0
// ann: ann is here
// bob: bob is here
// eve: Dial Failed
