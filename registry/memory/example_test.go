package memory_test

import (
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

func Example() {
	r := memory.NewRegistry()
	shop := &registry.Service{Name: "shop", Version: "1", Nodes: []*registry.Node{{Id: "a", Address: "10.0.0.7:9091"}}}
	if err := r.Register(shop); err != nil {
		fmt.Println(err)
		return
	}
	found, err := r.GetService("shop")
	fmt.Println(found[0].Nodes[0].Address, err)

	fmt.Println(r.Deregister(shop))
	_, err = r.GetService("shop")
	fmt.Println(errors.Is(err, registry.ErrNotFound))
	// Output:
	// 10.0.0.7:9091 <nil>
	// <nil>
	// true
}
