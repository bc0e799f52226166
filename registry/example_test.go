package registry_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

// An endpoint that is registered as long as it listens.
func ExampleNewPlugin() {
	nodes := memory.NewRegistry() // across processes: registry/etcd, or registry.NewRegistry
	e := drpc.NewEndpoint(drpc.EndpointConfig{ListenIP: "127.0.0.1"}, registry.NewPlugin(nodes, registry.PluginConfig{
		ServiceName: "shop", Version: "1.2.0", Metadata: map[string]string{"zone": "east"},
	}))
	watch, err := nodes.Watch(registry.OptWatchService("shop"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer watch.Stop()
	served := make(chan error, 1)
	go func() { served <- e.ListenAndServe() }()

	change, err := watch.Next() // waits until it listens
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.Action, change.Service.Name, change.Service.Version, change.Service.Nodes[0].Metadata["zone"])

	if err := e.Close(); err != nil {
		fmt.Println(err)
	}
	<-served
	_, err = nodes.GetService("shop")
	fmt.Println(errors.Is(err, registry.ErrNotFound))
	// Output:
	// create shop 1.2.0 east
	// true
}

// For those who write a registry: they say what there is now and then, and watchers see what changed.
func ExampleFeed() {
	feed := registry.NewFeed(context.Background())
	defer feed.Stop()
	for _, addresses := range [][]string{{"10.0.0.7:9091"}, {"10.0.0.7:9091", "10.0.0.8:9091"}, {"10.0.0.8:9091"}} {
		service := &registry.Service{Name: "shop", Version: "1"}
		for _, a := range addresses {
			service.Nodes = append(service.Nodes, &registry.Node{Id: a, Address: a})
		}
		feed.Set([]*registry.Service{service})
		change, err := feed.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(change.Action, change.Service.Nodes[0].Address)
	}
	// Output:
	// create 10.0.0.7:9091
	// create 10.0.0.8:9091
	// delete 10.0.0.7:9091
}

// Nodes of one version that were written down apart become one service.
func ExampleMerge() {
	for _, s := range registry.Merge([]*registry.Service{
		{Name: "shop", Version: "2", Nodes: []*registry.Node{{Id: "c"}}},
		{Name: "shop", Version: "1", Nodes: []*registry.Node{{Id: "b"}}},
		{Name: "shop", Version: "1", Nodes: []*registry.Node{{Id: "a"}}},
	}) {
		fmt.Println(s.Name, s.Version, len(s.Nodes))
	}
	// Output:
	// shop 1 2
	// shop 2 1
}
