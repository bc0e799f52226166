package netproto_test

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
)

// The TLS configuration of an endpoint serves quic as it is, and kcp and unixpacket on top.
func TestConformanceWithTLSOfTheEndpoint(t *testing.T) {
	web := httptest.NewTLSServer(nil) // it has a certificate
	web.Close()
	config := &tls.Config{Certificates: web.TLS.Certificates, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	for _, network := range []string{"unixpacket", "kcp", "quic"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			conformance.RunProto(t, conformance.Over(func(t testing.TB) (server, client drpc.EndpointConfig) {
				return transport{network: network}.configs(t.TempDir())
			}, config), conformance.Protos[0])
		})
	}
}

// Without a word about TLS a quic endpoint does not listen, and says why.
func TestQUICEndpointNeedsTLS(t *testing.T) {
	t.Parallel()
	e, err := drpc.New(drpc.EndpointConfig{Network: "quic", LocalIP: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	if err = e.ListenAndServe(); err == nil {
		t.Error("it listens")
	}
	e.SetTLSConfig(&tls.Config{InsecureSkipVerify: true})
	addr := serve(t, e)
	client := newEndpoint(t, drpc.EndpointConfig{Network: "quic", LocalIP: "127.0.0.1"})
	if _, stat := client.Dial(addr.String()); stat == nil {
		t.Error("a client that verifies gets in with a certificate for development")
	}
	client.SetTLSConfig(&tls.Config{InsecureSkipVerify: true})
	dial(t, client, addr.String())
}
