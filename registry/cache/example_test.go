package cache_test

import (
	"context"
	"fmt"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/cache"
	"github.com/osgochina/dmicro/registry/memory"
)

func ExampleNew() {
	nodes := memory.NewRegistry()
	err := nodes.Register(&registry.Service{Name: "shop", Nodes: []*registry.Node{{Id: "a", Address: "10.0.0.7:9091"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cache.New(nodes)
	defer c.Stop()
	shop := c.Entry("shop") // once; Load is what each call does
	for range 2 {
		known, err := shop.Load(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(known.Services[0].Nodes[0].Address)
	}
	// Output:
	// 10.0.0.7:9091
	// 10.0.0.7:9091
}
