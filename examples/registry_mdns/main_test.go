package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/osgochina/dmicro/examples/internal/greeter"
	"github.com/osgochina/dmicro/registry"
)

func TestClientFindsTheServer(t *testing.T) {
	t.Parallel()
	domain := registry.OptDomain(fmt.Sprintf("dmicro-test-%x", rand.Uint64()))
	needMulticast(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	serverCtx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	server, client := &greeter.Role{Serve: true}, &greeter.Role{Ask: true}
	go func() { served <- server.Run(serverCtx, registry.NewRegistry(domain), io.Discard) }()
	var out bytes.Buffer
	if err := client.Run(ctx, registry.NewRegistry(domain), &out); err != nil || out.String() != "hello, neighbour\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// needMulticast skips the test where nothing can be found.
func needMulticast(t *testing.T) {
	t.Helper()
	r := registry.NewRegistry(registry.OptDomain(fmt.Sprintf("dmicro-test-%x", rand.Uint64())), registry.OptTimeout(2*time.Second))
	defer func() { _ = r.(io.Closer).Close() }()
	err := r.Register(&registry.Service{Name: "probe", Nodes: []*registry.Node{{Address: "127.0.0.1:1"}}})
	for range 10 {
		if err == nil {
			if _, err = r.GetService("probe"); err == nil {
				return
			}
		}
	}
	t.Skipf("multicast does not work here: %v", err)
}
