package netproto

import (
	"context"
	"net"
	"strings"
)

func init() { Register(std{}) }

// std is what the standard library can do.
type std struct{}

func (std) Networks() []string { return []string{"tcp", "tcp4", "tcp6", "unix"} }

func (std) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, network, address)
}

func (std) Dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	var d net.Dialer
	if local != "" {
		addr, err := localAddr(network, local)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = addr
	}
	return d.DialContext(ctx, network, address)
}

func localAddr(network, local string) (net.Addr, error) {
	if strings.HasPrefix(network, "unix") {
		return net.ResolveUnixAddr(network, local)
	}
	return net.ResolveTCPAddr(network, local)
}
