package registry_test

import (
	"context"
	"fmt"

	"github.com/osgochina/dmicro/registry"
)

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
