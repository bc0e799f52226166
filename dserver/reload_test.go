//go:build !windows

package dserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
)

// generation is a process of an application that another one has started.
func (e *testEnv) generation() int {
	e.t.Helper()
	text, err := os.ReadFile(e.pidPath())
	if err != nil {
		e.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		e.t.Fatalf("the pid file holds %q", text)
	}
	return pid
}

// cleanUp kills whoever serves when the test ends: it is no child of the test.
func (e *testEnv) cleanUp() {
	e.t.Cleanup(func() {
		text, _ := os.ReadFile(e.pidPath())
		if pid, err := strconv.Atoi(string(text)); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// peer calls an application over one connection, which it makes again as it needs.
type peer struct {
	t    *testing.T
	ep   drpc.Endpoint
	sess drpc.Session
}

func dialApp(t *testing.T, network, addr string) *peer {
	t.Helper()
	ep, err := drpc.New(drpc.EndpointConfig{
		Network: network, RedialTimes: 50, RedialInterval: 20 * time.Millisecond, DialTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ep.Close() })
	sess, stat := ep.Dial(addr)
	if !stat.OK() {
		t.Fatal(stat)
	}
	return &peer{t, ep, sess}
}

// do returns the process that executed the call.
func (c *peer) do(method string, arg any) (pid int, stat *drpc.Status) {
	stat = c.sess.Call(method, arg, &pid).Status()
	return pid, stat
}

func TestReloadPutsANewProcessInThePlaceOfTheOldOne(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly")
	e.cleanUp()
	p := e.serve()
	old := p.Process.Pid
	addr := e.addr("tcp")
	r := e.run("reload")
	pid := e.generation()
	r.want(t, codeOK, fmt.Sprintf("TestApp reloaded: process %d follows %d", pid, old))
	if pid == old {
		t.Fatal("the same process serves")
	}
	if code := p.wait(); code != codeOK || !strings.Contains(p.out.String(), fmt.Sprintf("TestApp [%d] left to its successor", old)) {
		t.Errorf("the old process: exit code %d\n%s", code, p.out.String())
	}
	c := dialApp(t, "tcp", addr)
	if got, stat := c.do("/work/do", "x"); !stat.OK() || got != pid {
		t.Errorf("process %d answers, %v", got, stat)
	}
	e.run("ctl", "ps").want(t, codeOK, fmt.Sprintf("pid %d", pid), "generation 2")
	if info, err := os.Lstat(e.sockPath()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("control socket: %v, %v", info, err)
	}
	e.run("start").want(t, codeFailed, fmt.Sprintf("[%d] is already running", pid))
	e.run("ctl", "reload").want(t, codeOK, "reloaded")
	polltest.Until(t, "the third generation", func() bool { return e.generation() != pid })
	e.run("stop").want(t, codeOK, "stopped in")
	e.wantNoFiles()
	if _, err := os.Lstat(filepath.Join(e.dir, "calls.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unix socket after stop: %v", err)
	}
}

func TestReloadThatFailsLeavesTheOldProcessAtWork(t *testing.T) {
	t.Parallel()
	const hasty = "[dserver]\nReadyTimeout = \"1s\"\n"
	for name, tt := range map[string]struct {
		old, next  string // configuration
		what, does string // what the new process does
		says       []string
	}{
		"exit":      {"", "", "start", "exit", []string{"broken on purpose"}},
		"hang":      {hasty, "", "start", "hang", []string{"not ready in time"}},
		"Setup":     {"", "", "setup", "fail", []string{"no database"}},
		"no socket": {"", hasty, "setup", "hang", []string{"nobody listens on"}},
		"bad key":   {"", "[dserver]\nStopTimout = 1\n", "", "", []string{"dserver.StopTimout", "no such key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newNetEnv(t, "tcponly")
			e.cleanUp()
			config := filepath.Join(e.dir, "config.toml")
			writeFile(t, config, tt.old)
			p := e.serve()
			c := dialApp(t, "tcp", e.addr("tcp"))
			writeFile(t, config, tt.next)
			e.sets(tt.what, tt.does)
			e.run("reload").want(t, codeFailed, tt.says...)
			if got, stat := c.do("/work/do", "x"); !stat.OK() || got != p.Process.Pid {
				t.Fatalf("process %d answers, %v", got, stat)
			}
			if e.generation() != p.Process.Pid {
				t.Fatal("the pid file names another process")
			}
			if kids := childrenOf(p.Process.Pid); len(kids) > 0 {
				t.Fatalf("processes %v are left", kids)
			}
			if tt.old == "" { // else a good one may be late, too
				writeFile(t, config, "")
				e.sets(tt.what, "")
				e.run("reload").want(t, codeOK, "reloaded")
			}
			e.run("stop").want(t, codeOK)
		})
	}
}

// childrenOf lists the processes whose parent is pid, where there is /proc.
func childrenOf(pid int) (kids []string) {
	stats, _ := filepath.Glob("/proc/[1-9]*/stat")
	for _, name := range stats {
		text, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) && f[0] != "Z" {
			kids = append(kids, name)
		}
	}
	return kids
}

func TestReloadIsRefusedClearly(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly,veto")
	p := e.serve()
	e.run("reload").want(t, codeFailed, "BeforeStop refused it")
	e.run("reload", "TcpBox").want(t, codeFailed, "reload without a name")
	e.run("reload", "nobody").want(t, codeFailed, "not found: [nobody]")
	p.signal(syscall.SIGKILL)
	p.wait()
	e.run("reload").want(t, codeFailed, "not running")
}

func TestTwoReloadsAtOnceMakeOneGeneration(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly")
	e.cleanUp()
	e.serve()
	e.sets("setup", "wait")
	first := e.begin("reload")
	e.addr("setup") // of the new process
	e.run("reload").want(t, codeFailed, "in progress already")
	e.sets("setup", "")
	if code := first.wait(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, first.out.String())
	}
	e.run("ctl", "ps").want(t, codeOK, "generation 2")
	e.run("stop").want(t, codeOK)
}

func TestSignalReloads(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly,noctl")
	e.cleanUp()
	p := e.serve()
	p.signal(syscall.SIGUSR2)
	p.waitOutput("left to its successor")
	second := e.generation()
	e.run("reload").want(t, codeOK, fmt.Sprintf("follows %d", second))
	third := e.generation()
	e.sets("setup", "fail")
	e.run("reload", "--timeout", "1s").want(t, codeFailed, "was not replaced in time")
	if e.generation() != third {
		t.Error("another process serves")
	}
	e.run("stop").want(t, codeOK)
	e.wantNoFiles()
}

// The command that stops has asked the old process when that one hands over and ends. Nothing is left all the same.
func TestStopAmidAReloadEndsTheSuccessorToo(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly,vetofile")
	e.cleanUp()
	p := e.serve()
	e.sets("veto", "once") // so that the old process goes on although it was asked
	stop := e.begin("stop")
	p.waitOutput("stop refused")
	stop.signal(syscall.SIGSTOP)
	r := e.run("reload")
	successor := e.generation()
	p.wait()
	stop.signal(syscall.SIGCONT)
	r.want(t, codeOK, "reloaded")
	if code := stop.wait(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, stop.out.String())
	}
	for _, text := range []string{
		fmt.Sprintf("TestApp [%d] was reloaded just now: process %d followed", p.Process.Pid, successor),
		fmt.Sprintf("TestApp [%d] stopped in", successor),
	} {
		if !strings.Contains(stop.out.String(), text) {
			t.Errorf("output lacks %q:\n%s", text, stop.out.String())
		}
	}
	e.run("status").want(t, codeNotRunning)
	polltest.Until(t, "the successor to be gone", func() bool { return !alive(successor) })
	e.wantNoFiles()
}

// Whenever a stop comes while reloads go on, it leaves nobody behind.
func TestStopAtAnyTimeOfAReloadLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	rounds := 4
	if soak() {
		rounds = 60
	}
	for round := range rounds {
		e := newNetEnv(t, "tcponly")
		e.cleanUp()
		p := e.serve()
		p.signal(syscall.SIGUSR2)
		if round%2 == 1 { // between the hand-over and the end of the old process, and not before
			polltest.Until(t, "the successor", func() bool { return e.generation() != p.Process.Pid })
		}
		e.run("stop").want(t, codeOK, "stopped in")
		e.run("status").want(t, codeNotRunning)
		p.wait()
		polltest.Until(t, "everybody to be gone", func() bool { return e.processes() == 0 })
		e.wantNoFiles()
	}
}

// Sandboxes that all listen on port 0, at the same time, keep each its own port.
func TestPortsOfTheSystemStayWithTheirSandboxes(t *testing.T) {
	t.Parallel()
	reloads := 4
	if soak() {
		reloads = 30
	}
	e := newNetEnv(t, "plain")
	e.cleanUp()
	e.serve()
	addrs := map[string]string{}
	for _, kind := range []string{"tcp", "web", "http"} {
		addrs[kind] = e.addr(kind)
	}
	for n := range reloads {
		for kind := range addrs {
			if err := os.Remove(filepath.Join(e.dir, "addr."+kind)); err != nil {
				t.Fatal(err)
			}
		}
		e.run("reload").want(t, codeOK)
		for kind, addr := range addrs {
			if now := e.addr(kind); now != addr {
				t.Fatalf("reload %d: %s listened on %s, now on %s", n+1, kind, addr, now)
			}
		}
	}
	e.run("stop").want(t, codeOK)
}

func TestSandboxThatWasStoppedStaysSoThroughAReload(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly,mate")
	e.cleanUp()
	e.serve()
	e.run("ctl", "stop", "MateBox").want(t, codeOK)
	for range 2 {
		e.run("reload").want(t, codeOK)
		e.run("ctl", "ps").want(t, codeOK, "│ MateBox     │ tcp         │ Stopped", "│ TcpBox      │ tcp         │ Running")
	}
	e.run("ctl", "start", "MateBox").want(t, codeOK)
	e.run("reload").want(t, codeOK)
	e.run("ctl", "ps").want(t, codeOK, "│ MateBox     │ tcp         │ Running")
	e.run("ctl", "stop", "tcp").want(t, codeOK) // the service
	e.run("ctl", "ps").want(t, codeOK, "│ MateBox     │ tcp         │ Stopped", "│ TcpBox      │ tcp         │ Stopped")
	e.run("stop").want(t, codeOK)
}

// Whoever watches the pid file finds the number of a living process in it, at any time.
func TestPidFileAlwaysNamesALivingProcess(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly")
	e.cleanUp()
	p := e.serve("--pid", "own.pid")
	stop := make(chan struct{})
	bad := make(chan string, 1)
	go func() {
		defer close(bad)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			for _, path := range []string{e.pidPath(), filepath.Join(e.dir, "own.pid")} {
				text, err := os.ReadFile(path)
				pid, _ := strconv.Atoi(string(text))
				if err != nil || pid <= 0 || syscall.Kill(pid, 0) != nil {
					// The file may have been replaced between the reading and the looking.
					if again, _ := os.ReadFile(path); string(again) == string(text) {
						bad <- fmt.Sprintf("%s: %q, %v", path, text, err)
						return
					}
				}
			}
		}
	}()
	for range 5 {
		e.run("reload").want(t, codeOK)
	}
	close(stop)
	if what, ok := <-bad; ok {
		t.Error(what)
	}
	p.wait()
	e.run("status", "--pid", "own.pid").want(t, codeOK, "is running")
	e.run("stop").want(t, codeOK)
	if _, err := os.Lstat(filepath.Join(e.dir, "own.pid")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("own pid file after stop: %v", err)
	}
}

func TestDaemonReturnsWhenItServes(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly")
	e.cleanUp()
	r := e.run("start", "-d")
	r.want(t, codeOK, "started in the background, pid ")
	pid := e.generation()
	c := dialApp(t, "tcp", e.addr("tcp"))
	if got, stat := c.do("/work/do", "x"); !stat.OK() || got != pid {
		t.Errorf("process %d answers, %v", got, stat)
	}
	if sid, err := syscall.Getpgid(pid); err != nil || sid != pid {
		t.Errorf("the daemon is in group %d, %v", sid, err)
	}
	e.run("start", "-d").want(t, codeFailed, fmt.Sprintf("[%d] is already running", pid))
	e.run("ctl", "ps").want(t, codeOK, "generation 1")
	e.run("reload").want(t, codeOK, fmt.Sprintf("follows %d", pid))
	e.run("stop").want(t, codeOK)
	e.wantNoFiles()
}

func TestDaemonThatDoesNotServeSaysWhy(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "tcponly")
	for _, tt := range []struct{ name, what, says string }{
		{"start", "exit", "broken on purpose"},
		{"setup", "fail", "sandbox [TcpBox]: no database"},
	} {
		e.sets(tt.name, tt.what)
		e.run("start", "--daemon=true").want(t, codeFailed, tt.says)
		e.sets(tt.name, "")
		e.run("status").want(t, codeNotRunning)
	}
	e.wantNoFiles()
	e.run("start", "-d", "-c", "none.toml").want(t, codeFailed, "none.toml")
	e.run("status").want(t, codeNotRunning)
}
