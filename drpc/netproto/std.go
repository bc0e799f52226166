package netproto

import (
	"context"
	"net"
	"strings"

	"github.com/osgochina/dmicro/internal/unixsocket"
)

func init() { Register(std{}) }

// std is what the standard library can do.
type std struct{}

func (std) Networks() []string { return []string{"tcp", "tcp4", "tcp6", "unix", "unixpacket"} }

func (std) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := Bind(ctx, network, address)
	if err != nil || network != "unixpacket" {
		return ln, err
	}
	return seqListener{ln}, nil
}

func (std) Dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	conn, err := dial(ctx, network, local, address)
	if err != nil || network != "unixpacket" {
		return conn, err
	}
	return &seqConn{Conn: conn}, nil
}

func dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	var d net.Dialer
	switch {
	case local == "":
	case isUnix(network):
		return unixsocket.Dial(ctx, network, local, address)
	default:
		addr, err := net.ResolveTCPAddr(network, local)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = addr
		if addr.Port == 0 {
			d.Control = portAtConnect
		}
	}
	return d.DialContext(ctx, network, address)
}

func isUnix(network string) bool { return strings.HasPrefix(network, "unix") }
