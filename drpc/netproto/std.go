package netproto

import (
	"context"
	"net"
	"strings"
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
	var d net.Dialer
	if local != "" {
		addr, err := localAddr(network, local)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = addr
		if tcp, ok := addr.(*net.TCPAddr); ok && tcp.Port == 0 {
			d.Control = portAtConnect
		}
	}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil || network != "unixpacket" {
		return conn, err
	}
	return &seqConn{Conn: conn}, nil
}

func isUnix(network string) bool { return strings.HasPrefix(network, "unix") }

func localAddr(network, local string) (net.Addr, error) {
	if isUnix(network) {
		return net.ResolveUnixAddr(network, local)
	}
	return net.ResolveTCPAddr(network, local)
}
