// Package greeter is a service and who asks it, for examples that are about how the two find each other.
package greeter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	_ "github.com/osgochina/dmicro/examples/internal/demo" // a log that leaves the output to the example
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/server"
)

// service is what both sides know of each other.
const service = "example-greeter"

// Role is which of the two a process is; it may be both.
type Role struct{ Serve, Ask bool }

// Flags lets the command line choose the role.
func Flags() *Role {
	r := new(Role)
	flag.BoolVar(&r.Serve, "serve", true, "be a server")
	flag.BoolVar(&r.Ask, "ask", true, "ask a server, and end; without it serve until Ctrl-C")
	return r
}

// Run serves, asks, or does both.
func (r *Role) Run(ctx context.Context, nodes registry.Registry, out io.Writer) error {
	if r.Serve {
		srv, err := server.New(service, server.OptRegistry(nodes)) // any port of all addresses
		if err != nil {
			return err
		}
		defer srv.Close()
		drpc.HandleCall(srv, "/greet", func(_ drpc.CallCtx, name *string) (string, *drpc.Status) {
			return "hello, " + *name, nil
		})
		var failed context.CancelCauseFunc
		ctx, failed = context.WithCancelCause(ctx)
		go func() { failed(srv.ListenAndServe()) }()
	}
	if r.Ask {
		return ask(ctx, nodes, out)
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ask asks whoever is there, and waits for a server where nobody is.
func ask(ctx context.Context, nodes registry.Registry, out io.Writer) error {
	cli, err := client.New(service, client.OptRegistry(nodes))
	if err != nil {
		return err
	}
	defer cli.Close()
	for {
		var answer string
		stat := cli.Call("/greet", "neighbour", &answer, drpc.WithContext(ctx)).Status()
		if stat.OK() {
			_, err = fmt.Fprintln(out, answer)
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
