package transporttest

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/certtest"
)

// serverName is in the certificates: over a unix socket there is no host that could be.
const serverName = "server.test"

func trusting(ca *certtest.Authority) *tls.Config {
	cfg := ca.Client()
	cfg.ServerName = serverName
	return cfg
}

// secure makes the peers use TLS.
func secure(p *peers, ca *certtest.Authority) {
	p.server.SetTLSConfig(ca.Server(serverName))
	p.client.SetTLSConfig(trusting(ca))
}

// reach dials with a configuration and calls: with TLS 1.3 a client learns only then that it was refused.
func (p *peers) reach(cfg *tls.Config) error {
	p.client.SetTLSConfig(cfg)
	return p.reaches()
}

// reaches is reach with the configuration that the client has.
func (p *peers) reaches() error {
	sess, stat := p.client.Dial(p.addr.String())
	if stat != nil {
		return stat.Cause()
	}
	err := callEcho(sess, []byte("x"))
	_ = sess.Close()
	return err
}

func tlsVerifies(t *testing.T, tr Transport) {
	ca := certtest.New(t)
	p := tr.pair(t)
	p.server.SetTLSConfig(ca.Server(serverName))
	p.listen(t)
	other := trusting(ca)
	other.ServerName = "other.test"
	for name, tt := range map[string]struct {
		cfg  *tls.Config
		good bool
	}{
		"an authority that is known":      {trusting(ca), true},
		"an authority that is not":        {&tls.Config{ServerName: serverName}, false},
		"another authority":               {trusting(certtest.New(t)), false},
		"another name":                    {other, false},
		"the host that is dialled":        {ca.Client(), false},
		"insecure, which it asks for":     {&tls.Config{InsecureSkipVerify: true}, true},
		"an authority that is known, now": {trusting(ca), true},
	} {
		if err := p.reach(tt.cfg); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func tlsOnBothSides(t *testing.T, tr Transport) {
	ca, stranger := certtest.New(t), certtest.New(t)
	p := tr.pair(t)
	cfg := ca.Server(serverName)
	cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool
	p.server.SetTLSConfig(cfg)
	p.listen(t)
	if p.reach(trusting(ca)) == nil {
		t.Error("a client without a certificate is served")
	}
	for _, who := range []*certtest.Authority{stranger, ca} {
		cfg := trusting(ca)
		cfg.Certificates = []tls.Certificate{who.Issue("client")}
		if err := p.reach(cfg); (err == nil) != (who == ca) {
			t.Errorf("a client of the server's authority: %v: %v", who == ca, err)
		}
	}
}

func tlsFromFiles(t *testing.T, tr Transport) {
	old, renewed := certtest.New(t), certtest.New(t)
	p := tr.pair(t)
	certFile, keyFile := old.Files(serverName)
	if err := p.server.SetTLSConfigFromFile(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	p.listen(t)
	expect := func(what string, served *certtest.Authority) {
		t.Helper()
		for _, ca := range []*certtest.Authority{old, renewed} {
			if err := p.reach(trusting(ca)); (err == nil) != (ca == served) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	expect("as it was", old)
	certPEM, keyPEM := renewed.PEM(renewed.Issue(serverName))
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certFile, certPEM)
	expect("half a pair", old)
	write(keyFile, keyPEM)
	expect("the pair", renewed)
}

// authoritiesFromFiles changes the file of authorities, once that of the server and once that of the client, while both go on.
func authoritiesFromFiles(t *testing.T, tr Transport) {
	old, renewed := certtest.New(t), certtest.New(t)
	both := append(old.Own(), renewed.Own()...)
	steps := []struct {
		what string
		file []byte
		good bool // whether a peer with a certificate of the renewed authority is trusted
	}{
		{"as it was", old.Own(), false},
		{"half of the new ones", both[:len(both)-100], false},
		{"the new ones", both, true},
		{"nothing in it", nil, true},
		{"without the renewed one", old.Own(), false},
		{"the renewed one alone", renewed.Own(), true},
	}
	for _, side := range []string{"server", "client"} {
		p := tr.pair(t)
		changes := filepath.Join(t.TempDir(), "changes.pem")
		write := func(b []byte) {
			if err := os.WriteFile(changes, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(old.Own())
		follow := func(e drpc.Endpoint, who *certtest.Authority, ca string) {
			cert, key := who.Files(serverName)
			if err := e.SetTLSFiles(drpc.TLSFiles{Cert: cert, Key: key, CA: ca, ServerName: serverName}); err != nil {
				t.Fatal(err)
			}
		}
		if side == "server" {
			follow(p.server, old, changes)
			follow(p.client, renewed, old.File())
		} else {
			follow(p.server, renewed, old.File())
			follow(p.client, old, changes)
		}
		p.listen(t)
		for i, step := range steps {
			if step.file != nil { // two of the same size within one tick of the clock would look the same
				step.file = append(bytes.Repeat([]byte("# another\n"), 10*i), step.file...)
			}
			write(step.file)
			if err := p.reaches(); (err == nil) != step.good {
				t.Errorf("%s: %s: %v", side, step.what, err)
			}
		}
	}
}

// strangers has a server with TLS that gives strangers little time, and a client that is served all the while.
func (tr Transport) strangers(t *testing.T) (p *peers, ca *certtest.Authority, known drpc.Session) {
	ca = certtest.New(t)
	p = tr.pair(t, func(server, _ *drpc.EndpointConfig) { server.HandshakeTimeout = 4 * time.Second })
	secure(p, ca)
	return p, ca, p.listen(t).dial(t)
}

func silenceInHandshake(t *testing.T, tr Transport) {
	p, _, known := tr.strangers(t)
	begun := tr.wire(t, p.addr.String())
	_, _ = begun.Write([]byte{22, 3, 1}) // the first bytes of a handshake
	for what, conn := range map[string]net.Conn{"nothing": tr.wire(t, p.addr.String()), "a beginning": begun} {
		if isClosed(conn) {
			continue
		}
		t.Errorf("%s: the stranger is not closed", what)
	}
	honest(t, known)
}

func garbageInHandshake(t *testing.T, tr Transport) {
	p, _, known := tr.strangers(t)
	for what, b := range nonsense {
		conn := tr.wire(t, p.addr.String())
		_, _ = conn.Write(b)
		if !isClosed(conn) {
			t.Errorf("%s: the stranger is not closed", what)
		}
	}
	honest(t, known)
}

func garbageAfterHandshake(t *testing.T, tr Transport) {
	p, ca, known := tr.strangers(t)
	for what, b := range nonsense {
		conn := tls.Client(tr.wire(t, p.addr.String()), trusting(ca))
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		framed := tr.upgrade(t, conn)
		_, _ = framed.Write(b)
		if !isClosed(framed) {
			t.Errorf("%s: the stranger is not closed", what)
		}
		// Beside the records of TLS, too.
		conn = tls.Client(tr.wire(t, p.addr.String()), trusting(ca))
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.NetConn().Write(b)
		if !isClosed(conn.NetConn()) {
			t.Errorf("%s, beside TLS: the stranger is not closed", what)
		}
	}
	honest(t, known)
}

// isClosed reads to the end of a connection, and reports whether there is one.
func isClosed(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, conn)
	return !os.IsTimeout(err)
}
