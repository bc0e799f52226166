package integration

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/etcd"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // many tests cause errors on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// cluster is an etcd of one member behind a relay, whose address stays when the member is stopped and started.
type cluster struct {
	t    *testing.T
	cfg  *embed.Config
	etcd *embed.Etcd
	relay
}

// startCluster starts an etcd that ends with the test.
func startCluster(t *testing.T, change ...func(*embed.Config)) *cluster {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "etcd")
	cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{anyPort}, []url.URL{anyPort}
	cfg.AdvertiseClientUrls, cfg.AdvertisePeerUrls = []url.URL{anyPort}, []url.URL{anyPort}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 50, 500
	cfg.UnsafeNoFsync = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	for _, c := range change {
		c(cfg)
	}
	c := &cluster{t: t, cfg: cfg}
	c.relay.start(t)
	t.Cleanup(c.stop)
	c.start()
	return c
}

var anyPort = url.URL{Scheme: "http", Host: "127.0.0.1:0"}

func (c *cluster) start() {
	c.t.Helper()
	cfg := *c.cfg
	e, err := embed.StartEtcd(&cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.etcd = e
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(time.Minute):
		c.t.Fatal("etcd is not ready after a minute")
	}
	c.to(e.Clients[0].Addr().String())
}

// stop stops the member; its data stay.
func (c *cluster) stop() {
	c.cut()
	if c.etcd != nil {
		c.etcd.Close()
		c.etcd = nil
	}
}

// client returns a client that goes past the relay.
func (c *cluster) client() *clientv3.Client {
	c.t.Helper()
	return newClient(c.t, c.etcd.Clients[0].Addr().String())
}

func newClient(t *testing.T, addresses ...string) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{Endpoints: addresses, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

// registry returns a registry behind the relay that ends with the test.
func (c *cluster) registry(opts ...registry.Option) registry.Registry {
	return newRegistry(c.t, append([]registry.Option{registry.OptAddrList(c.addr)}, opts...)...)
}

func newRegistry(t *testing.T, opts ...registry.Option) registry.Registry {
	r := etcd.NewRegistry(append([]registry.Option{registry.OptTimeout(10 * time.Second)}, opts...)...)
	t.Cleanup(func() {
		if err := r.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// shared returns where an etcd is that no test stops, and a prefix that no other test has.
func shared(t *testing.T) (addr, prefix string) {
	t.Helper()
	prefix = fmt.Sprintf("/dmicro-test/%x/", rand.Uint64())
	if given := os.Getenv("DMICRO_ETCD"); given != "" {
		return given, prefix
	}
	return startCluster(t).addr, prefix
}

// ownCluster is for tests that stop the cluster.
func ownCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("DMICRO_ETCD") != "" {
		t.Skip("this test stops the cluster, so that it does not run against a given one")
	}
	return startCluster(t)
}

// relay passes connections on, or cuts them.
type relay struct {
	addr string

	mu     sync.Mutex
	target string // empty: cut
	conns  map[net.Conn]bool
	frozen sync.RWMutex // locked: what comes in waits
}

// freeze keeps connections open but lets nothing through until the function that it returns is called.
func (r *relay) freeze() (thaw func()) {
	r.frozen.Lock()
	return r.frozen.Unlock
}

// pass copies until one side ends.
func (r *relay) pass(dst, src net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		r.frozen.RLock()
		if n > 0 {
			if _, failed := dst.Write(buf[:n]); failed != nil {
				err = failed
			}
		}
		r.frozen.RUnlock()
		if err != nil {
			return
		}
	}
}

func (r *relay) start(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr, r.conns = ln.Addr().String(), map[net.Conn]bool{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		r.cut()
		wg.Wait()
	})
}

// to passes new connections on.
func (r *relay) to(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

// cut closes all connections, and new ones at once. It returns where they went.
func (r *relay) cut() (target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	target, r.target = r.target, ""
	for c := range r.conns {
		_ = c.Close()
	}
	return target
}

func (r *relay) serve(in net.Conn) {
	defer in.Close()
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	if target == "" {
		return
	}
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	r.mu.Lock()
	cut := r.target == ""
	r.conns[in], r.conns[out] = true, true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.conns, in)
		delete(r.conns, out)
		r.mu.Unlock()
	}()
	if cut {
		return
	}
	go func() {
		r.pass(out, in)
		_ = out.Close()
	}()
	r.pass(in, out)
}

// slack is what something may take longer than its limit on a machine that is busy with other things. A machine that is
// told to measure (DMICRO_SOAK=1) gets none.
func slack() time.Duration {
	if os.Getenv("DMICRO_SOAK") != "" {
		return 0
	}
	return 30 * time.Second
}

// within holds what something took against its limit.
func within(t *testing.T, what string, limit, took time.Duration) {
	t.Helper()
	t.Logf("%s: %v, limit %v", what, took.Round(time.Millisecond), limit)
	if took > limit+slack() {
		t.Errorf("%s took %v, more than %v", what, took, limit+slack())
	}
}

// waitFor polls until done holds, and holds how long that took against its limit.
func waitFor(t *testing.T, what string, limit time.Duration, done func() bool) {
	t.Helper()
	begin := time.Now()
	polltest.Until(t, what, done)
	within(t, what, limit, time.Since(begin))
}

func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
