package drpc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// settleTime is how old files must be for their times to tell whether they were changed: two changes within one tick of the
// file system's clock have the same time.
const settleTime = 2 * time.Second

// certFile is a certificate and its key in PEM files, which are looked at whenever the certificate is wanted and read
// again when they have changed. While they do not fit, as between the writing of the one and of the other, the pair of
// before serves on.
type certFile struct {
	paths [2]string // certificate, key

	mu      sync.Mutex
	cert    *tls.Certificate
	seen    [2]os.FileInfo // when they were last read; nil where a file was not there
	read    time.Time
	settled bool   // nothing can have changed without changing seen
	failure string // why the last read was of no use
}

// openCertFile reads a certificate for the first time.
func openCertFile(cert, key string) (*certFile, error) {
	f := &certFile{paths: [2]string{cert, key}}
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
	now, err := f.look()
	if same(now, f.seen) && (f.settled || time.Since(f.read) < settleTime) && f.cert != nil {
		return f.cert, nil
	}
	f.seen, f.read, f.settled = now, time.Now(), settled(now)
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(f.paths[0], f.paths[1])
	}
	switch {
	case err == nil && f.cert == nil:
		f.cert = &cert
	case err == nil:
		f.replace(&cert)
	case f.cert == nil:
		return nil, fmt.Errorf("TLS certificate: %w", err)
	case f.failure != err.Error():
		f.failure = err.Error()
		logWarnf("TLS certificate %s has changed and cannot be used, the one before serves on: %v", f.paths[0], err)
	}
	return f.cert, nil
}

// replace puts another certificate in place, which may be the same.
func (f *certFile) replace(cert *tls.Certificate) {
	f.failure = ""
	if slices.EqualFunc(f.cert.Certificate, cert.Certificate, slices.Equal[[]byte]) {
		return
	}
	f.cert = cert
	logInfof("TLS certificate %s was read again: %s, good until %s",
		f.paths[0], cert.Leaf.Subject, cert.Leaf.NotAfter.Format(time.RFC3339))
}

// look tells what the files are like.
func (f *certFile) look() (now [2]os.FileInfo, err error) {
	for i, path := range f.paths {
		info, statErr := os.Stat(path)
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		now[i] = info
	}
	return now, err
}

// same reports whether files are as they were.
func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil || b[i] == nil:
			if a[i] != b[i] {
				return false
			}
		case !a[i].ModTime().Equal(b[i].ModTime()), a[i].Size() != b[i].Size(), !os.SameFile(a[i], b[i]):
			return false
		}
	}
	return true
}

// settled reports whether files are old enough that a change from now on will show.
func settled(files [2]os.FileInfo) bool {
	for _, info := range files {
		if info != nil && time.Since(info.ModTime()) < settleTime {
			return false
		}
	}
	return true
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
