package drpc

import (
	"crypto/tls"
	"errors"
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
	// demands a certificate of each client: both sides prove who they are. It is looked at for each connection, and read
	// again when it has changed, by Follow and Endpoint.SetTLSFiles; while it is of no use, as when it is empty or ends in the
	// middle of a certificate, those of before count on, and the log says so once. Connections that there are stay.
	CA string
	// ServerName is the name that a client expects in the certificate of the server; by default the host that it dials.
	ServerName string
	// InsecureSkipVerify makes a client take any certificate of a server. Whoever is on the way can then read and change
	// everything.
	InsecureSkipVerify bool
}

// Follow reads the files, and returns a function that returns the configuration for the next connection, whose
// certificate and authorities are those that the files have by then. It needs TLS 1.2 or newer. The function may be called
// concurrently; what it returns must not be changed, and is the same as long as the authorities are. The error says which
// file is of no use: for one that is missing it is an os.ErrNotExist, for authorities without any an ErrNoAuthority.
func (f TLSFiles) Follow() (func() *tls.Config, error) {
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
	if f.CA == "" {
		return func() *tls.Config { return cfg }, nil
	}
	ca, err := openAuthorityFile(f.CA, cfg)
	if err != nil {
		return nil, err
	}
	return ca.config, nil
}

// Config is the first configuration that the function of Follow returns: it follows the files of the certificate for as long
// as it is used, and keeps the authorities of now.
func (f TLSFiles) Config() (*tls.Config, error) {
	current, err := f.Follow()
	if err != nil {
		return nil, err
	}
	return current(), nil
}
