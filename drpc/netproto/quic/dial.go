package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	quicgo "github.com/quic-go/quic-go"
)

// Dial connects to address over network udp, udp4 or udp6, from local where it is not empty. config may be nil. The
// name to verify is that of the address, unless config has one.
func Dial(ctx context.Context, network, local, address string, config *tls.Config, cfg Config) (*Conn, error) {
	conf := cfg.withDefaults()
	if config == nil {
		config = conf.TLS
	}
	ctx, cancel := context.WithTimeout(ctx, conf.DialTimeout)
	defer cancel()
	from, to, err := route(ctx, network, local, address)
	if err != nil {
		return nil, err
	}
	pc, err := net.ListenUDP(network, from)
	if err != nil {
		return nil, err
	}
	s := newSocket(pc)
	c, err := open(ctx, s, to, clientTLS(config, address), conf)
	if err != nil {
		err = &net.OpError{Op: "dial", Net: "quic", Source: pc.LocalAddr(), Addr: to, Err: err}
		return nil, errors.Join(err, s.release())
	}
	return c, nil
}

// route finds the addresses of both ends. Nothing is sent for that.
func route(ctx context.Context, network, local, address string) (from, to *net.UDPAddr, err error) {
	var d net.Dialer
	if local != "" {
		if from, err = net.ResolveUDPAddr(network, local); err != nil {
			return nil, nil, fmt.Errorf("quic: local address: %w", err)
		}
		d.LocalAddr = from
	}
	probe, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = probe.Close() }()
	to, ok := probe.RemoteAddr().(*net.UDPAddr)
	if !ok {
		return nil, nil, fmt.Errorf("quic: network %s has no datagrams", network)
	}
	if from == nil {
		own := *probe.LocalAddr().(*net.UDPAddr)
		own.Port = 0
		from = &own
	}
	return from, to, nil
}

// open does the handshake and opens the stream.
func open(ctx context.Context, s *udpSocket, to net.Addr, config *tls.Config, cfg *Config) (*Conn, error) {
	conn, err := s.transport.Dial(ctx, to, config, cfg.quic(false))
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err == nil && conn.ConnectionState().TLS.NegotiatedProtocol == protocol {
		_, err = stream.Write([]byte{version})
	}
	if err != nil {
		_ = conn.CloseWithError(codeClosed, "") // never fails
		return nil, err
	}
	return newConn(s, conn, stream, cfg), nil
}

var _ quicgo.OOBCapablePacketConn = (*net.UDPConn)(nil) // which makes it fast
