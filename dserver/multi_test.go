//go:build !windows

package dserver

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// newMultiEnv makes a place for a netApp of several processes. With held, the master has all sockets.
func newMultiEnv(t *testing.T, traits string, held bool) *testEnv {
	e := newPortsEnv(t, strings.Trim("multi,"+traits, ","))
	if held {
		var list []string
		for _, kind := range []string{"tcp", "web", "http", "nethttp"} {
			list = append(list, "tcp 127.0.0.1 "+e.port(kind))
		}
		e.extra = append(e.extra, "INHERIT="+strings.Join(append(list, "unix "+filepath.Join(e.dir, "calls.sock")), ","))
	}
	return e
}

// newPortsEnv makes a place for a netApp whose ports are chosen by the test: a master cannot hold ports that the system
// chooses.
func newPortsEnv(t *testing.T, traits string) *testEnv {
	e := newNetEnv(t, traits)
	for _, kind := range []string{"tcp", "web", "http", "nethttp"} {
		e.extra = append(e.extra, fmt.Sprintf("PORT_%s=%d", kind, porttest.Free(t)))
	}
	e.cleanUp()
	return e
}

var psPid = regexp.MustCompile(`│ (\w+) +│ \w+ +│ Running +│ pid (\d+)`)

// port is the port that the test has chosen.
func (e *testEnv) port(kind string) string {
	for _, v := range e.extra {
		if port, ok := strings.CutPrefix(v, "PORT_"+kind+"="); ok {
			return port
		}
	}
	return "0"
}

// workers returns the process of each sandbox that runs.
func (e *testEnv) workers() map[string]int {
	e.t.Helper()
	pids := map[string]int{}
	for _, m := range psPid.FindAllStringSubmatch(e.run("ctl", "ps").out, -1) {
		pids[m[1]], _ = strconv.Atoi(m[2])
	}
	return pids
}

// alive reports whether a process runs. One that has ended, and is there only because its parent has not asked for its
// exit code, does not.
func alive(pid int) bool {
	if !listed(pid) {
		return false
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// listed reports whether a process is in the table of processes.
func listed(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestEachServiceIsAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "mate", true)
	p := e.serve()
	pids := e.workers()
	if len(pids) != 4 || pids["TcpBox"] != pids["MateBox"] || pids["TcpBox"] == pids["WebBox"] || pids["WebBox"] == p.Process.Pid {
		t.Fatalf("%v, master %d", pids, p.Process.Pid)
	}
	c := dialApp(t, "tcp", e.addr("tcp"))
	if got, stat := c.do("/work/do", "x"); !stat.OK() || got != pids["TcpBox"] {
		t.Errorf("process %d answers, %v", got, stat)
	}
	e.run("ctl", "routes").want(t, codeOK, "/work/do")
	e.run("stop").want(t, codeOK)
	if code := p.wait(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, p.out.String())
	}
	for name, pid := range pids {
		if alive(pid) {
			t.Errorf("the worker of %s is left", name)
		}
	}
	e.wantNoFiles()
	if left, err := filepath.Glob(filepath.Join(e.runDir(), "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestServicesAreReloadedOneByOneAndTogether(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"side by side": true, "stop then start": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newMultiEnv(t, "", held)
			p := e.serve()
			before := e.workers()
			e.run("reload", "web").want(t, codeOK, fmt.Sprintf("TestApp [%d] reloaded", p.Process.Pid))
			after := e.workers()
			if after["WebBox"] == before["WebBox"] || after["TcpBox"] != before["TcpBox"] || after["HTTPBox"] != before["HTTPBox"] {
				t.Errorf("one service: before %v, after %v", before, after)
			}
			e.run("reload").want(t, codeOK)
			all := e.workers()
			if len(all) != 3 || all["WebBox"] == after["WebBox"] || all["TcpBox"] == after["TcpBox"] || e.generation() != p.Process.Pid {
				t.Errorf("all: before %v, after %v", after, all)
			}
			polltest.Until(t, "the old workers to leave", func() bool { return !alive(before["TcpBox"]) && !alive(after["WebBox"]) })
			e.sets("setup", "fail")
			e.run("reload", "TcpBox").want(t, codeFailed, "no database")
			now := e.workers()
			if held && now["TcpBox"] != all["TcpBox"] || now["WebBox"] != all["WebBox"] {
				t.Errorf("after a reload that failed: %v, before %v", now, all)
			}
			e.sets("setup", "")
			polltest.Until(t, "the service to be there", func() bool { return e.workers()["TcpBox"] != 0 })
			e.run("stop").want(t, codeOK)
		})
	}
}

func TestSandboxesAndServicesAreStoppedAndStarted(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "mate", true)
	e.serve()
	pids := e.workers()
	e.run("ctl", "stop", "MateBox").want(t, codeOK)
	e.run("ctl", "stop", "MateBox").want(t, codeFailed, "is not running")
	e.run("reload", "tcp").want(t, codeOK)
	now := e.workers()
	if now["MateBox"] != 0 || now["TcpBox"] == 0 || now["TcpBox"] == pids["TcpBox"] {
		t.Errorf("a sandbox that was stopped: %v, before %v", now, pids)
	}
	e.run("ctl", "start", "MateBox").want(t, codeOK)
	if again := e.workers(); again["MateBox"] != now["TcpBox"] {
		t.Errorf("a sandbox that was started: %v", again)
	}
	e.run("ctl", "stop", "web").want(t, codeOK)
	e.run("ctl", "stop", "WebBox").want(t, codeFailed, "is not running")
	e.run("reload").want(t, codeOK)
	if now := e.workers(); now["WebBox"] != 0 || now["HTTPBox"] == 0 || alive(pids["WebBox"]) {
		t.Errorf("a service that was stopped: %v", now)
	}
	e.run("ctl", "start", "WebBox").want(t, codeOK)
	e.run("ctl", "start", "web").want(t, codeFailed, "is running")
	e.run("ctl", "stop", "nobody").want(t, codeFailed, "not found: [nobody]")
	if now := e.workers(); len(now) != 4 {
		t.Errorf("%v", now)
	}
	e.run("stop").want(t, codeOK)
}

// A worker that another one has followed leaves new connections to that one, also where something keeps it from ending.
func TestWorkerThatWasReplacedAcceptsNothingMore(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "", true)
	e.serve()
	old := e.workers()["HTTPBox"]
	late := 0 // answers of one that was leaving when it was asked
	get := func(id string) (pid int) {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: callPatience}).Get("http://" + e.addr("http") + "/do?id=" + id)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		_, _ = fmt.Fscan(resp.Body, &pid)
		if id == "x" && resp.Header.Get("Leaving") != "" {
			late++
		}
		return pid
	}
	e.sets("http", "stay") // which that request does until this changes
	stays := make(chan int, 1)
	go func() { stays <- get("stay") }()
	polltest.Until(t, "the request that stays", func() bool { return e.count("stay") == 1 })
	e.run("reload", "http").want(t, codeOK)
	row := 0
	polltest.Until(t, "many answers of the next worker in a row", func() bool {
		if row++; get("x") == old {
			row = 0
		}
		return row >= 20 || t.Failed()
	})
	if late > 1 { // one may have been accepted in the last moment
		t.Errorf("the old worker has accepted %d connections while it was leaving", late)
	}
	if !alive(old) {
		t.Error("the old worker has ended with a request under way")
	}
	e.sets("http", "")
	if pid := <-stays; pid != old {
		t.Errorf("process %d has answered the request that stayed, not %d", pid, old)
	}
	e.run("stop").want(t, codeOK)
}

func TestKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "", true)
	e.serve()
	before := e.workers()
	c := dialApp(t, "tcp", e.addr("tcp"))
	for range 2 {
		old, stat := c.do("/work/do", "x")
		if !stat.OK() {
			t.Fatal(stat)
		}
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		polltest.Until(t, "another worker to answer", func() bool {
			got, stat := c.do("/work/do", "y")
			return stat.OK() && got != old
		})
		took := time.Since(began)
		wantPrompt(t, "serving again", took, 2*time.Second)
		t.Logf("served again after %v", took)
		polltest.Until(t, "the socket of the dead one to go", func() bool {
			_, err := os.Lstat(workerSocket(e.runDir(), old))
			return os.IsNotExist(err)
		})
	}
	if now := e.workers(); now["WebBox"] != before["WebBox"] {
		t.Error("a sibling was replaced, too")
	}
	e.run("stop").want(t, codeOK)
}

func TestFrozenWorkerIsFoundAndReplaced(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "tcponly,hasty", true)
	writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nHeartbeat = \"3s\"\n")
	e.serve()
	c := dialApp(t, "tcp", e.addr("tcp"))
	old, stat := c.do("/work/do", "x")
	if !stat.OK() {
		t.Fatal(stat)
	}
	if err := syscall.Kill(old, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "another worker", func() bool {
		pid := e.workers()["TcpBox"]
		return pid != 0 && pid != old && !alive(old)
	})
	e.run("stop").want(t, codeOK)
}

func TestCrashLoopEndsInFatalAndSiblingsServeOn(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "", true)
	writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nRestartPause = \"50ms\"\nStartRetries = 4\n")
	p := e.serve()
	web := e.workers()["WebBox"]
	e.sets("setup", "fail")
	if err := syscall.Kill(e.workers()["TcpBox"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "Fatal", func() bool {
		return strings.Contains(e.run("ctl", "ps").out, "│ TcpBox      │ tcp         │ Fatal")
	})
	e.run("ctl", "ps").want(t, codeOK, "no database")
	if n := strings.Count(p.out.String(), "service [tcp]: "); n > 20 {
		t.Errorf("%d lines about it", n)
	}
	if e.workers()["WebBox"] != web {
		t.Error("a sibling was replaced")
	}
	e.run("ctl", "start", "TcpBox").want(t, codeFailed, "no database")
	polltest.Until(t, "Fatal again", func() bool {
		return strings.Contains(e.run("ctl", "ps").out, "│ TcpBox      │ tcp         │ Fatal")
	})
	e.sets("setup", "")
	e.run("ctl", "start", "tcp").want(t, codeOK)
	if e.workers()["TcpBox"] == 0 {
		t.Error("it does not run")
	}
	e.run("stop").want(t, codeOK)
}

func TestWorkersOfAKilledMasterLeaveAndStartWorksAtOnce(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"sockets of the master": true, "sockets of the workers": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newMultiEnv(t, "", held)
			p := e.serve()
			pids := e.workers()
			began := time.Now()
			p.signal(syscall.SIGKILL)
			gone := make(chan time.Duration, 1)
			go func() {
				defer func() { gone <- time.Since(began) }()
				for time.Since(began) < polltest.Patience && (alive(pids["TcpBox"]) || alive(pids["WebBox"]) || alive(pids["HTTPBox"])) {
					time.Sleep(5 * time.Millisecond)
				}
			}()
			p.wait()
			second := e.serve()
			wantPrompt(t, "the next start", time.Since(began), orphanTime)
			took := <-gone
			wantPrompt(t, "the workers' leave", took, 2*time.Second)
			t.Logf("the workers had left after %v", took)
			polltest.Until(t, "all new workers", func() bool { return len(e.workers()) == 3 })
			if strings.Contains(second.out.String(), "failed:") {
				t.Errorf("a worker did not come up at once:\n%s", second.out.String())
			}
			if socks, _ := filepath.Glob(filepath.Join(e.runDir(), "*.sock")); len(socks) != 4 {
				t.Errorf("sockets %v, want one of the master and three of the workers", socks)
			}
			e.run("stop").want(t, codeOK)
		})
	}
}

func TestStopEndsWhatWorkersHaveStarted(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "tcponly", true)
	e.serve()
	c := dialApp(t, "tcp", e.addr("tcp"))
	grandchild, stat := c.do("/work/spawn", "")
	if !stat.OK() || !alive(grandchild) {
		t.Fatal(grandchild, stat)
	}
	e.run("stop").want(t, codeOK)
	polltest.Until(t, "the grandchild to end", func() bool { return !alive(grandchild) })
}

func TestSecondSignalEndsTheMasterAndItsWorkersAtOnce(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "tcponly", true)
	writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nStopTimeout = 60\n")
	p := e.serve("-e", "test")
	pid := e.workers()["TcpBox"]
	c := dialApp(t, "tcp", e.addr("tcp"))
	go c.do("/work/wait", 60_000)
	polltest.Until(t, "the call", func() bool { return e.count("wait") == 1 })
	p.signal(syscall.SIGTERM)
	p.waitOutput("stopping")
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d\n%s", code, p.out.String())
	}
	polltest.Until(t, "the worker to end", func() bool { return !alive(pid) })
}

// count returns how often an id was executed.
func (e *testEnv) count(id string) (n int) {
	files, _ := filepath.Glob(filepath.Join(e.dir, "done.*"))
	for _, name := range files {
		text, _ := os.ReadFile(name)
		for line := range strings.Lines(string(text)) {
			if strings.TrimSpace(line) == id {
				n++
			}
		}
	}
	return n
}

func TestMultiStartRefuses(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "multi")
	for list, says := range map[string]string{
		"tcp 127.0.0.1 0":     "port",
		"quic 127.0.0.1 4433": "cannot be shared",
		"https 127.0.0.1 443": "TlsConfig",
	} {
		e.extra = []string{envNet + "=multi", "INHERIT=" + list}
		e.run("start").want(t, codeFailed, says)
	}
	e.wantNoFiles()
}

func TestNamedSandboxesAndTheModelOnTheCommandLine(t *testing.T) {
	t.Parallel()
	e := newNetEnv(t, "plain")
	e.cleanUp()
	e.serve("-m", "1", "webbox,HTTPBox")
	pids := e.workers()
	if len(pids) != 2 || pids["WebBox"] == pids["HTTPBox"] || pids["WebBox"] == e.generation() {
		t.Errorf("%v", pids)
	}
	e.run("ctl", "start", "TcpBox").want(t, codeFailed, "not found")
	e.run("stop").want(t, codeOK)
}

func TestDaemonOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "", true)
	e.sets("setup", "fail")
	e.run("start", "-d").want(t, codeFailed, "no database")
	e.wantNoFiles()
	e.sets("setup", "")
	e.run("start", "-d").want(t, codeOK, "in the background")
	if len(e.workers()) != 3 {
		t.Error(e.run("ctl", "ps").out)
	}
	e.run("reload").want(t, codeOK)
	e.run("stop").want(t, codeOK)
	e.wantNoFiles()
}

// In the background nobody reads what has failed, whatever else works.
func TestDaemonOfSeveralProcessesFailsWithOneSandboxOfAService(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "mate", true)
	e.sets("setup", "fail")
	e.run("start", "-d").want(t, codeFailed, "service [tcp]: sandbox [TcpBox]: no database")
	e.wantNoFiles()
}

func TestWorkerThatIsStoppingLeavesEarlierWhenItsMasterDies(t *testing.T) {
	t.Parallel()
	e := newMultiEnv(t, "tcponly", true)
	writeFile(t, filepath.Join(e.dir, "config.toml"), "[dserver]\nStopTimeout = 60\n")
	p := e.serve("-e", "test")
	pid := e.workers()["TcpBox"]
	c := dialApp(t, "tcp", e.addr("tcp"))
	go c.do("/work/wait", 60_000)
	polltest.Until(t, "the call", func() bool { return e.count("wait") == 1 })
	p.signal(syscall.SIGTERM)
	p.waitOutput("stopping")
	p.signal(syscall.SIGKILL)
	polltest.Until(t, "the worker to end", func() bool { return !alive(pid) })
}
