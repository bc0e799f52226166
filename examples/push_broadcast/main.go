// Command push_broadcast sends one message to every session of a server.
package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/subscribe", func(ctx drpc.CallCtx, _ *struct{}) (bool, *drpc.Status) {
		ctx.Session().Swap().Set("subscribed", true)
		return true, nil
	})
	addr := demo.Serve(server)

	var heard sync.WaitGroup
	for i := range 3 {
		client := demo.Endpoint(drpc.EndpointConfig{})
		defer client.Close()
		heard.Add(1)
		drpc.HandlePush(client, "/news", func(_ drpc.PushCtx, text *string) *drpc.Status {
			defer heard.Done()
			fmt.Printf("client %d hears: %s\n", i, *text)
			return nil
		})
		sess, stat := client.Dial(addr)
		demo.OK(stat)
		demo.OK(sess.Call("/subscribe", nil, new(bool)).Status())
	}

	// The body is encoded once. A client whose queue is full loses its session instead of holding up the others.
	news := drpc.NewBroadcaster(server, drpc.BroadcastConfig{
		Policy: drpc.StallClose,
		Filter: func(sess drpc.Session) bool { return sess.Swap().Contains("subscribed") },
	})
	result, stat := news.Push(context.Background(), "/news", "lunch is ready")
	demo.OK(stat)
	heard.Wait()
	fmt.Println("sent to", result.Queued)
}

// Unordered output:
// client 0 hears: lunch is ready
// client 1 hears: lunch is ready
// client 2 hears: lunch is ready
// sent to 3
