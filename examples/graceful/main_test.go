//go:build !windows

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gogf/gf/v2/frame/g"
	"github.com/gogf/gf/v2/net/ghttp"
	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/internal/polltest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // what GoFrame starts for as long as the process lives
}

// app is the built example, running.
type app struct {
	t          *testing.T
	cmd        *exec.Cmd
	web, lines string

	mu  sync.Mutex
	out []string
	pid int // of the latest generation
}

var starting = regexp.MustCompile(`^generation (\d+), process (\d+): http (\S+), tcp (\S+)$`)

func start(t *testing.T) *app {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "app")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a := &app{t: t, cmd: exec.Command(bin, "-http", "127.0.0.1:0", "-tcp", "127.0.0.1:0")}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a.cmd.Stdout, a.cmd.Stderr = w, w
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for in := bufio.NewScanner(r); in.Scan(); {
			a.note(in.Text())
		}
	}()
	t.Cleanup(func() {
		a.mu.Lock()
		pid := a.pid
		a.mu.Unlock()
		if pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		_ = r.SetReadDeadline(time.Now().Add(5 * time.Second))
		<-read
		_ = r.Close()
		if t.Failed() {
			t.Log(strings.Join(a.out, "\n"))
		}
	})
	a.wait("generation 1,")
	return a
}

func (a *app) note(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out = append(a.out, line)
	if m := starting.FindStringSubmatch(line); m != nil {
		a.pid, _ = strconv.Atoi(m[2])
		if a.web == "" { // the same in every generation
			a.web, a.lines = m[3], m[4]
		}
	}
}

// wait returns once a line with the text was printed.
func (a *app) wait(text string) {
	a.t.Helper()
	polltest.Until(a.t, "a line with "+text, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return strings.Contains(strings.Join(a.out, "\n"), text)
	})
}

// get returns the generation that answers a request.
func (a *app) get(c *http.Client, query string) (gen int, err error) {
	resp, err := c.Get("http://" + a.web + query)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil {
		_, err = fmt.Sscanf(string(text), "generation %d", &gen)
	}
	return gen, err
}

// say returns the answer of the line server.
func (a *app) say(line string) (string, error) {
	conn, err := net.DialTimeout("tcp", a.lines, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestReloadsUnderLoadFailNoRequest(t *testing.T) {
	t.Parallel()
	a := start(t)
	stop := make(chan struct{})
	var load sync.WaitGroup
	var done, failed atomic.Int64
	keep := func(one func() error) {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := one(); err != nil {
					failed.Add(1)
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	idle := &http.Transport{}
	defer idle.CloseIdleConnections()
	pooled, fresh := &http.Client{Transport: idle}, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	keep(func() error { _, err := a.get(pooled, "/"); return err })
	keep(func() error { _, err := a.get(fresh, "/"); return err })
	keep(func() error {
		text, err := a.say("hello")
		if err == nil && !strings.HasSuffix(text, ": HELLO\n") {
			err = fmt.Errorf("answer %q", text)
		}
		return err
	})
	defer load.Wait()
	defer close(stop)
	for gen := 2; gen <= 11; gen++ {
		before := done.Load()
		polltest.Until(a.t, "some requests", func() bool { return done.Load() > before+30 })
		a.mu.Lock()
		pid := a.pid
		a.mu.Unlock()
		sig := syscall.SIGHUP
		if gen%2 == 0 {
			sig = syscall.SIGUSR2
		}
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		a.wait(fmt.Sprintf("generation %d,", gen-1))
		polltest.Until(a.t, "the new generation", func() bool {
			got, err := a.get(fresh, "/")
			return err == nil && got == gen
		})
		a.wait(fmt.Sprintf("process %d: left", pid))
	}
	t.Logf("%d requests, %d failed", done.Load(), failed.Load())
}

func TestRequestUnderWayIsFinishedByTheOldProcess(t *testing.T) {
	t.Parallel()
	a := start(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + a.web + "?wait=500ms") // returns with the beginning of the answer
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := syscall.Kill(a.cmd.Process.Pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	a.wait("generation 2,")
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(text), "generation 1,") {
		t.Errorf("%q, %v", text, err)
	}
	a.wait(fmt.Sprintf("process %d: left", a.cmd.Process.Pid))
	if err := a.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// GoFrame's server takes a listener of package graceful as any other.
func TestGhttpServesOnAnInheritableListener(t *testing.T) {
	ln, err := graceful.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := g.Server(fmt.Sprintf("graceful-example-%x", rand.Uint64())) // GoFrame keeps each by its name
	s.SetDumpRouterMap(false)
	s.BindHandler("/", func(r *ghttp.Request) { r.Response.Write("ok") })
	if err := s.SetListener(ln); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ln.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(text) != "ok" {
		t.Errorf("%q", text)
	}
	if err := s.Shutdown(); err != nil {
		t.Error(err)
	}
}
