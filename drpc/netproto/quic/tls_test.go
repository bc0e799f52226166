package quic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/osgochina/dmicro/drpc/netproto"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/conntest"
)

func TestServerNeedsACertificateUnlessInsecureIsAskedForByName(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func() *tls.Config{
		"no function":      nil,
		"no configuration": fixed(nil),
		"no certificate":   fixed(&tls.Config{MinVersion: tls.VersionTLS13}),
	} {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ServeConn(pc, config, Config{}); !errors.Is(err, ErrNoCertificate) {
			t.Errorf("%s: %v", name, err)
		}
		if err = pc.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the socket was left open", name)
		}
	}
	listen(t, fixed(development), Config{})
}

func TestClientVerifiesUnlessInsecureIsAskedForByName(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	serves := &tls.Config{Certificates: []tls.Certificate{ca.Issue("localhost")}, MinVersion: tls.VersionTLS13}
	ln := listen(t, fixed(serves), Config{})
	addr := "localhost" + ln.Addr().String()[len("127.0.0.1"):]
	trusts := &tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS13}
	other := trusts.Clone()
	other.ServerName = "other"
	for name, c := range map[string]struct {
		addr   string
		config *tls.Config
		good   bool
	}{
		"no configuration":   {addr, nil, false},
		"unknown authority":  {addr, &tls.Config{MinVersion: tls.VersionTLS13}, false},
		"known authority":    {addr, trusts, true},
		"another name":       {addr, other, false},
		"an address instead": {ln.Addr().String(), trusts, false},
		"insecure":           {addr, development, true},
	} {
		conn, err := Dial(context.Background(), "udp4", "", c.addr, c.config, patient(Config{}))
		var unverified *tls.CertificateVerificationError
		switch {
		case c.good && err != nil, !c.good && !errors.As(err, &unverified):
			t.Errorf("%s: %v", name, err)
		case c.good:
			if !netproto.IsSecure(conn) || conn.ConnectionState().NegotiatedProtocol != protocol {
				t.Errorf("%s: %+v", name, conn.ConnectionState())
			}
			_ = conntest.Accept(t, ln).Close()
			_ = conn.Close()
		}
	}
}

func TestClientsProveWhoTheyAreWhereAskedFor(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	ln := listen(t, fixed(&tls.Config{
		Certificates: []tls.Certificate{ca.Issue("localhost")},
		ClientCAs:    ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}), Config{})
	trusts := &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", MinVersion: tls.VersionTLS13}
	// A client without certificate believes to be connected until the server has looked.
	conn, err := Dial(context.Background(), "udp", "", ln.Addr().String(), trusts, patient(Config{}))
	if err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(conntest.Patience))
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	var refused *quicgo.TransportError
	if !errors.As(err, &refused) {
		t.Errorf("without certificate: %v", err)
	}
	trusts.Certificates = []tls.Certificate{ca.Issue("client")}
	dialTo(t, ln.Addr(), trusts, Config{})
	server := conntest.Accept(t, ln).(*Conn)
	if peers := server.ConnectionState().PeerCertificates; len(peers) != 1 || peers[0].DNSNames[0] != "client" {
		t.Errorf("%v", peers)
	}
}

func TestCertificateIsReplacedWhileListening(t *testing.T) {
	t.Parallel()
	old, renewed := certtest.New(t), certtest.New(t)
	var current atomic.Pointer[tls.Config]
	serve := func(ca *certtest.Authority) {
		current.Store(&tls.Config{Certificates: []tls.Certificate{ca.Issue("localhost")}, MinVersion: tls.VersionTLS13})
	}
	serve(old)
	ln := listen(t, current.Load, Config{})
	for _, ca := range []*certtest.Authority{old, renewed} {
		serve(ca)
		dialTo(t, ln.Addr(), &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", MinVersion: tls.VersionTLS13}, Config{})
		conntest.Accept(t, ln)
	}
	current.Store(nil)
	_, err := Dial(context.Background(), "udp", "", ln.Addr().String(), development, Config{})
	if err == nil {
		t.Error("a server without configuration does a handshake")
	}
}

func TestOwnGetConfigForClientIsAsked(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	var asked atomic.Int32
	ln := listen(t, fixed(&tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if asked.Add(1) > 1 {
				return nil, errors.New("enough")
			}
			return &tls.Config{Certificates: []tls.Certificate{ca.Issue(hello.ServerName)}, MinVersion: tls.VersionTLS13}, nil
		},
	}), Config{})
	trusts := &tls.Config{RootCAs: ca.Pool, ServerName: "anything", MinVersion: tls.VersionTLS13}
	dialTo(t, ln.Addr(), trusts, Config{})
	if _, err := Dial(context.Background(), "udp", "", ln.Addr().String(), trusts, Config{}); err == nil {
		t.Error("its error does not count")
	}
}

func TestDevelopmentCertificateSaysWhatItIs(t *testing.T) {
	t.Parallel()
	cert, err := developmentCertificate()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Subject.CommonName != "development only" || parsed.IsCA || time.Until(parsed.NotAfter) > developmentAge {
		t.Errorf("%+v", parsed)
	}
}

// Peers of DMicro 1.x offer http/1.1 and h2, and put nothing in front of what they have to say.
func TestOlderPeersAreUnderstood(t *testing.T) {
	t.Parallel()
	const text = "what older peers say"
	for _, alpn := range olderProtocols {
		t.Run("client "+alpn, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, fixed(development), Config{})
			stream, err := rawDial(t, ln.Addr(), alpn).OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			if _, err = stream.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			server := conntest.Accept(t, ln)
			go func() { _, _ = io.Copy(server, server) }()
			readText(t, stream, text)
		})
		t.Run("server "+alpn, func(t *testing.T) {
			t.Parallel()
			cert, err := developmentCertificate()
			if err != nil {
				t.Fatal(err)
			}
			older, err := quicgo.ListenAddr("127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{cert}, NextProtos: []string{alpn}, MinVersion: tls.VersionTLS13,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = older.Close() }()
			client := dialTo(t, older.Addr(), development, Config{})
			if _, err = client.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), conntest.Patience)
			defer cancel()
			conn, err := older.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.CloseWithError(0, "") }()
			stream, err := conn.AcceptStream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			readText(t, stream, text)
		})
	}
}

func readText(t *testing.T, r interface {
	io.Reader
	SetReadDeadline(time.Time) error
}, text string) {
	t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(conntest.Patience))
	b := make([]byte, len(text))
	if _, err := io.ReadFull(r, b); err != nil || string(b) != text {
		t.Errorf("%q, %v", b, err)
	}
}
