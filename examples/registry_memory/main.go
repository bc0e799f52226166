// Command registry_memory registers nodes, watches them come and go, and chooses among them.
package main

import (
	"context"
	"fmt"

	"github.com/osgochina/dmicro/examples/internal/demo"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/selector"
)

// shop is one node of a service.
func shop(id, version, weight string) *registry.Service {
	return &registry.Service{Name: "shop", Version: version, Nodes: []*registry.Node{{
		Id: id, Address: id + ".example:9091", Metadata: map[string]string{"weight": weight},
	}}}
}

func main() {
	nodes := memory.NewRegistry()
	watch, err := nodes.Watch(registry.OptWatchService("shop"))
	demo.Check(err)
	defer watch.Stop()
	see := func() {
		change, err := watch.Next()
		demo.Check(err)
		fmt.Println(change.Action, change.Service.Version, change.Service.Nodes[0].Id)
	}

	a, b, c := shop("a", "1.0.0", "1"), shop("b", "1.0.0", "3"), shop("c", "2.0.0", "1")
	for _, s := range []*registry.Service{a, b, c} {
		demo.Check(nodes.Register(s))
		see()
	}

	s := selector.NewSelector(
		selector.OptRegistry(nodes),
		selector.OptBalancer(selector.Weighted()),
		selector.OptFilter(selector.FilterVersion("1.0.0")),
	).(selector.Picker)
	defer s.Close()
	count := map[string]int{}
	for range 10_000 {
		choice, err := s.Pick(context.Background(), "shop", selector.Request{})
		demo.Check(err)
		count[choice.Node.Id]++
		choice.Done(selector.Succeeded)
	}
	fmt.Println("b has more than two thirds:", count["b"] > 6667, "- c has another version:", count["c"] == 0)

	demo.Check(nodes.Deregister(b))
	see()
	services, err := nodes.GetService("shop")
	demo.Check(err)
	for _, s := range services {
		fmt.Println("left:", s.Version, s.Nodes[0].Address)
	}
}

// Output:
// create 1.0.0 a
// create 1.0.0 b
// create 2.0.0 c
// b has more than two thirds: true - c has another version: true
// delete 1.0.0 b
// left: 1.0.0 a.example:9091
// left: 2.0.0 c.example:9091
