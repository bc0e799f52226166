// Package conformance is one suite that every combination of transport, protocol, codec and transfer filter must pass:
// calls, pushes, replies with a status, empty bodies, meta, unicode, large bodies, concurrent callers.
//
// [Run] runs it over a transport, some ten lines each; [Protos] and [Cannot] are the tables of what is combined and of
// what a combination cannot carry, and with which error it says so. Only tests import this package.
package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// Connect starts a server with the routes that register adds to it and returns the session of a client with it, over the
// protocol given. All of it ends with the test.
type Connect func(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) drpc.Session

// Run runs the whole suite over a transport. The subtests of one protocol share a connection.
func Run(t *testing.T, connect Connect) {
	registerFilters()
	for _, p := range Protos {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			RunProto(t, connect, p)
		})
	}
}

// RunProto is Run for one protocol.
func RunProto(t *testing.T, connect Connect, p Proto) {
	registerFilters()
	kinds, ends := bodyKinds(), newEnds()
	sess := connect(t, func(e drpc.Endpoint) {
		for _, k := range kinds {
			k.register(e)
		}
		ends.register(e)
	}, p.Make())
	ends.run(t, sess, p.Name)
	for _, k := range kinds {
		for _, filters := range Filters {
			for _, s := range scenarios {
				c := combination{proto: p.Name, body: k.name, filters: filters, scenario: s.name}
				if s.binary && !k.binary {
					continue
				}
				t.Run(c.String(), func(t *testing.T) { c.check(t, s.run(sess, k, filters)) })
			}
		}
	}
}

// registerFilters registers the filters of the suite, once: the registry belongs to the process.
var registerFilters = sync.OnceFunc(func() {
	key := []byte("0123456789abcdef")
	for id, register := range map[byte]func(){
		tfilter.GzipId:   func() { tfilter.RegGzip(5) },
		tfilter.Md5Id:    tfilter.RegMD5,
		tfilter.AesId:    func() { tfilter.RegAES(key) },
		tfilter.AesGcmId: func() { tfilter.RegAESGCM(key) },
	} {
		if _, err := tfilter.Get(id); err != nil {
			register()
		}
	}
})

// TCP is the transport that is always there.
var TCP = Over(func(testing.TB) (server, client drpc.EndpointConfig) {
	server.LocalIP, client.LocalIP = "127.0.0.1", "127.0.0.1"
	return server, client
}, nil)

// Over returns the Connect of a transport that endpoints select by their configuration. tlsConfig may be nil.
func Over(config func(testing.TB) (server, client drpc.EndpointConfig), tlsConfig *tls.Config) Connect {
	return func(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) drpc.Session {
		t.Helper()
		serverConfig, clientConfig := config(t)
		server, client := endpoint(t, serverConfig, tlsConfig), endpoint(t, clientConfig, tlsConfig)
		register(server)
		sess, stat := client.Dial(serve(t, server, pf).String(), pf)
		if stat != nil {
			t.Fatalf("dial: %v", stat)
		}
		return sess
	}
}

func endpoint(t testing.TB, cfg drpc.EndpointConfig, tlsConfig *tls.Config) drpc.Endpoint {
	t.Helper()
	e, err := drpc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.SetTLSConfig(tlsConfig)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

// serve makes e listen and returns where.
func serve(t testing.TB, e drpc.Endpoint, pf proto.ProtoFunc) net.Addr {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.ListenAndServe(pf) }()
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if addrs := e.Addrs(); len(addrs) > 0 {
			return addrs[0]
		}
		select {
		case err := <-done:
			done <- err
			t.Fatalf("ListenAndServe: %v", err)
		case <-ctx.Done():
			t.Fatal("the server never listens")
		case <-time.After(time.Millisecond):
		}
	}
}

// patience is how long something may take that takes no time unless it hangs.
const patience = 30 * time.Second
