// Command multiclient calls one server over a pool of sessions that grows with the load and shrinks when it is idle.
package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/multiclient"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

func main() {
	server := demo.Endpoint(drpc.EndpointConfig{})
	defer server.Close()
	drpc.HandleCall(server, "/square", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) { return *n * *n, nil })
	addr := demo.Serve(server)

	client := multiclient.New(demo.Endpoint(drpc.EndpointConfig{}), addr, time.Minute)
	defer client.Close()
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		sum int
	)
	for i := range 100 {
		wg.Go(func() {
			var square int
			demo.OK(client.Call("/square", i, &square).Status())
			mu.Lock()
			defer mu.Unlock()
			sum += square
		})
	}
	wg.Wait()
	fmt.Println(sum)
}

// Output:
// 328350
