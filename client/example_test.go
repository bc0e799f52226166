package client_test

import (
	"fmt"
	"time"

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

// Every node of a service, each once: two that answer with what they are called, and one where nobody is.
func ExampleRpcClient_CallAll() {
	shop := &registry.Service{Name: "shop", Nodes: []*registry.Node{{Id: "gone", Address: "127.0.0.1:1"}}}
	for _, name := range []string{"left", "right"} {
		srv, err := server.New("shop", server.OptListenAddress("127.0.0.1:0"), server.OptWithoutRegistry())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer srv.Close()
		drpc.HandleCall(srv, "/name", func(drpc.CallCtx, *string) (string, *drpc.Status) { return name, nil })
		go func() { _ = srv.ListenAndServe() }()
		for !srv.Ready() { // it needs a moment
			time.Sleep(time.Millisecond)
		}
		shop.Nodes = append(shop.Nodes, &registry.Node{Id: name, Address: srv.Addrs()[0].String()})
	}

	cli, err := client.New("shop", client.OptCustomService(shop))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	replies, stat := cli.CallAll("/name", "", func() any { return new(string) })
	if !stat.OK() { // there is no node at all
		fmt.Println(stat)
		return
	}
	for _, r := range replies {
		if !r.Status.OK() {
			fmt.Println(r.Node.Id, drpc.CodeText(r.Status.Code()))
			continue
		}
		fmt.Println(r.Node.Id, *r.Result.(*string))
	}
	// Unordered output:
	// gone Dial Failed
	// left left
	// right right
}
