package drpc

import (
	"bytes"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/certtest"
)

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// follow makes an endpoint follow files, with a certificate of an authority.
func follow(t *testing.T, e Endpoint, own *certtest.Authority, ca string) {
	t.Helper()
	cert, key := own.Files("127.0.0.1")
	if err := e.SetTLSFiles(TLSFiles{Cert: cert, Key: key, CA: ca}); err != nil {
		t.Fatal(err)
	}
}

// An authority that is taken off the file is trusted no more, not even for a session that a client resumes.
func TestResumptionEndsWithTheAuthority(t *testing.T) {
	t.Parallel()
	a, next := certtest.New(t), certtest.New(t)
	authorities := a.File()
	srv := newPeer(t, EndpointConfig{})
	echoes(srv)
	follow(t, srv, a, authorities)
	addr := serve(t, srv)
	client := a.Client()
	client.Certificates = []tls.Certificate{a.Issue("client")}
	client.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	cli := newPeer(t, EndpointConfig{})
	cli.SetTLSConfig(client)
	attempt := func() (resumed bool, stat *Status) {
		sess, stat := cli.Dial(addr)
		if stat != nil {
			return false, stat
		}
		defer func() { _ = sess.Close() }()
		stat = sess.Call("/echo", "x", nil).Status()
		return sess.(*session).link.Load().sock.Raw().(*tls.Conn).ConnectionState().DidResume, stat
	}
	if _, stat := attempt(); stat != nil {
		t.Fatal(stat)
	}
	if resumed, stat := attempt(); stat != nil || !resumed {
		t.Fatalf("the client resumes: %v, %v", resumed, stat)
	}
	writeFile(t, authorities, slices.Concat(a.Own(), bytes.Repeat([]byte("# the same\n"), 50)))
	if _, stat := attempt(); stat != nil {
		t.Fatalf("a comment has been added: %v", stat)
	}
	writeFile(t, authorities, next.Own())
	if resumed, stat := attempt(); stat == nil {
		t.Errorf("a client of an authority that is gone is served (resumed: %v)", resumed)
	}
}

func TestAuthoritiesThatAreOfNoUseLeaveThoseOfBefore(t *testing.T) {
	t.Parallel()
	a, next := certtest.New(t), certtest.New(t)
	path := a.File()
	current, err := TLSFiles{CA: path}.Follow()
	if err != nil {
		t.Fatal(err)
	}
	before := current()
	both := slices.Concat(a.Own(), next.Own())
	unreadable := slices.Concat([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), next.Own())
	for what, text := range map[string][]byte{
		"empty":                      {},
		"no certificate":             []byte("nothing of the kind"),
		"the first half":             a.Own()[:len(a.Own())/2],
		"one and a half":             both[:len(both)-10],
		"half a one and another":     both[30:],
		"a beginning before another": slices.Concat(a.Own()[:40], next.Own()),
		"one that cannot be read":    unreadable,
	} {
		writeFile(t, path, text)
		if cfg := current(); cfg != before {
			t.Errorf("%s: counts", what)
		}
	}
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if current() != before {
		t.Error("a file that is gone counts")
	}
	writeFile(t, path, a.Own())
	if current() != before {
		t.Error("the same authorities make another configuration")
	}
	writeFile(t, path, both)
	after := current()
	if after == before || after.RootCAs.Equal(before.RootCAs) || after.RootCAs != after.ClientCAs {
		t.Error("new authorities do not count")
	}
	if after.ClientAuth != tls.RequireAndVerifyClientCert || after.InsecureSkipVerify || after.MinVersion < tls.VersionTLS12 {
		t.Errorf("configuration %+v", after)
	}
}

func TestAuthoritiesAtFirst(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	path := filepath.Join(t.TempDir(), "ca.pem")
	for what, tt := range map[string]struct {
		text []byte
		want error
	}{
		"whole, between comments":         {slices.Concat([]byte("# one\n"), a.Own(), []byte("# end\n")), nil},
		"beside one that nobody can read": {slices.Concat([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), a.Own()), nil},
		"torn":                            {slices.Concat(a.Own(), a.Own()[:100]), errTornPEM},
		"empty":                           {nil, ErrNoAuthority},
	} {
		writeFile(t, path, tt.text)
		if _, err := (TLSFiles{CA: path}).Follow(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// SetTLSFiles of files that are of no use leaves the configuration of before.
func TestTLSFilesOfNoUseChangeNothing(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	e := newPeer(t, EndpointConfig{})
	follow(t, e, a, a.File())
	before := e.TLSConfig()
	if err := e.SetTLSFiles(TLSFiles{CA: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if e.TLSConfig() != before {
		t.Error("the configuration has changed")
	}
	if e.SetTLSConfig(nil); e.TLSConfig() != nil {
		t.Error("there still is a configuration")
	}
}

// Authorities that come and go beside the one of both sides, in the middle of writes, keep nobody out.
func TestManyHandshakesWhileTheAuthoritiesChange(t *testing.T) {
	t.Parallel()
	a, other := certtest.New(t), certtest.New(t)
	path := a.File()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	echoes(srv)
	follow(t, srv, a, path)
	follow(t, cli, a, path)
	addr := serve(t, srv)
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
				if stat == nil {
					stat = sess.Call("/echo", "x", nil).Status()
					_ = sess.Close()
				}
				if stat != nil {
					t.Error(stat)
					return
				}
			}
		})
	}
	for i := range 40 {
		writeFile(t, path, [][]byte{a.Own(), slices.Concat(a.Own(), other.Own())}[i%2])
	}
	close(done)
	wg.Wait()
}

// Not parallel: the log belongs to the process.
func TestAuthoritiesOfNoUseAreLoggedOnce(t *testing.T) {
	lines := captureLog(t)
	path := certtest.New(t).File()
	current, err := TLSFiles{CA: path}.Follow()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		writeFile(t, path, []byte("half a"))
		current()
	}
	if n := lines.count("cannot be used, the one before serves on"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
