// Command dserver_single is an application of one process with two sandboxes: one answers calls, the other works on its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver"
	"github.com/osgochina/dmicro/logger"
)

// beats is what one sandbox counts and the other tells.
var beats atomic.Int64

// heart is a sandbox that needs no network.
type heart struct{ dserver.BaseSandbox }

func (h *heart) Name() string { return "heart" }

// Setup works until the sandbox is stopped, which ends its Context.
func (h *heart) Setup() error {
	for tick := time.Tick(100 * time.Millisecond); ; beats.Add(1) {
		select {
		case <-tick:
		case <-h.Context.Done():
			return nil
		}
	}
}

func (h *heart) Shutdown() error { return nil }

// doctor is a sandbox that answers /pulse. Its port is in the configuration file: the table sandbox.doctor, ListenPort.
type doctor struct{ dserver.BaseSandbox }

func (d *doctor) Name() string { return "doctor" }

// Setup serves until the sandbox is stopped. After a reload it does so in the next process, with the same listener.
func (d *doctor) Setup() error {
	cfg := d.Config.EndpointConfig(d.Name())
	if cfg.ListenPort == 0 {
		cfg.ListenPort = 9091
	}
	endpoint, err := drpc.New(cfg)
	if err != nil {
		return err
	}
	defer endpoint.Close() // waits for the calls that are being answered
	context.AfterFunc(d.Context, func() { endpoint.Close() })
	drpc.HandleCall(endpoint, "/pulse", func(drpc.CallCtx, *struct{}) (string, *drpc.Status) {
		return fmt.Sprintf("%d beats in process %d", beats.Load(), os.Getpid()), nil
	})
	return endpoint.ListenAndServe()
}

func (d *doctor) Shutdown() error { return nil }

func main() {
	dserver.SetName("single")
	dserver.Setup(func(svr *dserver.DServer) {
		if err := errors.Join(svr.AddSandBox(new(heart)), svr.AddSandBox(new(doctor))); err != nil {
			logger.Fatal(context.Background(), err)
		}
	})
}
