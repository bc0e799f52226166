package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/osgochina/dmicro/examples/internal/greeter"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/etcd"
)

func TestClientFindsTheServer(t *testing.T) {
	t.Parallel()
	address := os.Getenv("DMICRO_ETCD")
	if address == "" {
		t.Skip("needs an etcd: set DMICRO_ETCD to its address. The module integration runs this example with one of its own")
	}
	prefix := etcd.Prefix(fmt.Sprintf("/dmicro-test/%x/", rand.Uint64()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	serverCtx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	server, client := &greeter.Role{Serve: true}, &greeter.Role{Ask: true}
	go func() {
		served <- server.Run(serverCtx, etcd.NewRegistry(registry.OptAddrList(address), prefix), io.Discard)
	}()
	var out bytes.Buffer
	err := client.Run(ctx, etcd.NewRegistry(registry.OptAddrList(address), prefix), &out)
	if err != nil || out.String() != "hello, neighbour\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
