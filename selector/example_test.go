package selector_test

import (
	"context"
	"fmt"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
	"github.com/osgochina/dmicro/selector"
)

// Choosing a node for each call, and saying how the call went.
func ExampleNewSelector() {
	nodes := memory.NewRegistry()
	err := nodes.Register(&registry.Service{Name: "shop", Version: "1", Nodes: []*registry.Node{
		{Id: "a", Address: "10.0.0.7:9091", Metadata: map[string]string{"zone": "east"}},
		{Id: "b", Address: "10.0.0.8:9091", Metadata: map[string]string{"zone": "west"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := selector.NewSelector(selector.OptRegistry(nodes), selector.OptFilter(selector.FilterLabel("zone", "west")))
	defer s.Close()
	picker := s.(selector.Picker)
	for range 2 {
		choice, err := picker.Pick(context.Background(), "shop", selector.Request{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("calling", choice.Node.Address)
		choice.Done(selector.Succeeded)
	}
	// Output:
	// calling 10.0.0.8:9091
	// calling 10.0.0.8:9091
}

// Equal keys go to the same node.
func ExampleConsistentHash() {
	nodes := memory.NewRegistry()
	shop := &registry.Service{Name: "shop", Version: "1"}
	for i := range 10 {
		shop.Nodes = append(shop.Nodes, &registry.Node{Id: fmt.Sprint(i), Address: fmt.Sprintf("10.0.0.%d:9091", i)})
	}
	if err := nodes.Register(shop); err != nil {
		fmt.Println(err)
		return
	}
	s := selector.NewSelector(selector.OptRegistry(nodes), selector.OptBalancer(selector.ConsistentHash(0)))
	defer s.Close()
	chosen := make(map[string]bool)
	for range 100 {
		choice, err := s.(selector.Picker).Pick(context.Background(), "shop", selector.Request{Key: "customer 7"})
		if err != nil {
			fmt.Println(err)
			return
		}
		chosen[choice.Node.Address] = true
		choice.Done(selector.Succeeded)
	}
	fmt.Println(len(chosen))
	// Output: 1
}

// fewest is a way of choosing of one's own: the node with the fewest calls in flight.
type fewest struct{ members []*selector.Member }

func (fewest) String() string { return "fewest calls" }

// Build is called when the nodes change.
func (fewest) Build(members []*selector.Member, _ selector.Chooser) selector.Chooser {
	return fewest{members}
}

// Choose is called for each call.
func (f fewest) Choose(selector.Request) *selector.Member {
	best := f.members[0]
	for _, m := range f.members[1:] {
		if m.InFlight() < best.InFlight() {
			best = m
		}
	}
	return best
}

func ExampleBalancer() {
	nodes := memory.NewRegistry()
	err := nodes.Register(&registry.Service{Name: "shop", Version: "1", Nodes: []*registry.Node{
		{Id: "a", Address: "10.0.0.7:9091"}, {Id: "b", Address: "10.0.0.8:9091"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := selector.NewSelector(selector.OptRegistry(nodes), selector.OptBalancer(fewest{}))
	defer s.Close()
	for range 2 {
		choice, err := s.(selector.Picker).Pick(context.Background(), "shop", selector.Request{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(choice.Node.Address)
		defer choice.Done(selector.Succeeded) // the calls are under way at the same time
	}
	// Output:
	// 10.0.0.7:9091
	// 10.0.0.8:9091
}
