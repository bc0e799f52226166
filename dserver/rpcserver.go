package dserver

import (
	"context"
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/server"
)

// RpcServerOption returns the options that the top-level table called name has
// for a server of package server, to be given to it in the Setup of a sandbox:
//
//	srv, err := server.New("orders", box.Config.RpcServerOption("orders")...)
//
// The keys are Network, ListenIP, ListenPort, DefaultBodyCodec,
// DefaultSessionAge, DefaultContextAge, SlowCometDuration and PrintDetail, with
// the values that EndpointConfig describes. What the table does not have is left
// to the server. A bad value is logged and counts as missing.
func (c *Config) RpcServerOption(serverName string) []server.Option {
	if serverName == "" {
		return nil
	}
	t := c.table(serverName)
	opts := t.rpcServerOptions()
	if t.err != nil {
		logger.Errorf(context.Background(), "%v; the default is used", t.err)
	}
	return opts
}

func (t *table) rpcServerOptions() (opts []server.Option) {
	network := t.text("Network", "")
	if network != "" {
		opts = append(opts, server.OptNetwork(network))
	}
	if address, ok := t.listenAddress(network); ok {
		opts = append(opts, server.OptListenAddress(address))
	}
	if codec := t.text("DefaultBodyCodec", ""); codec != "" {
		opts = append(opts, server.OptBodyCodec(codec))
	}
	if age := t.duration("DefaultSessionAge", 0); age > 0 {
		opts = append(opts, server.OptSessionAge(age))
	}
	if age := t.duration("DefaultContextAge", 0); age > 0 {
		opts = append(opts, server.OptContextAge(age))
	}
	if slow := t.duration("SlowCometDuration", 0); slow > 0 {
		opts = append(opts, server.OptSlowCometDuration(slow))
	}
	if t.flag("PrintDetail", false) {
		opts = append(opts, server.OptPrintDetail(true))
	}
	return opts
}

// listenAddress is the address to listen on, if the table says anything of it.
func (t *table) listenAddress(network string) (string, bool) {
	_, hasIP := t.lookup("ListenIP")
	_, hasPort := t.lookup("ListenPort")
	if !hasIP && !hasPort {
		return "", false
	}
	if strings.HasPrefix(network, "unix") {
		return t.text("ListenIP", ""), hasIP
	}
	port := t.number("ListenPort", 0, 0, math.MaxUint16)
	return net.JoinHostPort(t.text("ListenIP", "0.0.0.0"), strconv.Itoa(port)), true
}
