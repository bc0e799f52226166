// Command plugin shows hooks: one plugin is on both sides and implements the hooks that it needs, of the 27 there are.
package main

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

// stamp sends a meta key along and wants to see it.
type stamp struct{ text string }

func (stamp) Name() string { return "stamp" }

// BeforeWriteCall runs before a call is sent.
func (s stamp) BeforeWriteCall(ctx drpc.WriteCtx) *drpc.Status {
	if s.text != "" {
		ctx.Output().Meta().Set("stamp", s.text)
	}
	return nil
}

// AfterReadCallHeader runs when the header of a call was read; a status answers the call without its handler.
func (stamp) AfterReadCallHeader(ctx drpc.ReadCtx) *drpc.Status {
	if ctx.PeekMeta("stamp") == nil {
		return drpc.NewStatus(1001, "no stamp")
	}
	return nil
}

// The compiler says which hooks the plugin has: a misspelt method would be no hook.
var (
	_ drpc.BeforeWriteCallPlugin     = stamp{}
	_ drpc.AfterReadCallHeaderPlugin = stamp{}
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{}, stamp{})
	defer server.Close()
	drpc.HandleCall(server, "/hello", func(ctx drpc.CallCtx, _ *struct{}) (string, *drpc.Status) {
		return fmt.Sprint("stamped by ", ctx.PeekMeta("stamp")), nil
	})
	addr := demo.Serve(server)

	for _, text := range []string{"the post", ""} {
		client := demo.Endpoint(drpc.EndpointConfig{}, stamp{text})
		sess, stat := client.Dial(addr)
		demo.OK(stat)
		var reply string
		stat = sess.Call("/hello", nil, &reply).Status()
		fmt.Printf("%d %q %q\n", stat.Code(), stat.Msg(), reply)
		demo.Check(client.Close())
	}
}

// Output:
// 0 "" "stamped by the post"
// 1001 "no stamp" ""
