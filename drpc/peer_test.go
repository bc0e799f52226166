package drpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// waitFor polls until ok holds; it fails the test after a time that only a hang can take.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// newPeer makes an endpoint that closes with the test.
func newPeer(t testing.TB, cfg EndpointConfig, plugins ...Plugin) Endpoint {
	t.Helper()
	if cfg.LocalIP == "" && cfg.Network == "" {
		cfg.LocalIP = "127.0.0.1"
	}
	e, err := New(cfg, plugins...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// serve makes e listen and returns where.
func serve(t testing.TB, e Endpoint) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.ListenAndServe() }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-done; !errors.Is(err, ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	var addrs []net.Addr
	waitFor(t, "listening", func() bool {
		addrs = e.Addrs()
		return len(addrs) > 0
	})
	return addrs[0].String()
}

// dial connects e to addr.
func dial(t testing.TB, e Endpoint, addr string) Session {
	t.Helper()
	sess, stat := e.Dial(addr)
	if stat != nil {
		t.Fatalf("dial %s: %v", addr, stat)
	}
	return sess
}
