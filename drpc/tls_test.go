package drpc

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// serveTLS serves an echo with a certificate for host.
func serveTLS(t testing.TB, a *certtest.Authority, host string, cfg EndpointConfig) (srv Endpoint, addr string) {
	t.Helper()
	srv = newPeer(t, cfg)
	echoes(srv)
	if err := srv.SetTLSConfigFromFile(a.Files(host)); err != nil {
		t.Fatal(err)
	}
	return srv, serve(t, srv)
}

func TestTLSVerifies(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	_, good := serveTLS(t, a, "127.0.0.1", EndpointConfig{})
	_, bad := serveTLS(t, a, "example.org", EndpointConfig{})
	for _, tt := range []struct {
		name, addr string
		cfg        *tls.Config
		cause      string
	}{
		{"a server with a certificate for its address", good, &tls.Config{RootCAs: a.Pool}, ""},
		{"a server of an unknown authority", good, &tls.Config{}, "certificate"},
		{"a server with a certificate for another host", bad, &tls.Config{RootCAs: a.Pool}, "certificate"},
		{"another host, which the client expects", bad, &tls.Config{RootCAs: a.Pool, ServerName: "example.org"}, ""},
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
	a := certtest.New(t)
	certFile, keyFile := a.Files("example.org")
	_, addr := serveTLS(t, a, "example.org", EndpointConfig{})
	cli := newPeer(t, EndpointConfig{})
	if cli.TLSConfig() != nil {
		t.Error("TLS without configuration")
	}
	if err := cli.SetTLSConfigFromFile(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	if cfg := cli.TLSConfig(); cfg == nil || cfg.InsecureSkipVerify || cfg.MinVersion < tls.VersionTLS12 || cfg.GetCertificate == nil {
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
	a := certtest.New(t)
	srv, addr := serveTLS(t, a, "127.0.0.1", EndpointConfig{HandshakeTimeout: 50 * time.Millisecond})
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
		cli.SetTLSConfig(&tls.Config{RootCAs: a.Pool})
		for _, addr := range []string{serve(t, plain), silent} {
			_, stat := cli.Dial(addr)
			wantStatus(t, stat, CodeDialFailed, "TLS handshake")
		}
	})
}

func TestServeConnDoesTheHandshakeOnce(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	srv, _ := serveTLS(t, a, "127.0.0.1", EndpointConfig{})
	for name, already := range map[string]bool{"of a plain connection": false, "not of one that is secured": true} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			client := tls.Client(far, &tls.Config{RootCAs: a.Pool, ServerName: "127.0.0.1"})
			handshake := make(chan error, 1)
			go func() { handshake <- client.Handshake() }()
			var conn net.Conn = near
			if already {
				conn = tls.Server(near, srv.TLSConfig())
			}
			if _, stat := srv.ServeConn(conn); stat != nil {
				t.Fatal(stat)
			}
			if err := polltest.Receive(t, "the handshake", handshake); err != nil {
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
	a := certtest.New(t)
	_, addr := serveTLS(t, a, "127.0.0.1", EndpointConfig{})
	cli := newPeer(t, redialling(-1))
	cli.SetTLSConfig(&tls.Config{RootCAs: a.Pool})
	sess := dial(t, cli, addr)
	for range 3 {
		_ = sess.(*session).link.Load().sock.Raw().Close()
		polltest.Until(t, "a call that is answered", func() bool { return sess.Call("/echo", "x", nil).Status() == nil })
	}
}

// A peer that is gone cannot be told goodbye, which is no failure of Close.
func TestCloseAfterThePeerHasGoneIsNoError(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	for range 50 {
		srv, addr := serveTLS(t, a, "127.0.0.1", EndpointConfig{})
		cli := newPeer(t, EndpointConfig{})
		cli.SetTLSConfig(a.Client())
		dial(t, cli, addr)
		polltest.Until(t, "the session", func() bool { return srv.CountSession() == 1 })
		errs := make(chan error, 2)
		for _, e := range []Endpoint{srv, cli} {
			go func() { errs <- e.Close() }()
		}
		for range 2 {
			if err := polltest.Receive(t, "the end", errs); err != nil {
				t.Error(err)
			}
		}
	}
}
