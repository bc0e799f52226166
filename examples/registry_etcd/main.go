// Command registry_etcd is a server and a client that find each other by etcd.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"time"

	"github.com/osgochina/dmicro/examples/internal/demo"
	"github.com/osgochina/dmicro/examples/internal/greeter"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/etcd"
)

func main() {
	role := greeter.Flags()
	address := flag.String("etcd", "127.0.0.1:2379", "addresses of etcd, separated by commas")
	prefix := flag.String("prefix", "/dmicro/example/", "what all keys begin with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	nodes := etcd.NewRegistry(
		registry.OptAddrList(*address),
		etcd.Prefix(*prefix),
		etcd.RegisterTTL(10*time.Second), // a server that died disappears after it
	)
	// It goes wherever a registry is wanted: server.OptRegistry(nodes), client.OptRegistry(nodes).
	demo.Check(role.Run(ctx, nodes, os.Stdout))
}

// Output:
// hello, neighbour
