// Command server is the smallest DMicro application: one sandbox that serves
// one method, /math/add, over TCP.
//
//	go run ./examples/quickstart/server start
//
// The port is 9091 unless MATH_PORT or the configuration key
// sandbox.MathSandbox.ListenPort says otherwise; --port on the command line
// goes before both.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver"
	"github.com/osgochina/dmicro/logger"
)

const defaultPort = 9091

// MathSandbox serves Math.
type MathSandbox struct {
	dserver.BaseSandbox
	port *uint16 // --port; 0 is not given
}

// Name is also the name of the sandbox's table in the configuration file.
func (s *MathSandbox) Name() string { return "MathSandbox" }

// Setup serves until the sandbox is stopped, which ends its Context.
func (s *MathSandbox) Setup() error {
	cfg := s.Config.EndpointConfig(s.Name())
	port, err := choosePort(*s.port, os.Getenv("MATH_PORT"), cfg.ListenPort)
	if err != nil {
		return err
	}
	cfg.ListenPort = port
	endpoint, err := drpc.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = endpoint.Close() }() // waits for the one below, and that for the calls being answered
	context.AfterFunc(s.Context, func() {
		if err := endpoint.Close(); err != nil {
			logger.Warningf(context.Background(), "close: %v", err)
		}
	})
	endpoint.RouteCall(new(Math))
	return endpoint.ListenAndServe()
}

// Shutdown has nothing to add: when Setup returns, everything is closed.
func (s *MathSandbox) Shutdown() error { return nil }

// choosePort takes the first of flag, environment and configuration that is set.
func choosePort(flag uint16, env string, config uint16) (uint16, error) {
	switch {
	case flag != 0:
		return flag, nil
	case env != "":
		n, err := strconv.ParseUint(env, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("MATH_PORT: %w", err)
		}
		return uint16(n), nil
	case config != 0:
		return config, nil
	}
	return defaultPort, nil
}

// Math is a controller: each of its methods answers a call.
type Math struct {
	drpc.CallCtx
}

// Add answers /math/add with the sum of the numbers.
func (m *Math) Add(numbers *[]int) (int, *drpc.Status) {
	logger.Printf(m.Context(), "add %v, author: %v", *numbers, m.PeekMeta("author"))
	sum := 0
	for _, n := range *numbers {
		sum += n
	}
	return sum, nil
}

func main() {
	var port uint16
	dserver.Authors = "The DMicro Authors"
	dserver.SetName("quickstart")
	dserver.Cobra(func(root *cobra.Command) {
		root.PersistentFlags().Uint16Var(&port, "port", 0, "port to listen on")
	})
	dserver.Setup(func(svr *dserver.DServer) {
		if err := svr.AddSandBox(&MathSandbox{port: &port}); err != nil {
			logger.Fatal(context.Background(), err)
		}
	})
}
