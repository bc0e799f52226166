// Command reload is an application that is replaced while it is called. "reload start" serves, "reload reload" puts a new
// process in its place, and "reload load" makes calls meanwhile and counts what became of each.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver"
	"github.com/osgochina/dmicro/logger"
)

// options are what both sides are told on the command line. A reload passes them on.
type options struct {
	port   uint16
	ledger string
}

// Ledger is the sandbox: it enters each call into a file.
type Ledger struct {
	dserver.BaseSandbox
	options *options
}

// Name implements dserver.ISandbox.
func (l *Ledger) Name() string { return "Ledger" }

// Setup serves until the sandbox is stopped, or until the sessions have moved to the next process.
func (l *Ledger) Setup() error {
	file, err := os.OpenFile(l.options.ledger, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	cfg := l.Config.EndpointConfig(l.Name())
	cfg.ListenIP, cfg.ListenPort = "127.0.0.1", l.options.port
	endpoint, err := drpc.New(cfg)
	if err != nil {
		return err
	}
	drpc.HandleCall(endpoint, "/ledger/enter", func(_ drpc.CallCtx, id *string) (int, *drpc.Status) {
		if _, err := file.WriteString(*id + "\n"); err != nil { // one write: lines of two processes do not mix
			return 0, drpc.NewStatus(drpc.CodeInternalServerError, "not entered", err)
		}
		return os.Getpid(), nil
	})
	defer func() { _ = endpoint.Close() }()
	context.AfterFunc(l.Context, func() { _ = endpoint.Close() })
	return endpoint.ListenAndServe()
}

// Shutdown has nothing to add: the end of the context ends Setup.
func (l *Ledger) Shutdown() error { return nil }

func main() {
	var o options
	dserver.SetName("reload")
	dserver.Cobra(func(root *cobra.Command) {
		root.PersistentFlags().Uint16Var(&o.port, "port", 9092, "port on the loopback interface")
		root.PersistentFlags().StringVar(&o.ledger, "ledger", "ledger.txt", "file in which calls are entered")
		root.AddCommand(loadCommand(&o))
	})
	dserver.Setup(func(svr *dserver.DServer) {
		if err := svr.AddSandBox(&Ledger{options: &o}); err != nil {
			logger.Fatal(context.Background(), err)
		}
	})
}
