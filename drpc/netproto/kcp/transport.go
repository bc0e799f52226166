package kcp

import (
	"context"
	"net"

	"github.com/osgochina/dmicro/drpc/netproto"
)

func init() { netproto.Register(New(Config{}, "kcp", "udp", "udp4", "udp6")) }

type transport struct {
	networks []string
	cfg      Config
}

// New makes a transport with limits of its own, to be registered with [netproto.Register] under other names than kcp, udp,
// udp4 and udp6, which are those of the default one.
func New(cfg Config, networks ...string) netproto.Transport { return transport{networks, cfg} }

func (t transport) Networks() []string { return t.networks }

func (t transport) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	pc, err := netproto.BindPacket(ctx, udp(network), address)
	if err != nil {
		return nil, err
	}
	return ServeConn(pc, t.cfg), nil
}

func (t transport) Dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	conn, err := Dial(ctx, udp(network), local, address, t.cfg)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// udp is the network of the sockets underneath.
func udp(network string) string {
	switch network {
	case "udp4", "udp6":
		return network
	default:
		return "udp"
	}
}
