package netproto_test

import (
	"crypto/tls"
	"errors"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
)

// Without a word about TLS a quic endpoint does not listen, and says why. One that asks for insecurity by name gets a
// certificate for development, which clients that verify refuse. Nobody sets application protocols.
func TestQUICEndpointNeedsTLS(t *testing.T) {
	t.Parallel()
	newEndpoint := func() drpc.Endpoint {
		e, err := drpc.New(drpc.EndpointConfig{Network: "quic", LocalIP: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	server, client := newEndpoint(), newEndpoint()
	if err := server.ListenAndServe(); err == nil {
		t.Error("it listens")
	}
	server.SetTLSConfig(&tls.Config{InsecureSkipVerify: true})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.ListenAndServe(); !errors.Is(err, drpc.ErrListenClosed) {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer func() { _, _ = client.Close(), server.Close() }()
	polltest.Until(t, "the server listens", func() bool { return len(server.Addrs()) > 0 })
	addr := server.Addrs()[0].String()
	if _, stat := client.Dial(addr); stat == nil {
		t.Error("a client that verifies gets in with a certificate for development")
	}
	client.SetTLSConfig(&tls.Config{InsecureSkipVerify: true})
	if _, stat := client.Dial(addr); stat != nil {
		t.Error(stat)
	}
}
