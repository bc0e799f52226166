package multiclient_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/mixer/multiclient"
)

// Calls at the same time go over several sessions, as many as it takes up to the limit.
func Example() {
	srv := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"})
	defer srv.Close()
	drpc.HandleCall(srv, "/square", func(_ drpc.CallCtx, n *int) (int, *drpc.Status) { return *n * *n, nil })
	go srv.ListenAndServe()
	for len(srv.Addrs()) == 0 { // the server needs a moment
		time.Sleep(time.Millisecond)
	}

	endpoint := drpc.NewEndpoint(drpc.EndpointConfig{})
	defer endpoint.Close()
	cli := multiclient.NewWith(endpoint, srv.Addrs()[0].String(), multiclient.Options{MaxSessions: 4})
	defer cli.Close()
	var wg sync.WaitGroup
	var sum atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			var square int64
			if stat := cli.Call("/square", i, &square).Status(); !stat.OK() {
				fmt.Println(stat)
			}
			sum.Add(square)
		})
	}
	wg.Wait()
	fmt.Println(sum.Load(), srv.CountSession() <= 4)
	// Output: 328350 true
}
