package drpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/osgochina/dmicro/drpc/netproto"
)

// SetTLSConfig sets the TLS configuration of connections made from now on.
func (e *endpoint) SetTLSConfig(tlsConfig *tls.Config) {
	e.followTLS(func() *tls.Config { return tlsConfig })
}

// SetTLSFiles sets the TLS configuration from PEM files, and follows them.
func (e *endpoint) SetTLSFiles(files TLSFiles) error {
	current, err := files.Follow()
	if err != nil {
		return err
	}
	e.followTLS(current)
	return nil
}

// SetTLSConfigFromFile sets the TLS configuration from PEM files; see TLSFiles.
func (e *endpoint) SetTLSConfigFromFile(tlsCertFile, tlsKeyFile string, insecureSkipVerifyForClient ...bool) error {
	return e.SetTLSFiles(TLSFiles{
		Cert: tlsCertFile, Key: tlsKeyFile,
		InsecureSkipVerify: len(insecureSkipVerifyForClient) > 0 && insecureSkipVerifyForClient[0],
	})
}

func (e *endpoint) followTLS(current func() *tls.Config) { e.tls.Store(&current) }

// TLSConfig returns the TLS configuration of the next connection.
func (e *endpoint) TLSConfig() *tls.Config {
	if current := e.tls.Load(); current != nil {
		return (*current)()
	}
	return nil
}

// secureServer does the TLS handshake of an accepted connection, if there is to be one.
func (e *endpoint) secureServer(conn net.Conn) (net.Conn, error) {
	cfg := e.TLSConfig()
	if cfg == nil || netproto.IsSecure(conn) {
		return conn, nil
	}
	return e.handshake(e.ctx, tls.Server(conn, cfg))
}

// secureClient does the TLS handshake of a dialled connection, if there is to be one.
func (e *endpoint) secureClient(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	cfg := e.TLSConfig()
	if cfg == nil || netproto.IsSecure(conn) {
		return conn, nil
	}
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = addr
		if host, _, err := net.SplitHostPort(addr); err == nil {
			cfg.ServerName = host
		}
	}
	return e.handshake(ctx, tls.Client(conn, cfg))
}

// handshake bounds the time a peer may take; a connection whose handshake fails is closed.
func (e *endpoint) handshake(ctx context.Context, conn *tls.Conn) (net.Conn, error) {
	if e.cfg.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.cfg.HandshakeTimeout)
		defer cancel()
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one that tells
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}
