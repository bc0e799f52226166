// Command registry_mdns is a server and a client that find each other by multicast DNS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/server"
)

const service = "example-greeter"

func main() {
	asServer := flag.Bool("serve", false, "be the server; without it be a client")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := call
	if *asServer {
		run = serve
	}
	if err := run(ctx, registry.NewRegistry(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// serve greets until ctx is done.
func serve(ctx context.Context, nodes registry.Registry, _ io.Writer) error {
	srv, err := server.New(service, server.OptRegistry(nodes)) // any port of all addresses
	if err != nil {
		return err
	}
	drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
		return "hello, " + *name, nil
	})
	defer context.AfterFunc(ctx, srv.Close)()
	if err := srv.ListenAndServe(); !errors.Is(err, drpc.ErrListenClosed) {
		return err
	}
	srv.Close() // returns when the server is closed
	return nil
}

// call asks whoever is there, and waits for a server if nobody is.
func call(ctx context.Context, nodes registry.Registry, out io.Writer) error {
	cli, err := client.New(service, client.OptRegistry(nodes))
	if err != nil {
		return err
	}
	defer cli.Close()
	for {
		var answer string
		stat := cli.Call("/greet", "neighbour", &answer).Status()
		if stat == nil {
			_, err := fmt.Fprintln(out, answer)
			return err
		}
		select {
		case <-ctx.Done():
			return stat.Cause()
		case <-time.After(time.Second):
		}
	}
}
