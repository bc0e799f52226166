package quic

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
)

// protocol is the application protocol of this package, and olderProtocols are those of DMicro 1.x peers.
const protocol = "dmicro/1"

var olderProtocols = []string{"http/1.1", "h2"}

// ErrNoCertificate is what listening fails with where the TLS configuration of the server has no certificate.
var ErrNoCertificate = errors.New("quic: a server needs a TLS configuration with a certificate")

// withProtocols returns a copy of a configuration that has the application protocols of this package beside its own.
func withProtocols(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	own := cfg.NextProtos
	cfg.NextProtos = []string{protocol}
	for _, p := range slices.Concat(own, olderProtocols) {
		if !slices.Contains(cfg.NextProtos, p) {
			cfg.NextProtos = append(cfg.NextProtos, p)
		}
	}
	return cfg
}

// clientTLS is the configuration of a client that dials address.
func clientTLS(cfg *tls.Config, address string) *tls.Config {
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	cfg = withProtocols(cfg)
	if cfg.ServerName == "" {
		cfg.ServerName = address
		if host, _, err := net.SplitHostPort(address); err == nil {
			cfg.ServerName = host
		}
	}
	return cfg
}

// serverTLS is a configuration that asks for the current one at each handshake. It fails where the current one would not
// do.
func serverTLS(current func() *tls.Config) (*tls.Config, error) {
	cfg := current()
	if cfg == nil {
		return nil, ErrNoCertificate
	}
	var development []tls.Certificate
	if !hasCertificate(cfg) {
		if !cfg.InsecureSkipVerify {
			return nil, ErrNoCertificate
		}
		cert, err := developmentCertificate()
		if err != nil {
			return nil, err
		}
		development = []tls.Certificate{cert}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{protocol},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return forClient(current(), development, hello)
		},
	}, nil
}

func hasCertificate(cfg *tls.Config) bool {
	return len(cfg.Certificates) > 0 || cfg.GetCertificate != nil || cfg.GetConfigForClient != nil
}

// forClient is the configuration for one handshake.
func forClient(cfg *tls.Config, development []tls.Certificate, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if cfg == nil {
		return nil, ErrNoCertificate
	}
	if cfg.GetConfigForClient != nil {
		special, err := cfg.GetConfigForClient(hello)
		if err != nil {
			return nil, err
		}
		if special != nil {
			cfg = special
		}
	}
	cfg = withProtocols(cfg)
	if !hasCertificate(cfg) && cfg.InsecureSkipVerify {
		cfg.Certificates = development
	}
	return cfg, nil
}
