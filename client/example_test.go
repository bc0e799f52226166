package client_test

import (
	"fmt"
	"time"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/server"
)

func Example() {
	nodes := memory.NewRegistry() // across processes: registry/etcd, or the default one
	srv := server.NewRpcServer("calculator", server.OptListenAddress("127.0.0.1:0"), server.OptRegistry(nodes))
	drpc.HandleCall(srv, "/sum", func(_ drpc.CallCtx, arg *[]int) (int, *drpc.Status) {
		sum := 0
		for _, n := range *arg {
			sum += n
		}
		return sum, nil
	})
	go func() { _ = srv.ListenAndServe() }()
	defer srv.Close()

	cli := client.NewRpcClient("calculator", client.OptRegistry(nodes))
	defer cli.Close()
	for range 1000 { // the server may need a moment
		var sum int
		if stat := cli.Call("/sum", []int{1, 2, 3}, &sum).Status(); stat == nil {
			fmt.Println(sum)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	// Output: 6
}
