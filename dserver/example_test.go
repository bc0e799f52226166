package dserver_test

import (
	"fmt"

	"github.com/gogf/gf/v2/os/gcfg"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver"
)

// orders is a sandbox: business code that the application starts and stops.
type orders struct {
	dserver.BaseSandbox
	endpoint drpc.Endpoint
}

// Name is what the sandbox is called on the command line, and its section in the configuration.
func (o *orders) Name() string { return "orders" }

// Setup serves until Shutdown.
func (o *orders) Setup() (err error) {
	if o.endpoint, err = drpc.New(o.Config.EndpointConfig(o.Name())); err != nil {
		return err
	}
	drpc.HandleCall(o.endpoint, "/orders/count", func(drpc.CallCtx, *struct{}) (int, *drpc.Status) { return 3, nil })
	return o.endpoint.ListenAndServe()
}

// Shutdown finishes what is under way.
func (o *orders) Shutdown() error { return o.endpoint.Close() }

// The main function of an application: go run . start, go run . ctl ps, go run . stop.
func ExampleSetup() {
	dserver.SetName("shop")
	dserver.Setup(func(svr *dserver.DServer) {
		if err := svr.AddSandBox(new(orders)); err != nil {
			fmt.Println(err)
		}
	})
}

// The section of a sandbox becomes the configuration of its endpoint.
func ExampleConfig_EndpointConfig() {
	file, err := gcfg.NewAdapterContent(`
[sandbox.orders]
Network = "tcp"
ListenIP = "127.0.0.1"
ListenPort = 9091
DefaultBodyCodec = "json"
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	config := &dserver.Config{Config: gcfg.NewWithAdapter(file)}
	endpoint := config.EndpointConfig("orders")
	fmt.Println(endpoint.Network, endpoint.ListenIP, endpoint.ListenPort, endpoint.DefaultBodyCodec)
	// Output: tcp 127.0.0.1 9091 json
}
