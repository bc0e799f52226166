package drpc

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/certtest"
)

// pemPair is a certificate that an endpoint reads from files, and the means to change them.
type pemPair struct {
	t                 *testing.T
	certFile, keyFile string
}

func (p pemPair) write(certPEM, keyPEM []byte) {
	p.t.Helper()
	for path, text := range map[string][]byte{p.certFile: certPEM, p.keyFile: keyPEM} {
		if text == nil {
			continue
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// dated is a clock whose times differ, unlike those of files that are written within one tick of the file system's.
type dated struct{ now time.Time }

// touch gives a file the next time.
func (d *dated) touch(t *testing.T, path string) {
	t.Helper()
	d.now = d.now.Add(time.Second)
	if err := os.Chtimes(path, d.now, d.now); err != nil {
		t.Fatal(err)
	}
}

// shown is the common name of the certificate that a server shows to a new client.
func shown(t *testing.T, addr string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestCertificateIsReadAgainWhileServing(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	p := pemPair{t: t}
	p.certFile, p.keyFile = a.Files("first")
	files := dated{time.Now().Add(-time.Hour)}
	files.touch(t, p.certFile)
	files.touch(t, p.keyFile)
	srv := newPeer(t, EndpointConfig{})
	if err := srv.SetTLSConfigFromFile(p.certFile, p.keyFile); err != nil {
		t.Fatal(err)
	}
	addr := serve(t, srv)
	certPEM, keyPEM := a.PEM(a.Issue("second"))
	third, thirdKey := a.PEM(a.Issue("third"))
	for _, step := range []struct {
		what      string
		cert, key []byte
		want      string
	}{
		{"as they were", nil, nil, "first"},
		{"a new certificate, whose key is not there yet", certPEM, nil, "first"},
		{"the key comes", nil, keyPEM, "second"},
		{"a key, whose certificate is not there yet", nil, thirdKey, "second"},
		{"the first half of the certificate", third[:len(third)/2], nil, "second"},
		{"nothing in it", []byte{}, nil, "second"},
		{"the certificate", third, nil, "third"},
	} {
		p.write(step.cert, step.key)
		if step.cert != nil {
			files.touch(t, p.certFile)
		}
		if step.key != nil {
			files.touch(t, p.keyFile)
		}
		if got := shown(t, addr); got != step.want {
			t.Errorf("%s: %s is shown, want %s", step.what, got, step.want)
		}
	}
	for _, path := range []string{p.certFile, p.keyFile} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if got := shown(t, addr); got != "third" {
			t.Errorf("a file is gone: %s", got)
		}
	}
	p.write(certPEM, keyPEM)
	if got := shown(t, addr); got != "second" {
		t.Errorf("they are back: %s", got)
	}
}

// Files that are replaced by renaming others over them, or by a symbolic link that turns to another directory, may be as
// long and as old as those of before.
func TestReplacedFilesAreSeenWhateverTheirTimes(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	dirs := [2]string{t.TempDir(), t.TempDir()}
	when := time.Now().Add(-time.Hour)
	for i, host := range []string{"one", "two"} {
		certPEM, keyPEM := a.PEM(a.Issue(host))
		pemPair{t, filepath.Join(dirs[i], "cert"), filepath.Join(dirs[i], "key")}.write(certPEM, keyPEM)
		for _, name := range []string{"cert", "key"} {
			if err := os.Chtimes(filepath.Join(dirs[i], name), when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := filepath.Join(t.TempDir(), "current")
	for i, want := range []string{"one", "two"} {
		_ = os.Remove(link)
		if err := os.Symlink(dirs[i], link); err != nil {
			t.Skip(err)
		}
		f, err := openCertFile(filepath.Join(link, "cert"), filepath.Join(link, "key"))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.cert.Leaf.Subject.CommonName; got != want {
			t.Fatal(got)
		}
		if i > 0 {
			break
		}
		_ = os.Remove(link)
		if err = os.Symlink(dirs[1], link); err != nil {
			t.Fatal(err)
		}
		cert, err := f.current()
		if err != nil || cert.Leaf.Subject.CommonName != "two" {
			t.Errorf("%v, %v", cert.Leaf.Subject, err)
		}
	}
}

// A change within the same tick of the file system's clock shows once the files are old enough.
func TestFilesThatAreYoungAreReadOnceMore(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	f, err := openCertFile(a.Files("first"))
	if err != nil {
		t.Fatal(err)
	}
	certPEM, keyPEM := a.PEM(a.Issue("later"))
	pemPair{t, f.files.paths[0], f.files.paths[1]}.write(certPEM, keyPEM)
	f.files.seen, _ = f.files.look()                                 // as if nothing showed
	f.files.read, f.files.settled = time.Now().Add(time.Hour), false // and however long that took
	if cert, _ := f.current(); cert.Leaf.Subject.CommonName != "first" {
		t.Error("they are read with each handshake")
	}
	f.files.read = time.Now().Add(-settleTime)
	if cert, _ := f.current(); cert.Leaf.Subject.CommonName != "later" {
		t.Error("they are not read again")
	}
}

func TestManyHandshakesWhileTheCertificateChanges(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	srv, addr := serveTLS(t, a, "127.0.0.1", EndpointConfig{})
	_ = srv
	cli := newPeer(t, EndpointConfig{})
	cli.SetTLSConfig(a.Client())
	p := pemPair{t: t}
	p.certFile, p.keyFile = a.Files("127.0.0.1")
	if err := srv.SetTLSConfigFromFile(p.certFile, p.keyFile); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				sess, stat := cli.Dial(addr)
				if stat != nil {
					t.Error(stat)
					return
				}
				_ = sess.Close()
			}
		})
	}
	for range 20 {
		certPEM, keyPEM := a.PEM(a.Issue("127.0.0.1"))
		p.write(certPEM, nil)
		p.write(nil, keyPEM)
	}
	close(done)
	wg.Wait()
}

// Both sides prove who they are, and the client's certificate is replaced without a restart, too.
func TestMutualTLSFromFiles(t *testing.T) {
	t.Parallel()
	a, stranger := certtest.New(t), certtest.New(t)
	certFile, keyFile := a.Files("127.0.0.1")
	srv := newPeer(t, EndpointConfig{})
	echoes(srv)
	cfg, err := TLSFiles{Cert: certFile, Key: keyFile, CA: a.File()}.Config()
	if err != nil {
		t.Fatal(err)
	}
	srv.SetTLSConfig(cfg)
	addr := serve(t, srv)
	p := pemPair{t: t}
	p.certFile, p.keyFile = stranger.Files("stranger")
	client := newPeer(t, EndpointConfig{})
	attempt := func(files TLSFiles) *Status {
		cfg, err := files.Config()
		if err != nil {
			t.Fatal(err)
		}
		client.SetTLSConfig(cfg)
		sess, stat := client.Dial(addr)
		if stat != nil {
			return stat
		}
		defer func() { _ = sess.Close() }()
		var got string // with TLS 1.3 a client learns of a refusal when it reads
		return sess.Call("/echo", "x", &got).Status()
	}
	if attempt(TLSFiles{CA: a.File()}) == nil {
		t.Error("a client without a certificate gets in")
	}
	files := TLSFiles{Cert: p.certFile, Key: p.keyFile, CA: a.File()}
	if attempt(files) == nil {
		t.Error("a client of another authority gets in")
	}
	if attempt(TLSFiles{Cert: p.certFile, Key: p.keyFile}) == nil {
		t.Error("a client trusts an authority that it was not told of")
	}
	cfg, err = files.Config()
	if err != nil {
		t.Fatal(err)
	}
	client.SetTLSConfig(cfg)
	p.write(a.PEM(a.Issue("client")))
	sess := dial(t, client, addr)
	if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
		t.Errorf("a client with a new certificate of the authority: %v", stat)
	}
}

func TestTLSFilesThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	certFile, keyFile := a.Files("a")
	otherCert, _ := a.Files("b")
	none := filepath.Join(t.TempDir(), "none")
	for name, tt := range map[string]struct {
		files TLSFiles
		want  error
	}{
		"no such certificate": {TLSFiles{Cert: none, Key: keyFile}, os.ErrNotExist},
		"no such key":         {TLSFiles{Cert: certFile, Key: none}, os.ErrNotExist},
		"no key":              {TLSFiles{Cert: certFile}, os.ErrNotExist},
		"another's key":       {TLSFiles{Cert: otherCert, Key: keyFile}, nil},
		"no such authorities": {TLSFiles{CA: none}, os.ErrNotExist},
		"no authority in it":  {TLSFiles{CA: keyFile}, ErrNoAuthority},
	} {
		if cfg, err := tt.files.Config(); err == nil || cfg != nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", name, cfg, err)
		}
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	_, fromFile := serveTLS(t, a, "127.0.0.1", EndpointConfig{})
	srv := newPeer(t, EndpointConfig{})
	srv.SetTLSConfig(&tls.Config{Certificates: a.Server("127.0.0.1").Certificates})
	for name, addr := range map[string]string{"from files": fromFile, "without a version": serve(t, srv)} {
		for version, want := range map[uint16]bool{
			tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
		} {
			conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: a.Pool, MinVersion: version, MaxVersion: version})
			if (err == nil) != want {
				t.Errorf("%s: %s: %v", name, tls.VersionName(version), err)
			}
			if err == nil {
				_ = conn.Close()
			}
		}
		for _, suite := range tls.InsecureCipherSuites() {
			conn, err := tls.Dial("tcp", addr, &tls.Config{
				RootCAs: a.Pool, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID},
			})
			if err == nil {
				t.Errorf("%s: %s is taken", name, suite.Name)
				_ = conn.Close()
			}
		}
	}
}

// Not parallel: the log belongs to the process.
func TestCertificateOfNoUseIsLoggedOnce(t *testing.T) {
	lines := captureLog(t)
	f, err := openCertFile(certtest.New(t).Files("host"))
	if err != nil {
		t.Fatal(err)
	}
	pemPair{t, f.files.paths[0], f.files.paths[1]}.write([]byte("half a"), nil)
	for range 3 {
		if cert, err := f.current(); err != nil || cert == nil {
			t.Error(err)
		}
		f.files.read = f.files.read.Add(-settleTime) // look again
	}
	const text = "cannot be used, the one before serves on"
	if n := lines.count(text); n != 1 {
		t.Errorf("%d lines", n)
	}
	if lines.contains("PRIVATE") {
		t.Error("a key is in the log")
	}
}
