package netproto_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/conformance"
)

// patience is how long something may take that takes no time unless it hangs.
const patience = 30 * time.Second

func TestConformance(t *testing.T) {
	for _, tr := range transports[2:] {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			conformance.Run(t, conformance.Over(func(t testing.TB) (server, client drpc.EndpointConfig) {
				return tr.configs(t.TempDir())
			}, nil))
		})
	}
}

// eachTransport runs a test over all of them. They run one after the other where the test counts what the process has.
func eachTransport(t *testing.T, test func(t *testing.T, tr transport)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

func newEndpoint(t testing.TB, cfg drpc.EndpointConfig) drpc.Endpoint {
	t.Helper()
	cfg.DefaultBodyCodec = "plain"
	e, err := drpc.New(cfg)
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
func serve(t testing.TB, e drpc.Endpoint) net.Addr {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- e.ListenAndServe() }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-done; !errors.Is(err, drpc.ErrListenClosed) {
			t.Errorf("ListenAndServe: %v", err)
		}
	})
	var addr net.Addr
	within(t, "the server listens", func() bool {
		addrs := e.Addrs()
		if len(addrs) > 0 {
			addr = addrs[0]
		}
		return addr != nil
	})
	return addr
}

// within fails the test unless the condition holds soon.
func within(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func dial(t testing.TB, e drpc.Endpoint, addr string) drpc.Session {
	t.Helper()
	sess, stat := e.Dial(addr)
	if stat != nil {
		t.Fatalf("dial: %v", stat)
	}
	return sess
}

// echo adds the handler that most tests call.
func echo(e drpc.Endpoint) {
	drpc.HandleCall(e, "/echo", func(_ drpc.CallCtx, arg *[]byte) ([]byte, *drpc.Status) { return *arg, nil })
}

func callEcho(sess drpc.Session, body []byte) error {
	var reply []byte
	if stat := sess.Call("/echo", body, &reply).Status(); stat != nil {
		return errors.New(stat.String())
	}
	if !bytes.Equal(reply, body) {
		return fmt.Errorf("%d bytes came back for %d", len(reply), len(body))
	}
	return nil
}

// share makes n calls with that many callers.
func share(t testing.TB, callers, n int, call func(rng *rand.Rand) error) {
	t.Helper()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), uint64(n)))
			for range (n + c) / callers {
				if err := call(rng); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestManyCallersWithBodiesOfAnySize(t *testing.T) {
	const callers = 64
	sizes := []int{0, 1, 100, 1399, 1400, 1401, 64 << 10, 64<<10 + 1, 300_000, 1 << 20}
	eachTransport(t, func(t *testing.T, tr transport) {
		serverConfig, clientConfig := tr.configs(t.TempDir())
		server, client := newEndpoint(t, serverConfig), newEndpoint(t, clientConfig)
		echo(server)
		sess := dial(t, client, serve(t, server).String())
		biggest := noise(rand.New(rand.NewPCG(1, 2)), 1<<20)
		share(t, callers, 2*callers, func(rng *rand.Rand) error {
			return callEcho(sess, biggest[:sizes[rng.IntN(len(sizes))]])
		})
	})
}

func TestServerPushes(t *testing.T) {
	const pushes = 200
	eachTransport(t, func(t *testing.T, tr transport) {
		serverConfig, clientConfig := tr.configs(t.TempDir())
		server, client := newEndpoint(t, serverConfig), newEndpoint(t, clientConfig)
		pushed := make(chan int, pushes)
		drpc.HandlePush(client, "/news", func(_ drpc.PushCtx, arg *[]byte) *drpc.Status {
			pushed <- len(*arg)
			return nil
		})
		addr := serve(t, server)
		dial(t, client, addr.String())
		// The client says nothing at all.
		within(t, "the server has the session", func() bool { return server.CountSession() == 1 })
		server.RangeSession(func(sess drpc.Session) bool {
			for i := range pushes {
				if stat := sess.Push("/news", make([]byte, i*10)); stat != nil {
					t.Error(stat)
				}
			}
			return true
		})
		sum := 0
		for range pushes {
			select {
			case n := <-pushed:
				sum += n
			case <-time.After(patience):
				t.Fatal("a push is missing")
			}
		}
		if want := 10 * pushes * (pushes - 1) / 2; sum != want {
			t.Errorf("%d bytes came, want %d", sum, want)
		}
	})
}

// A reply that was written before the session closes arrives, and then the peer knows at once.
func TestCloseIsNoticedAtOnceOnEitherSide(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		serverConfig, clientConfig := tr.configs(t.TempDir())
		server := newEndpoint(t, serverConfig)
		echo(server)
		got := make(chan int, 1)
		drpc.HandlePush(server, "/last", func(_ drpc.PushCtx, arg *[]byte) *drpc.Status {
			got <- len(*arg)
			return nil
		})
		addr := serve(t, server).String()
		for _, side := range []string{"client", "server"} {
			client := newEndpoint(t, clientConfig)
			sess := dial(t, client, addr)
			if err := callEcho(sess, []byte("x")); err != nil {
				t.Fatal(err)
			}
			var there drpc.Session
			server.RangeSession(func(s drpc.Session) bool { there = s; return false })
			closes, notices := sess, there
			if side == "server" {
				closes, notices = there, sess
			} else if stat := sess.Push("/last", make([]byte, 500_000)); stat != nil {
				t.Fatal(stat)
			}
			begin := time.Now()
			if err := closes.Close(); err != nil {
				t.Error(err)
			}
			ended(t, notices)
			if took := time.Since(begin); took > idle/2 {
				t.Errorf("%s closes: noticed only after %v", side, took)
			}
			if side == "client" {
				select {
				case n := <-got:
					if n != 500_000 {
						t.Errorf("%d bytes arrived", n)
					}
				case <-time.After(patience):
					t.Error("what was written before Close did not arrive")
				}
			}
			within(t, "the server forgets the session", func() bool { return server.CountSession() == 0 })
		}
	})
}

func ended(t *testing.T, sess drpc.Session) {
	t.Helper()
	select {
	case <-sess.CloseNotify():
	case <-time.After(patience):
		t.Fatal("the session does not end")
	}
}

// serveAsChild is the life of the process that TestKilledPeerIsNoticed kills.
func serveAsChild(network string) error {
	for _, tr := range transports {
		if tr.network != network {
			continue
		}
		cfg, _ := tr.configs(os.TempDir())
		if dir := os.Getenv("DMICRO_TEST_DIR"); dir != "" {
			cfg, _ = tr.configs(dir)
		}
		cfg.DefaultBodyCodec = "plain"
		e, err := drpc.New(cfg)
		if err != nil {
			return err
		}
		echo(e)
		go func() {
			for len(e.Addrs()) == 0 {
				runtime.Gosched()
			}
			fmt.Println(e.Addrs()[0])
			_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
			os.Exit(0)
		}()
		return e.ListenAndServe()
	}
	return errors.New("no such network: " + network)
}

func TestKilledPeerIsNoticed(t *testing.T) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childServer+"="+tr.network, "DMICRO_TEST_DIR="+dir)
			child.Stderr = os.Stderr
			stdin, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stdin.Close() }()
			stdout, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err = child.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = child.Process.Kill() }()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			_, clientConfig := tr.configs(dir)
			sess := dial(t, newEndpoint(t, clientConfig), strings.TrimSpace(line))
			if err = callEcho(sess, []byte("x")); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if err = child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = child.Wait() // says that it was killed
			ended(t, sess)
			took := time.Since(begin)
			t.Logf("noticed after %v", took)
			if took > 2*idle {
				t.Errorf("noticed only after %v", took)
			}
		})
	}
}

func TestConnectingAndClosingLeavesNothing(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		cycles := 1000
		if testing.Short() {
			cycles /= 10
		}
		serverConfig, clientConfig := tr.configs(t.TempDir())
		server, client := newEndpoint(t, serverConfig), newEndpoint(t, clientConfig)
		echo(server)
		addr := serve(t, server).String()
		cycle := func(*rand.Rand) error {
			sess, stat := client.Dial(addr)
			if stat != nil {
				return errors.New(stat.String())
			}
			return errors.Join(callEcho(sess, []byte("x")), sess.Close())
		}
		share(t, 8, 50, cycle) // what is made once
		within(t, "the first sessions are gone", func() bool { return server.CountSession() == 0 })
		goroutines, fds := runtime.NumGoroutine(), descriptors(t)
		begin := time.Now()
		share(t, 8, cycles, cycle)
		t.Logf("%d cycles in %v", cycles, time.Since(begin))
		within(t, "goroutines and descriptors are as many as before", func() bool {
			return runtime.NumGoroutine() <= goroutines+4 && descriptors(t) <= fds
		})
	})
}

// descriptors counts those of the process, where that can be done.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func TestDialToNobodyFailsInTimeAndLeavesNothing(t *testing.T) {
	eachTransport(t, func(t *testing.T, tr transport) {
		_, cfg := tr.configs(t.TempDir())
		cfg.DialTimeout = 300 * time.Millisecond
		client := newEndpoint(t, cfg)
		addr := t.TempDir() + "/nobody"
		if !strings.HasPrefix(tr.network, "unix") {
			addr = "127.0.0.1:9"
		}
		fds := descriptors(t)
		begin := time.Now()
		for range 3 {
			if _, stat := client.Dial(addr); stat == nil || stat.Code() != drpc.CodeDialFailed {
				t.Errorf("%v", stat)
			}
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("three dials took %v", took)
		}
		within(t, "descriptors are as many as before", func() bool { return descriptors(t) <= fds })
	})
}

func TestCallsSurviveLossAndDelay(t *testing.T) {
	const calls, callers = 1000, 32
	for _, tr := range transports {
		if !tr.udp {
			continue
		}
		t.Run(tr.name, func(t *testing.T) {
			serverConfig, clientConfig := tr.configs(t.TempDir())
			server, client := newEndpoint(t, serverConfig), newEndpoint(t, clientConfig)
			echo(server)
			relay := newRelay(t, serve(t, server).(*net.UDPAddr), 0.05, 20*time.Millisecond)
			sess := dial(t, client, relay.String())
			body := noise(rand.New(rand.NewPCG(3, 4)), 1000)
			begin := time.Now()
			share(t, callers, calls, func(*rand.Rand) error { return callEcho(sess, body) })
			took := time.Since(begin)
			t.Logf("%d calls of 1 KB by %d callers over a path with 5%% loss and 20 ms either way: %v, %.0f calls/s",
				calls, callers, took, calls/took.Seconds())
			begin = time.Now()
			if err := client.Close(); err != nil || time.Since(begin) > idle {
				t.Errorf("closing over that path: %v, %v", err, time.Since(begin))
			}
		})
	}
}

func TestHostileDatagramsDisturbNobody(t *testing.T) {
	for _, tr := range transports {
		if !tr.udp {
			continue
		}
		t.Run(tr.name, func(t *testing.T) {
			serverConfig, clientConfig := tr.configs(t.TempDir())
			server, client := newEndpoint(t, serverConfig), newEndpoint(t, clientConfig)
			echo(server)
			addr := serve(t, server).(*net.UDPAddr)
			sess := dial(t, client, addr.String())
			var mem runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&mem)
			before := mem.HeapInuse
			share(t, 4, 4, func(rng *rand.Rand) error {
				return throw(rng, addr, 2000, func() error { return callEcho(sess, []byte("honest")) })
			})
			if err := callEcho(dial(t, client, addr.String()), []byte("honest")); err != nil {
				t.Error(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&mem)
			if grown := int64(mem.HeapInuse) - int64(before); grown > 64<<20 {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
			if n := server.CountSession(); n > 2 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// throw sends n datagrams of any content from one address, some of which look like the beginning of something.
func throw(rng *rand.Rand, to *net.UDPAddr, n int, honest func() error) error {
	conn, err := net.DialUDP("udp", nil, to)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	heads := [][]byte{
		{},
		{0xc3, 0, 0, 0, 1, 8}, // the beginning of a QUIC handshake
		{0x40},                // the middle of a QUIC connection
		{1, 2, 3, 4, 81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},     // a segment of KCP
		{0, 0, 0, 0, 0xf1, 0, 90, 0, 1, 2, 3, 4, 81, 0, 0, 1}, // the same with error correction
		{0, 0, 0, 0, 0xf2, 0},
		{1, 2, 3, 4, 1, 'd', 'm', 'k'}, {1, 2, 3, 4, 3, 'd', 'm', 'k'}, {1, 2, 3, 4, 7, 'd', 'm', 'k'},
	}
	for i := range n {
		b := append(bytes.Clone(heads[rng.IntN(len(heads))]), noise(rng, rng.IntN(1500))...)
		if rng.IntN(4) == 0 {
			b = b[:min(16, len(b))]
		}
		if _, err = conn.Write(b); err != nil {
			return err
		}
		if i%100 == 0 {
			if err = honest(); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkCalls compares the transports: 64 callers with 128 bytes each way, over one session.
func BenchmarkCalls(b *testing.B) {
	for _, tr := range transports {
		b.Run(tr.name, func(b *testing.B) {
			serverConfig, clientConfig := tr.configs(b.TempDir())
			server, client := newEndpoint(b, serverConfig), newEndpoint(b, clientConfig)
			echo(server)
			sess := dial(b, client, serve(b, server).String())
			body := make([]byte, 128)
			b.ResetTimer()
			share(b, 64, b.N, func(*rand.Rand) error { return callEcho(sess, body) })
		})
	}
}
