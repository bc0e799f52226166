package drpc

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
)

var (
	errTornPEM      = errors.New("a PEM block is not whole")
	errBadAuthority = errors.New("a certificate in it cannot be read")

	pemBegin, pemEnd = []byte("-----BEGIN "), []byte("-----END ")
)

// authorityFile is a PEM file of authorities, which is looked at for every connection and read again when it has changed.
// While it is of no use, as half-way through being written, those of before count on.
type authorityFile struct {
	mu    sync.Mutex
	files watchedFiles // the one
	base  *tls.Config  // without authorities
	text  []byte       // what config was made of
	conf  *tls.Config
}

// openAuthorityFile reads authorities for the first time, and adds them to base.
func openAuthorityFile(path string, base *tls.Config) (*authorityFile, error) {
	f := &authorityFile{files: watchedFiles{paths: []string{path}}, base: base}
	_, _ = f.files.changed() // reading it tells what is wrong
	text, pool, _, err := readAuthorities(path)
	if err != nil {
		return nil, err
	}
	f.use(text, pool)
	return f, nil
}

// config is the configuration with the authorities to trust now. It stays the same as long as they do.
func (f *authorityFile) config() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	again, err := f.files.changed()
	if !again {
		return f.conf
	}
	var text []byte
	var pool *x509.CertPool
	if err == nil {
		var bad int
		text, pool, bad, err = readAuthorities(f.files.paths[0])
		if err == nil && bad > 0 && !bytes.Equal(text, f.text) {
			err = errBadAuthority // a writer may be at it
		}
	}
	if err != nil {
		f.files.complain("TLS authorities", err)
		return f.conf
	}
	f.files.failure = ""
	if !bytes.Equal(text, f.text) {
		f.use(text, pool)
		logInfof("TLS authorities %s were read again", f.files.paths[0])
	}
	return f.conf
}

// use makes pool count from now on. A new configuration also has new keys for session tickets, so that nobody whose authority
// is gone resumes.
func (f *authorityFile) use(text []byte, pool *x509.CertPool) {
	conf := f.base.Clone()
	conf.RootCAs, conf.ClientCAs, conf.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	f.text, f.conf = text, conf
}

// readAuthorities reads a file of authorities, and counts those that it leaves out since they cannot be read: bundles from
// elsewhere have some.
func readAuthorities(path string) (text []byte, pool *x509.CertPool, bad int, err error) {
	if text, err = os.ReadFile(path); err != nil {
		return nil, nil, 0, fmt.Errorf("TLS authorities: %w", err)
	}
	pool = x509.NewCertPool()
	good, blocks := 0, 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, parseErr := x509.ParseCertificate(block.Bytes)
		if parseErr != nil {
			bad++
			continue
		}
		good++
		pool.AddCert(cert)
	}
	switch {
	case bytes.Count(text, pemBegin) != blocks || bytes.Count(text, pemEnd) != blocks:
		err = errTornPEM
	case good == 0:
		err = ErrNoAuthority
	default:
		return text, pool, bad, nil
	}
	return nil, nil, 0, fmt.Errorf("TLS authorities: %s: %w", path, err)
}
