//go:build !windows

package dserver

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
)

// tlsApp is an application that listens with the certificate of files, and the authorities that they may come from.
type tlsApp struct {
	*testEnv
	old, renewed *certtest.Authority
	address      string
}

// answers fails unless a new connection is shown the certificate of ca, and served by a process.
func (a *tlsApp) answers(ca *certtest.Authority, pid int) {
	a.t.Helper()
	for _, trusted := range []*certtest.Authority{a.old, a.renewed} {
		c, stat := a.dial(trusted.Client(), 0)
		if stat.OK() != (trusted == ca) {
			a.t.Fatalf("the certificate is the right one: %v; %v", trusted == ca, stat)
		}
		if !stat.OK() {
			continue
		}
		if got, stat := c.do("/work/do", "x"); !stat.OK() || got != pid {
			a.t.Fatalf("process %d answers instead of %d, %v", got, pid, stat)
		}
		_ = c.sess.Close()
	}
}

func (a *tlsApp) dial(cfg *tls.Config, redials int) (*peer, *drpc.Status) {
	a.t.Helper()
	ep, err := drpc.New(drpc.EndpointConfig{RedialTimes: redials, RedialInterval: 20 * time.Millisecond, DialTimeout: 10 * time.Second})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = ep.Close() })
	ep.SetTLSConfig(cfg)
	sess, stat := ep.Dial(a.address)
	return &peer{a.t, ep, sess}, stat
}

// write replaces a file of the certificate.
func (a *tlsApp) write(path string, b []byte) {
	a.t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// A certificate is renewed while an application is reloaded: once before the successor has read it, so that it finds half a
// pair, and once while it is being set up. Who serves is who has the right one all the time, and sessions go on.
func TestCertificateIsRenewedDuringAReload(t *testing.T) {
	t.Parallel()
	a := &tlsApp{testEnv: newNetEnv(t, "tcponly"), old: certtest.New(t), renewed: certtest.New(t)}
	a.cleanUp()
	cert, key := a.old.Files("127.0.0.1")
	a.extra = append(a.extra, "CERT="+cert, "KEY="+key)
	p := a.serve()
	first := p.Process.Pid
	a.address = a.addr("tcp")
	trustsBoth := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	for _, ca := range []*certtest.Authority{a.old, a.renewed} {
		trustsBoth.RootCAs.AppendCertsFromPEM(ca.Own())
	}
	stays, stat := a.dial(trustsBoth, 50)
	if !stat.OK() {
		t.Fatal(stat)
	}
	a.answers(a.old, first)

	certPEM, keyPEM := a.renewed.PEM(a.renewed.Issue("127.0.0.1"))
	a.write(cert, certPEM)
	a.run("reload").want(t, codeFailed, "TLS certificate", "private key does not match")
	a.answers(a.old, first)

	a.sets("setup", "wait")
	reloaded := make(chan result, 1)
	go func() { reloaded <- a.run("reload") }()
	a.addr("setup") // the successor is there, and has not read the files yet
	a.write(key, keyPEM)
	a.answers(a.renewed, first)
	slow := make(chan *drpc.Status, 1)
	go func() {
		pid, stat := stays.do("/work/wait", 1000)
		if pid != first {
			t.Errorf("process %d answers a call that %d has begun", pid, first)
		}
		slow <- stat
	}()
	polltest.Until(t, "the call", func() bool { return a.count("wait") == 1 })
	a.sets("setup", "")
	(<-reloaded).want(t, codeOK)
	if stat := <-slow; !stat.OK() {
		t.Errorf("a call that the old process had begun: %v", stat)
	}
	next := a.generation()
	a.answers(a.renewed, next)
	polltest.Until(t, "the session to be on the next process", func() bool {
		pid, stat := stays.do("/work/do", "y")
		if !stat.OK() {
			t.Fatalf("the session that was there before: %v", stat)
		}
		return pid == next
	})
	if code := p.wait(); code != codeOK {
		t.Errorf("the old process: exit code %d\n%s", code, p.out.String())
	}
	a.run("stop").want(t, codeOK)
}
