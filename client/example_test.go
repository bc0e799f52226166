package client_test

import (
	"fmt"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/server"
)

// registered waits until a service has a node.
func registered(r registry.Registry, service string) error {
	w, err := r.Watch(registry.OptWatchService(service))
	if err != nil {
		return err
	}
	defer w.Stop()
	_, err = w.Next()
	return err
}

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
	if err := registered(nodes, "calculator"); err != nil {
		fmt.Println(err)
		return
	}

	cli := client.NewRpcClient("calculator", client.OptRegistry(nodes))
	defer cli.Close()
	var sum int
	if stat := cli.Call("/sum", []int{1, 2, 3}, &sum).Status(); !stat.OK() {
		fmt.Println(stat)
		return
	}
	fmt.Println(sum)
	// Output: 6
}
