package netproto

import (
	"context"
	"crypto/tls"
	"net"
)

// SecureTransport is a Transport that encrypts by itself, as QUIC does. Its connections have the method ConnectionState
// of [*tls.Conn], and whoever listens or dials does no TLS handshake over them.
type SecureTransport interface {
	Transport
	// ListenTLS is Listen with the TLS configuration of the server. config is asked again for each connection, so that
	// certificates can be replaced.
	ListenTLS(ctx context.Context, network, address string, config func() *tls.Config) (net.Listener, error)
	// DialTLS is Dial with the TLS configuration of the client; nil verifies the peer with the roots of the system.
	DialTLS(ctx context.Context, network, local, address string, config *tls.Config) (net.Conn, error)
}

// Listen listens with t, and passes config on if t encrypts by itself. Otherwise TLS is the caller's part.
func Listen(ctx context.Context, t Transport, network, address string, config func() *tls.Config) (net.Listener, error) {
	if secure, ok := t.(SecureTransport); ok {
		return secure.ListenTLS(ctx, network, address, config)
	}
	return t.Listen(ctx, network, address)
}

// Dial dials with t, and passes config on if t encrypts by itself. Otherwise TLS is the caller's part.
func Dial(ctx context.Context, t Transport, network, local, address string, config *tls.Config) (net.Conn, error) {
	if secure, ok := t.(SecureTransport); ok {
		return secure.DialTLS(ctx, network, local, address, config)
	}
	return t.Dial(ctx, network, local, address)
}

// IsSecure reports whether conn is encrypted already: it is a [*tls.Conn] or comes from a SecureTransport.
func IsSecure(conn net.Conn) bool {
	_, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	return ok
}
