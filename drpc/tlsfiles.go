package drpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// ErrNoAuthority says that a file of authorities has no certificate in it.
var ErrNoAuthority = errors.New("no PEM certificate in the file")

// TLSFiles are the PEM files that a TLS configuration is made of. One configuration serves an endpoint that listens, one
// that dials, and one that does both.
type TLSFiles struct {
	// Cert has the certificate of this side, followed by those between it and the authority, and Key its key. A server needs
	// them, a client only where the server asks who it is. They are looked at with each handshake, and read again when
	// they have changed; while the two do not fit, those of before serve on, and the log says so once.
	Cert, Key string
	// CA has the authorities that the peer's certificate must come from, instead of those of the system. With it a server
	// demands a certificate of each client: both sides prove who they are. It is read once.
	CA string
	// ServerName is the name that a client expects in the certificate of the server; by default the host that it dials.
	ServerName string
	// InsecureSkipVerify makes a client take any certificate of a server. Whoever is on the way can then read and change
	// everything.
	InsecureSkipVerify bool
}

// Config reads the files. The configuration needs TLS 1.2 or newer, and follows the files of the certificate for as long as
// it is used. The error says which file is of no use: for one that is missing it is an os.ErrNotExist, for authorities
// without any an ErrNoAuthority.
func (f TLSFiles) Config() (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: f.ServerName, InsecureSkipVerify: f.InsecureSkipVerify,
	}
	if f.Cert != "" || f.Key != "" {
		cert, err := openCertFile(f.Cert, f.Key)
		if err != nil {
			return nil, err
		}
		cfg.GetCertificate, cfg.GetClientCertificate = cert.forServer, cert.forClient
	}
	if f.CA != "" {
		pool, err := authorities(f.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs, cfg.ClientCAs, cfg.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

func authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("TLS authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("TLS authorities: %s: %w", path, ErrNoAuthority)
	}
	return pool, nil
}
