package drpc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
)

// authority is a certificate authority that lives as long as a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, key: newKey(t), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue writes a certificate for host and its key as PEM files.
func (a *authority) issue(host string) (certFile, keyFile string) {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			a.t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}

// serveTLS serves an echo with a certificate for host.
func (a *authority) serveTLS(host string, cfg EndpointConfig) (srv Endpoint, addr string) {
	a.t.Helper()
	srv = newPeer(a.t, cfg)
	echoes(srv)
	if err := srv.SetTLSConfigFromFile(a.issue(host)); err != nil {
		a.t.Fatal(err)
	}
	return srv, serve(a.t, srv)
}

func TestTLSVerifies(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	_, good := a.serveTLS("127.0.0.1", EndpointConfig{})
	_, bad := a.serveTLS("example.org", EndpointConfig{})
	for _, tt := range []struct {
		name, addr string
		cfg        *tls.Config
		cause      string
	}{
		{"a server with a certificate for its address", good, &tls.Config{RootCAs: a.pool}, ""},
		{"a server of an unknown authority", good, &tls.Config{}, "certificate"},
		{"a server with a certificate for another host", bad, &tls.Config{RootCAs: a.pool}, "certificate"},
		{"another host, which the client expects", bad, &tls.Config{RootCAs: a.pool, ServerName: "example.org"}, ""},
		{"what the client was told not to verify", bad, &tls.Config{InsecureSkipVerify: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cli := newPeer(t, EndpointConfig{})
			cli.SetTLSConfig(tt.cfg)
			sess, stat := cli.Dial(tt.addr)
			if tt.cause != "" {
				wantStatus(t, stat, CodeDialFailed, tt.cause)
				return
			}
			if stat != nil {
				t.Fatal(stat)
			}
			var got string
			if stat = sess.Call("/echo", "x", &got).Status(); stat != nil || got != "x" {
				t.Errorf("%v, %q", stat, got)
			}
			link := sess.(*session).link.Load()
			conn, ok := link.sock.Raw().(*tls.Conn)
			if !ok || conn.ConnectionState().Version < tls.VersionTLS12 {
				t.Errorf("the connection is a %T", link.sock.Raw())
			}
			if err := sess.(EarlySession).ControlFD(func(uintptr) {}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTLSFromFile(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	certFile, keyFile := a.issue("example.org")
	_, addr := a.serveTLS("example.org", EndpointConfig{})
	cli := newPeer(t, EndpointConfig{})
	if cli.TLSConfig() != nil {
		t.Error("TLS without configuration")
	}
	if err := cli.SetTLSConfigFromFile(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	if cfg := cli.TLSConfig(); cfg == nil || cfg.InsecureSkipVerify || cfg.MinVersion < tls.VersionTLS12 || len(cfg.Certificates) != 1 {
		t.Errorf("configuration %+v", cfg)
	}
	_, stat := cli.Dial(addr)
	wantStatus(t, stat, CodeDialFailed, "certificate")
	if err := cli.SetTLSConfigFromFile(certFile, keyFile, true); err != nil {
		t.Fatal(err)
	}
	if sess := dial(t, cli, addr); sess.Call("/echo", "x", nil).Status() != nil {
		t.Error("not served")
	}
	if err := cli.SetTLSConfigFromFile(filepath.Join(t.TempDir(), "none"), keyFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if cli.TLSConfig() == nil {
		t.Error("a configuration that failed has replaced the one before")
	}
}

func TestPlainClientOfTLSServerIsClosed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	srv, addr := a.serveTLS("127.0.0.1", EndpointConfig{HandshakeTimeout: 50 * time.Millisecond})
	t.Run("when it speaks", func(t *testing.T) {
		p := rawDial(t, addr)
		p.send(message.TypeCall, 1, "/echo", 'j', `"x"`)
		if m := p.next(); m != nil {
			t.Errorf("answered: %v", m)
		}
	})
	t.Run("when it says nothing", func(t *testing.T) {
		if m := rawDial(t, addr).next(); m != nil {
			t.Errorf("addressed: %v", m)
		}
	})
	if srv.CountSession() != 0 {
		t.Error("a session without handshake is in the hub")
	}
	t.Run("and so is the client of a plain server", func(t *testing.T) {
		plain := newPeer(t, EndpointConfig{})
		silent, _ := silentPeer(t)
		cli := newPeer(t, EndpointConfig{HandshakeTimeout: 50 * time.Millisecond})
		cli.SetTLSConfig(&tls.Config{RootCAs: a.pool})
		for _, addr := range []string{serve(t, plain), silent} {
			_, stat := cli.Dial(addr)
			wantStatus(t, stat, CodeDialFailed, "TLS handshake")
		}
	})
}

func TestServeConnDoesTheHandshakeOnce(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	srv, _ := a.serveTLS("127.0.0.1", EndpointConfig{})
	for name, already := range map[string]bool{"of a plain connection": false, "not of one that is secured": true} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			client := tls.Client(far, &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1"})
			handshake := make(chan error, 1)
			go func() { handshake <- client.Handshake() }()
			var conn net.Conn = near
			if already {
				conn = tls.Server(near, srv.TLSConfig())
			}
			if _, stat := srv.ServeConn(conn); stat != nil {
				t.Fatal(stat)
			}
			if err := eventually(t, "the handshake", handshake); err != nil {
				t.Fatal(err)
			}
			p := newRawPeer(t, client)
			p.send(message.TypeCall, 1, "/echo", 'j', `"x"`)
			if m := p.next(); m == nil || !m.StatusOK() {
				t.Errorf("reply %v", m)
			}
		})
	}
}

func TestSessionsRedialOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	_, addr := a.serveTLS("127.0.0.1", EndpointConfig{})
	cli := newPeer(t, redialling(-1))
	cli.SetTLSConfig(&tls.Config{RootCAs: a.pool})
	sess := dial(t, cli, addr)
	for range 3 {
		_ = sess.(*session).link.Load().sock.Raw().Close()
		waitFor(t, "a call that is answered", func() bool { return sess.Call("/echo", "x", nil).Status() == nil })
	}
}
