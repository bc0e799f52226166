//go:build !windows

package dserver

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/certtest"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// A handler that takes longer than the limit is cut at the limit, and the log says how many calls that concerns.
func TestDrainLimitCutsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(e *testEnv){
		"stop":   func(e *testEnv) { e.run("stop").want(t, codeOK) },
		"reload": func(e *testEnv) { e.run("reload").want(t, codeOK) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newPortsEnv(t, "tcponly")
			writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nStopTimeout = \"2s\"\n")
			p := e.serve()
			c := dialApp(t, "tcp", e.addr("tcp"))
			result := make(chan *drpc.Status, 1)
			go func() {
				_, stat := c.do("/work/wait", 30_000)
				result <- stat
			}()
			polltest.Until(t, "the call", func() bool { return e.count("wait") == 1 })
			began := time.Now()
			how(e)
			if code := p.wait(); code != codeFailed {
				t.Errorf("exit code %d, want %d: something was cut", code, codeFailed)
			}
			took := time.Since(began)
			if took < 1500*time.Millisecond {
				t.Errorf("took %v with a limit of 2s", took)
			}
			wantPrompt(t, "an end with a limit of 2s", took, 5*time.Second)
			if out := p.out.String(); !strings.Contains(out, "1 calls of 1 sessions were cut off") {
				t.Errorf("the log does not count the calls:\n%s", out)
			}
			if stat := <-result; stat.OK() {
				t.Error("the call that was cut has succeeded")
			}
			if name == "reload" {
				e.run("stop").want(t, codeOK)
			}
		})
	}
}

// Descriptors do not pile up from one process to the next, and what a handler has started has none of them.
func TestDescriptorsStayOverManyReloads(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	t.Parallel()
	reloads := 6
	if soak() {
		reloads = 50
	}
	e := newPortsEnv(t, "plain")
	e.serve()
	c := dialApp(t, "tcp", e.addr("tcp"))
	var counts []int
	for range reloads {
		before := e.generation()
		e.run("reload").want(t, codeOK)
		polltest.Until(t, "the old process to leave", func() bool { return !alive(before) })
		if pid, stat := c.do("/work/do", "x"); !stat.OK() || pid != e.generation() {
			t.Fatal(pid, stat)
		}
		counts = append(counts, len(openFiles(e.generation())))
	}
	if first, last := counts[1], counts[len(counts)-1]; last > first+3 {
		t.Errorf("descriptors of each generation: %v", counts)
	}
	child, stat := c.do("/work/spawn", "")
	if !stat.OK() {
		t.Fatal(stat)
	}
	defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
	for _, name := range openFiles(child) {
		if strings.HasPrefix(name, "socket:") {
			t.Errorf("a program that a handler has started has %s", name)
		}
	}
	t.Logf("descriptors over %d reloads: %v", reloads, counts)
	e.run("stop").want(t, codeOK)
}

// openFiles lists what the descriptors of a process are.
func openFiles(pid int) (names []string) {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// A pid namespace of its own makes the application process 1, as in a container.
func TestAsProcessOneReloadIsRefusedOrKeepsTheNumber(t *testing.T) {
	t.Parallel()
	for model, refused := range map[string]bool{"single": true, "multi": false} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			e := newPortsEnv(t, "tcponly,"+model)
			e.extra = append(e.extra, "INHERIT=tcp 127.0.0.1 "+e.port("tcp")+",unix "+filepath.Join(e.dir, "calls.sock"))
			p := e.beginAsInit(t)
			p.waitOutput("started, pid 1:")
			c := dialApp(t, "tcp", e.addr("tcp"))
			if _, stat := c.do("/work/do", "x"); !stat.OK() {
				t.Fatal(stat)
			}
			r := e.run("ctl", "reload")
			if refused {
				r.want(t, codeFailed, "process 1 cannot be replaced", "--model=1")
			} else {
				r.want(t, codeOK, "reloaded")
			}
			if _, stat := c.do("/work/do", "y"); !stat.OK() {
				t.Fatal(stat)
			}
			p.signal(syscall.SIGTERM)
			p.wait()
		})
	}
}

// Idle peers that know nothing of moving are closed at the limit, with the code of a server that goes away.
func TestIdleWebsocketsAreClosedAtTheLimitAndGenerationsAreFew(t *testing.T) {
	t.Parallel()
	conns, reloads := 20, 4
	if soak() {
		conns, reloads = 1000, 30
	}
	e := newPortsEnv(t, "plain")
	writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nDrainTimeout = \"1s\"\n")
	e.serve()
	addr := e.addr("web")
	var leaving, wrong atomic.Int64
	stop, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var up sync.WaitGroup
	for range conns {
		up.Add(1)
		wg.Go(func() { idleWebsocket(stop, addr, up.Done, &leaving, &wrong) })
	}
	up.Wait()
	most := 0
	for range reloads {
		e.run("reload").want(t, codeOK)
		most = max(most, e.processes())
	}
	polltest.Until(t, "the old processes to leave", func() bool { return e.processes() == 1 })
	if leaving.Load() < int64(conns) || wrong.Load() > 0 {
		t.Errorf("%d connections were closed with 1001, %d otherwise", leaving.Load(), wrong.Load())
	}
	if most > reloads+1 || most > 12 {
		t.Errorf("%d generations at a time", most)
	}
	t.Logf("%d idle websockets, %d reloads: %d closed with 1001, %d generations at a time at most", conns, reloads, leaving.Load(), most)
	cancel()
	wg.Wait()
	e.run("stop").want(t, codeOK)
}

// idleWebsocket is a browser that says nothing and comes back when it is closed.
func idleWebsocket(stop context.Context, addr string, up func(), leaving, wrong *atomic.Int64) {
	var once sync.Once
	for stop.Err() == nil {
		d := gorilla.Dialer{HandshakeTimeout: callPatience}
		conn, resp, err := d.DialContext(stop, "ws://"+addr+"/ws", http.Header{})
		if resp != nil {
			_ = resp.Body.Close()
		}
		if err != nil {
			if stop.Err() == nil {
				time.Sleep(10 * time.Millisecond) // one that leaves takes nobody in
			}
			continue
		}
		once.Do(up)
		end := context.AfterFunc(stop, func() { _ = conn.Close() })
		for err == nil {
			_, _, err = conn.ReadMessage()
		}
		switch {
		case stop.Err() != nil:
		case gorilla.IsCloseError(err, gorilla.CloseGoingAway):
			leaving.Add(1)
		default:
			wrong.Add(1)
		}
		end()
		_ = conn.Close()
	}
}

// processes counts the processes of the application.
func (e *testEnv) processes() (n int) {
	stats, _ := filepath.Glob("/proc/[1-9]*/cwd")
	for _, name := range stats {
		dir, err := os.Readlink(name)
		cmd, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		if err == nil && dir == e.dir && strings.Contains(string(cmd), "\x00start") {
			n++
		}
	}
	return n
}

// Over kcp and quic the sessions move, and calls go on within moments.
func TestSessionsOverUDPAreBackAfterAReload(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"kcp", "quic"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			e, ca := newUDPEnv(t, network)
			e.serve()
			c := dialUDP(t, network, e.addr("udp"), ca)
			old, stat := c.do("/work/do", "first")
			if !stat.OK() {
				t.Fatal(stat)
			}
			for n := range 3 {
				e.run("reload").want(t, codeOK)
				began := time.Now()
				polltest.Until(t, "the next process to answer", func() bool {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					var pid int
					stat := c.sess.Call("/work/do", fmt.Sprint("call", n), &pid, message.WithContext(ctx)).Status()
					if stat.OK() && pid != old {
						old = pid
						return true
					}
					return false
				})
				took := time.Since(began)
				wantPrompt(t, "being on the next process", took, time.Second)
				t.Logf("%s: on the next process after %v", network, took.Round(time.Millisecond))
			}
			e.run("stop").want(t, codeOK)
		})
	}
}

// A call that the old process has begun before the hand-over is answered by it, however long it takes within the limit.
func TestCallsOverQUICThatHaveBegunAreAnsweredByTheOldProcess(t *testing.T) {
	t.Parallel()
	e, ca := newUDPEnv(t, "quic")
	p := e.serve()
	c := dialUDP(t, "quic", e.addr("udp"), ca)
	type answer struct {
		pid  int
		stat *drpc.Status
	}
	slow := make(chan answer, 1)
	go func() {
		pid, stat := c.do("/work/wait", 3000)
		slow <- answer{pid, stat}
	}()
	polltest.Until(t, "the call", func() bool { return e.count("wait") == 1 })
	e.run("reload").want(t, codeOK)
	if a := <-slow; !a.stat.OK() || a.pid != p.Process.Pid {
		t.Errorf("process %d has answered, %v", a.pid, a.stat)
	}
	if code := p.wait(); code != codeOK {
		t.Errorf("the old process: exit code %d\n%s", code, p.out.String())
	}
	e.run("stop").want(t, codeOK)
}

// newUDPEnv makes a place for a netApp that listens on a UDP socket.
func newUDPEnv(t *testing.T, network string) (*testEnv, *certtest.Authority) {
	e := newNetEnv(t, "udp")
	e.extra = append(e.extra, "UDP="+network, fmt.Sprint("PORT_udp=", porttest.FreeUDP(t)))
	e.cleanUp()
	ca := certtest.New(t)
	if network == "quic" {
		cert, key := ca.Files("127.0.0.1")
		e.extra = append(e.extra, "CERT="+cert, "KEY="+key)
	}
	return e, ca
}

func dialUDP(t *testing.T, network, addr string, ca *certtest.Authority) *peer {
	t.Helper()
	ep, err := drpc.New(drpc.EndpointConfig{Network: network, RedialTimes: 50, RedialInterval: 20 * time.Millisecond, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ep.Close() })
	if network == "quic" {
		ep.SetTLSConfig(ca.Client())
	}
	sess, stat := ep.Dial(addr)
	if !stat.OK() {
		t.Fatal(stat)
	}
	return &peer{t, ep, sess}
}
