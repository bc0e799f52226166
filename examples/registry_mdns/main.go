// Command registry_mdns is a server and a client that find each other by multicast DNS.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"

	"github.com/osgochina/dmicro/examples/internal/demo"
	"github.com/osgochina/dmicro/examples/internal/greeter"
	"github.com/osgochina/dmicro/registry"
)

func main() {
	role := greeter.Flags()
	domain := flag.String("domain", "dmicro", "registries of different domains do not see each other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	nodes := registry.NewRegistry(registry.OptDomain(*domain))
	// It goes wherever a registry is wanted: server.OptRegistry(nodes), client.OptRegistry(nodes).
	demo.Check(role.Run(ctx, nodes, os.Stdout))
}

// Output:
// hello, neighbour
