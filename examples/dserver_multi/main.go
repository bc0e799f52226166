// Command dserver_multi is an application of two processes that a third one looks after: a service that answers calls,
// and one that answers HTTP requests with what the first one says.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gogf/gf/v2/frame/g"
	"github.com/gogf/gf/v2/net/ghttp"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/dserver"
	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/logger"
)

// port returns the port in the environment variable, else the usual one.
func port(variable string, usual int) int {
	if n, err := strconv.ParseUint(os.Getenv(variable), 10, 16); err == nil {
		return int(n)
	}
	return usual
}

func callPort() int { return port("CALL_PORT", 9091) }
func webPort() int  { return port("WEB_PORT", 8080) }

// clock answers /time.
type clock struct{ dserver.BaseSandbox }

func (c *clock) Name() string { return "clock" }

func (c *clock) Setup() error {
	cfg := c.Config.EndpointConfig(c.Name())
	cfg.ListenIP, cfg.ListenPort = "127.0.0.1", uint16(callPort())
	endpoint, err := drpc.New(cfg)
	if err != nil {
		return err
	}
	defer endpoint.Close()
	context.AfterFunc(c.Context, func() { endpoint.Close() })
	drpc.HandleCall(endpoint, "/time", func(drpc.CallCtx, *struct{}) (string, *drpc.Status) {
		return fmt.Sprintf("%s, says process %d", time.Now().Format(time.TimeOnly), os.Getpid()), nil
	})
	return endpoint.ListenAndServe()
}

func (c *clock) Shutdown() error { return nil }

// web answers HTTP with what the clock says.
type web struct {
	dserver.BaseSandbox
	server *ghttp.Server
	drain  graceful.HTTPDrain
	client drpc.Endpoint
}

func (w *web) Name() string { return "web" }

func (w *web) Setup() error {
	ln, err := dserver.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(webPort())))
	if err != nil {
		return err
	}
	if w.client, err = drpc.New(drpc.EndpointConfig{RedialTimes: -1}); err != nil {
		return err
	}
	calls, stat := w.client.Dial(net.JoinHostPort("127.0.0.1", strconv.Itoa(callPort())))
	if !stat.OK() {
		return errors.New(stat.String())
	}
	w.server = g.Server(w.Name())
	w.server.SetDumpRouterMap(false)
	w.server.Use(func(r *ghttp.Request) {
		if w.drain.Leaving() { // the next request of this client shall reach the next process
			r.Response.Header().Set("Connection", "close")
		}
		r.Middleware.Next()
	})
	w.server.BindHandler("/", func(r *ghttp.Request) {
		var now string
		if stat := calls.Call("/time", nil, &now, drpc.WithContext(r.Context())).Status(); !stat.OK() {
			r.Response.WriteStatus(http.StatusBadGateway, stat.Msg())
			return
		}
		r.Response.Writeln(now)
	})
	if err := w.server.SetListener(w.drain.Listener(ln)); err != nil {
		return err
	}
	return w.server.Start()
}

func (w *web) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := w.drain.Wait(ctx)
	if stop := w.server.Shutdown(); stop != nil && !errors.Is(stop, http.ErrServerClosed) {
		err = errors.Join(err, stop)
	}
	return errors.Join(err, w.client.Close())
}

func main() {
	dserver.SetName("clock")
	dserver.Setup(func(svr *dserver.DServer) {
		svr.ProcessModel(dserver.ProcessModelMulti)
		// The master listens, so that nobody is refused while the processes of a service follow one another.
		svr.SetInheritListener([]dserver.InheritAddr{
			{Network: "tcp", Host: "127.0.0.1", Port: callPort()},
			{Network: "tcp", Host: "127.0.0.1", Port: webPort()},
		})
		if err := errors.Join(
			svr.AddSandBox(new(clock), svr.NewService("calls")),
			svr.AddSandBox(new(web), svr.NewService("web")),
		); err != nil {
			logger.Fatal(context.Background(), err)
		}
	})
}
