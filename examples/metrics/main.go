// Command metrics shows what a server and its client do on a page for Prometheus, together with a metric of its own.
package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/osgochina/dmicro/client"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/examples/internal/demo"
	"github.com/osgochina/dmicro/metrics"
	"github.com/osgochina/dmicro/metrics/prometheus"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/server"
)

func main() {
	// Port 0 takes a free one; a service has a fixed one, 9101 by default.
	m := prometheus.NewPromMetrics(metrics.OptHost("127.0.0.1"), metrics.OptPort(0), metrics.OptServiceName("shop"))
	orders := prom.NewCounter(prom.CounterOpts{Name: "shop_orders_total", Help: "Orders that were taken."})
	m.Registerer().MustRegister(orders)

	srv, err := server.New("shop", server.OptListenAddress("127.0.0.1:0"), server.OptWithoutRegistry(), server.OptMetrics(m))
	demo.Check(err)
	defer srv.Close()
	drpc.HandleCall(srv, "/order", func(_ drpc.CallCtx, pieces *int) (string, *drpc.Status) {
		if *pieces <= 0 {
			return "", drpc.NewStatus(1001, "order something")
		}
		orders.Add(1)
		return "taken", nil
	})
	addr := demo.Serve(srv.Endpoint())
	m.Start() // ListenAndServe of the server would have done it

	cli, err := client.New("shop", client.OptCustomService(
		&registry.Service{Name: "shop", Nodes: []*registry.Node{{Id: "1", Address: addr}}}))
	demo.Check(err)
	defer cli.Close()
	for _, pieces := range []int{1, 2, 3, 0} {
		cli.Call("/order", pieces, new(string))
	}
	cli.Call("/nothing/like/that", "", nil)

	resp, err := http.Get("http://" + m.Addr().String() + "/metrics")
	demo.Check(err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	demo.Check(err)
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "rpc_server_reply_code_total") || strings.HasPrefix(line, "shop_") ||
			strings.HasPrefix(line, "rpc_sessions{") {
			fmt.Print(line)
		}
	}
}

// Output:
// rpc_server_reply_code_total{code="0",name="shop",path="/order"} 3
// rpc_server_reply_code_total{code="1001",name="shop",path="/order"} 1
// rpc_server_reply_code_total{code="404",name="shop",path="unknown"} 1
// rpc_sessions{name="shop"} 1
// shop_orders_total 3
