// Package demo has what every example needs and none is about: a free port to listen at, an end when something fails,
// and a log that leaves the output to the example.
package demo

import (
	"log"
	"net"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/logger"
)

func init() {
	logger.SetLevel(logger.LevelError | logger.LevelCritical)
}

// bound is a plugin that tells where its endpoint listens, once it does.
type bound chan net.Addr

func (bound) Name() string { return "bound" }

func (b bound) AfterListen(addr net.Addr) error {
	b <- addr
	return nil
}

// Endpoint makes an endpoint that listens on this machine only, at a free port unless cfg names one.
func Endpoint(cfg drpc.EndpointConfig, plugins ...drpc.Plugin) drpc.Endpoint {
	if cfg.ListenIP == "" {
		cfg.ListenIP = "127.0.0.1"
	}
	e, err := drpc.New(cfg, plugins...)
	Check(err)
	return e
}

// Serve listens with e in the background and returns the address.
func Serve(e drpc.Endpoint, protoFunc ...socket.ProtoFunc) string {
	where := make(bound, 1)
	e.PluginContainer().AppendRight(where)
	failed := make(chan error, 1)
	go func() { failed <- e.ListenAndServe(protoFunc...) }()
	select {
	case addr := <-where:
		return addr.String()
	case err := <-failed:
		Check(err)
		return ""
	}
}

// Check ends the program if err is not nil.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// OK ends the program if stat is a failure.
func OK(stat *drpc.Status) {
	if !stat.OK() {
		log.Fatal(stat)
	}
}
