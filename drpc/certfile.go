package drpc

import (
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"
)

// certFile is a certificate and its key in PEM files, which are looked at whenever the certificate is wanted and read
// again when they have changed. While they do not fit, as between the writing of the one and of the other, the pair of
// before serves on.
type certFile struct {
	mu    sync.Mutex
	files watchedFiles // certificate, key
	cert  *tls.Certificate
}

// openCertFile reads a certificate for the first time.
func openCertFile(cert, key string) (*certFile, error) {
	f := &certFile{files: watchedFiles{paths: []string{cert, key}}}
	_, err := f.current()
	if err != nil {
		return nil, err
	}
	return f, nil
}

// current returns the certificate to use. It fails only as long as there never was a good one.
func (f *certFile) current() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	again, err := f.files.changed()
	if !again && f.cert != nil {
		return f.cert, nil
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(f.files.paths[0], f.files.paths[1])
	}
	switch {
	case err == nil && f.cert == nil:
		f.cert = &cert
	case err == nil:
		f.replace(&cert)
	case f.cert == nil:
		return nil, fmt.Errorf("TLS certificate: %w", err)
	default:
		f.files.complain("TLS certificate", err)
	}
	return f.cert, nil
}

// replace puts another certificate in place, which may be the same.
func (f *certFile) replace(cert *tls.Certificate) {
	f.files.failure = ""
	if slices.EqualFunc(f.cert.Certificate, cert.Certificate, slices.Equal[[]byte]) {
		return
	}
	f.cert = cert
	logInfof("TLS certificate %s was read again: %s, good until %s",
		f.files.paths[0], cert.Leaf.Subject, cert.Leaf.NotAfter.Format(time.RFC3339))
}

// forServer is what a server shows its clients.
func (f *certFile) forServer(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current() }

// forClient is what a client shows a server that asks: nothing where the server would not take it.
func (f *certFile) forClient(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := f.current()
	if err != nil || request.SupportsCertificate(cert) != nil {
		return new(tls.Certificate), err
	}
	return cert, nil
}
