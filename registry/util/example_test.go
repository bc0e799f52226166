package util_test

import (
	"fmt"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/util"
)

// What a cache returns is shared; a copy may be changed.
func ExampleCopy() {
	shared := []*registry.Service{{Name: "shop", Nodes: []*registry.Node{{Id: "a", Address: "10.0.0.7:9091"}}}}
	own := util.Copy(shared)
	own[0].Nodes[0].Address = "127.0.0.1:9091"
	fmt.Println(shared[0].Nodes[0].Address, own[0].Nodes[0].Address)
	// Output: 10.0.0.7:9091 127.0.0.1:9091
}
