package quic

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/osgochina/dmicro/drpc/netproto"
)

func init() { netproto.Register(New(Config{}, "quic")) }

type transport struct {
	networks []string
	cfg      Config
}

// New makes a transport with limits of its own, to be registered with [netproto.Register] under another name than quic,
// which is that of the default one.
func New(cfg Config, networks ...string) netproto.SecureTransport { return transport{networks, cfg} }

func (t transport) Networks() []string { return t.networks }

func (t transport) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return t.ListenTLS(ctx, network, address, nil)
}

func (t transport) ListenTLS(ctx context.Context, _, address string, config func() *tls.Config) (net.Listener, error) {
	pc, err := netproto.BindPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	ln, err := ServeConn(pc, config, t.cfg)
	if err != nil {
		return nil, err
	}
	return ln, nil
}

func (t transport) Dial(ctx context.Context, network, local, address string) (net.Conn, error) {
	return t.DialTLS(ctx, network, local, address, nil)
}

func (t transport) DialTLS(ctx context.Context, _, local, address string, config *tls.Config) (net.Conn, error) {
	conn, err := Dial(ctx, "udp", local, address, config, t.cfg)
	if err != nil {
		return nil, err
	}
	return conn, nil
}
