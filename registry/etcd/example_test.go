package etcd_test

import (
	"fmt"

	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/etcd"
)

// Nothing is connected before it is needed, so a registry can be made while etcd is away. Servers get it by
// server.OptRegistry, clients by client.OptRegistry.
func ExampleNewRegistry() {
	r := etcd.NewRegistry(
		registry.OptAddrList("10.0.0.1:2379", "10.0.0.2:2379"),
		etcd.Auth("dmicro", "the password"),
		etcd.Prefix("/shop/"),
	)
	fmt.Println(r, r.Options().AddrList)
	// Output: etcd [10.0.0.1:2379 10.0.0.2:2379]
}
