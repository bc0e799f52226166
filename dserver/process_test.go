//go:build !windows

package dserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

func (e *testEnv) runDir() string {
	return filepath.Join(e.dir, fmt.Sprintf("TestApp-%d", os.Geteuid()))
}
func (e *testEnv) pidPath() string { return filepath.Join(e.runDir(), "TestApp.pid") }
func (e *testEnv) sockPath() string {
	return filepath.Join(e.runDir(), "TestApp.sock")
}

// wantNoFiles fails unless a stopped server left nothing behind.
func (e *testEnv) wantNoFiles() {
	e.t.Helper()
	for _, path := range []string{e.pidPath(), e.sockPath()} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			e.t.Errorf("%s: %v, want it gone", path, err)
		}
	}
}

func TestStartStatusStop(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=slow")
	p := e.serve()
	pid := strconv.Itoa(p.Process.Pid)
	if text, err := os.ReadFile(e.pidPath()); err != nil || string(text) != pid {
		t.Fatalf("pid file %q, %v", text, err)
	}
	for path, mode := range map[string]fs.FileMode{e.runDir(): 0o700, e.pidPath(): 0o600, e.sockPath(): 0o600} {
		if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	e.run("status").want(t, codeOK, "TestApp is running, pid "+pid, "│ UserBox     │ user        │ Running │ pid "+pid)
	e.run("stop").want(t, codeOK, "TestApp ["+pid+"] stopped in")
	if code := p.wait(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, p.out.String())
	}
	for _, text := range []string{"setup AdminBox", "setup UserBox", "shutdown AdminBox", "shutdown UserBox", "TestApp stopped"} {
		if !strings.Contains(p.out.String(), text) {
			t.Errorf("output lacks %q", text)
		}
	}
	e.wantNoFiles()
	e.run("status").want(t, codeNotRunning, "not running")
}

func TestSecondStartIsRefusedWithThePid(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	p := e.serve()
	r := e.run("start")
	r.want(t, codeFailed, fmt.Sprintf("[%d] is already running", p.Process.Pid))
	if strings.Contains(r.out, "start function") {
		t.Error("the refused start ran code of the program")
	}
	e.run("ctl", "ps").want(t, codeOK, "Running")
}

// withinASecond fails unless the command took less than a second, not counting
// what it takes to get the test binary started on this machine just now.
func (e *testEnv) withinASecond(r result, what string) {
	e.t.Helper()
	wantPrompt(e.t, what, r.took-e.run("version").took, time.Second)
}

func TestCommandsWithoutAServerFailAtOnce(t *testing.T) {
	e := newEnv(t, "")
	for args, code := range map[string]int{
		"stop": codeFailed, "quit": codeFailed, "status": codeNotRunning, "ctl": codeFailed, "ctl ps": codeFailed, "ctl log": codeFailed,
	} {
		r := e.run(strings.Fields(args)...)
		r.want(t, code, "TestApp is not running")
		e.withinASecond(r, args)
	}
}

func TestKilledServerLeavesNothingInTheWay(t *testing.T) {
	e := newEnv(t, "")
	p := e.serve()
	p.signal(syscall.SIGKILL)
	p.wait()
	for _, path := range []string{e.pidPath(), e.sockPath()} {
		if _, err := os.Lstat(path); err != nil {
			t.Fatalf("the test needs a stale file: %v", err)
		}
	}
	for args, code := range map[string]int{"stop": codeFailed, "status": codeNotRunning, "ctl ps": codeFailed} {
		r := e.run(strings.Fields(args)...)
		r.want(t, code)
		e.withinASecond(r, args)
	}
	p = e.serve()
	e.run("ctl", "ps").want(t, codeOK, fmt.Sprintf("pid %d", p.Process.Pid))
	e.run("stop").want(t, codeOK)
	p.wait()
	e.wantNoFiles()
}

// A stale pid file may carry the number of a process that has nothing to do
// with it.
func TestStopNeverSignalsAStranger(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	stranger := newEnv(t, "").serve()
	if err := os.Mkdir(e.runDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.pidPath(), strconv.Itoa(stranger.Process.Pid))
	e.run("stop").want(t, codeFailed, "not running")
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the stranger is gone: %v", err)
	}
}

func TestRunDirectoryOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	if err := errors.Join(os.Mkdir(e.runDir(), 0o700), os.Chmod(e.runDir(), 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"start"}, {"stop"}, {"ctl", "ps"}} {
		e.run(args...).want(t, codeFailed, "not safe to use", "chmod 0700")
	}
}

func TestEverySignalThatStopsDoesSoGracefully(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, "")
			p := e.serve()
			p.signal(sig)
			if code := p.wait(); code != codeOK || !strings.Contains(p.out.String(), "shutdown UserBox") {
				t.Errorf("exit code %d\n%s", code, p.out.String())
			}
			e.wantNoFiles()
		})
	}
}

func TestSignalsThatDoNotConcernTheServerLeaveItAlone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	p := e.serve()
	p.signal(syscall.SIGUSR1)
	p.waitOutput("has no effect")
	e.run("stop").want(t, codeOK)
	p.wait()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=hang")
	p := e.serve()
	p.signal(syscall.SIGTERM)
	p.waitOutput("shutdown UserBox")
	began := time.Now()
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 128+int(syscall.SIGINT) {
		t.Errorf("exit code %d", code)
	}
	wantPrompt(t, "the second signal", time.Since(began), 3*time.Second)
	if !strings.Contains(p.out.String(), "still at work: [UserBox") {
		t.Errorf("what was cut is not told:\n%s", p.out.String())
	}
	e.wantNoFiles()
}

func TestStopLimit(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) (*testEnv, *process){
		"method": func(t *testing.T) (*testEnv, *process) {
			e := newEnv(t, "user=hang,limit=3s")
			return e, e.serve()
		},
		"config": func(t *testing.T) (*testEnv, *process) {
			e := newEnv(t, "user=hang,limit=1h")
			writeFile(t, filepath.Join(e.dir, "config", "config.toml"), "[dserver]\nStopTimeout = \"3s\"\n")
			return e, e.serve()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := start(t)
			began := time.Now()
			e.run("stop").want(t, codeOK)
			if code := p.wait(); code != codeFailed {
				t.Errorf("exit code %d, want %d: something was cut", code, codeFailed)
			}
			wantPrompt(t, "a stop with a limit of 3s", time.Since(began), 8*time.Second)
			for _, text := range []string{"cut after 3s: UserBox", "shutdown AdminBox"} {
				if !strings.Contains(p.out.String(), text) {
					t.Errorf("output lacks %q:\n%s", text, p.out.String())
				}
			}
			e.wantNoFiles()
		})
	}
}

func TestStopThatTakesTooLongSaysSo(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=hang")
	p := e.serve()
	e.run("stop", "--timeout", "200ms").want(t, codeFailed, "still running after 200ms")
	p.signal(syscall.SIGKILL)
	p.wait()
}

func TestBeforeStopRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "veto")
	p := e.serve()
	p.signal(syscall.SIGTERM)
	p.waitOutput("stop refused")
	e.run("ctl", "ps").want(t, codeOK, "Running")
	for asked := 1; p.refuses(asked); asked++ { // one that comes too late after the one before asks anew
		if asked > 20 {
			t.Fatal("nothing comes of insisting")
		}
	}
	if code := p.wait(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d of a refused stop that was insisted on", code)
	}
	if strings.Contains(p.out.String(), "shutdown") {
		t.Error("a sandbox was shut down although the stop was refused")
	}
	e.wantNoFiles()
}

// refuses asks a process to stop that has refused so many times, and reports whether it does so again.
func (p *process) refuses(before int) (again bool) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	polltest.Until(p.t, "an answer to the signal", func() bool {
		again = strings.Count(p.out.String(), "stop refused") > before
		select {
		case <-p.done:
			return true
		default:
			return again
		}
	})
	return again
}

func TestFailedShutdownShowsInTheExitCode(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=badstop,limit=300ms")
	p := e.serve()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != codeFailed {
		t.Errorf("exit code %d", code)
	}
}

func TestProgramStopsItself(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "selfstop")
	p := e.begin("start")
	if code := p.wait(); code != codeOK || !strings.Contains(p.out.String(), "shutdown UserBox") {
		t.Errorf("exit code %d\n%s", code, p.out.String())
	}
}

func TestQuitAndPidFileOfOnesOwn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	own := filepath.Join(e.dir, "own.pid")
	p := e.serve("--pid", own)
	if text, err := os.ReadFile(own); err != nil || string(text) != strconv.Itoa(p.Process.Pid) {
		t.Fatalf("%q, %v", text, err)
	}
	e.run("status", "--pid", own).want(t, codeOK, strconv.Itoa(p.Process.Pid))
	e.run("quit", "--pid", own).want(t, codeOK)
	p.wait()
	if _, err := os.Lstat(own); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("pid file after quit: %v", err)
	}
	e.wantNoFiles()
}

func TestSetPidFileInTheStartFunction(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "pidfile=own.pid")
	p := e.serve()
	if _, err := os.Stat(filepath.Join(e.dir, "own.pid")); err != nil {
		t.Fatal(err)
	}
	e.run("stop").want(t, codeOK) // knows nothing of the file and finds the server
	p.wait()
}

func TestPidFileNeverCostsAFile(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	writeFile(t, filepath.Join(e.dir, "app.toml"), "[a]\nb = 1\n")
	e.run("start", "--pid", "app.toml").want(t, codeFailed, "something else than a pid")
	if text, _ := os.ReadFile(filepath.Join(e.dir, "app.toml")); string(text) != "[a]\nb = 1\n" {
		t.Fatalf("the file holds %q", text)
	}
}

func TestNamedSandboxes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	p := e.serve("userbox")
	e.run("ctl", "ps").want(t, codeOK, "│ AdminBox    │ admin       │ Stopped │ ", "│ UserBox     │ user        │ Running │ ")
	if strings.Contains(p.out.String(), "setup AdminBox") {
		t.Error("a sandbox that was not named was set up")
	}
	e.run("stop").want(t, codeOK)
	p.wait()
	e.run("start", "nobody,userbox").want(t, codeUsage, `"nobody"`, "AdminBox, UserBox")
	e.wantNoFiles()
}

func TestSandboxThatFailsLeavesTheOthersAtWork(t *testing.T) {
	t.Parallel()
	for habit, state := range map[string]string{"fail": "Stopped", "panic": "Fatal"} {
		t.Run(habit, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, "user="+habit)
			p := e.serve()
			p.waitOutput("sandbox [UserBox] is " + state)
			// A start says what has failed by then, and what runs.
			if out := p.out.String(); strings.Contains(out, "failed: UserBox (") == strings.Contains(out, ": AdminBox, UserBox\n") {
				t.Errorf("UserBox is told to run and to have failed, or neither:\n%s", out)
			}
			e.run("ctl", "ps").want(t, codeOK, "│ AdminBox    │ admin       │ Running │", "│ UserBox     │ user        │ "+state)
			e.run("ctl", "start", "UserBox").want(t, codeFailed, "start failed")
			e.run("stop").want(t, codeOK)
			if code := p.wait(); code != codeOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestStartWithNothingThatServesFailsWithTheReasons(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=fail,admin=panic")
	for args, texts := range map[string][]string{
		"start":         {"every sandbox has failed: AdminBox (panic in Setup: setup broke), UserBox (no database)"},
		"start userbox": {"every sandbox has failed: UserBox (no database)"},
	} {
		e.run(strings.Fields(args)...).want(t, codeFailed, texts...)
		e.wantNoFiles()
	}
}

func TestServerEndsWhenItsLastSandboxFails(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=later")
	p := e.serve("userbox")
	if err := os.Mkdir(filepath.Join(e.dir, "fail"), 0o700); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != codeFailed {
		t.Errorf("exit code %d, want %d", code, codeFailed)
	}
	if text := "error: every sandbox has failed: UserBox (no database any more)"; !strings.Contains(p.out.String(), text) {
		t.Errorf("output lacks %q:\n%s", text, p.out.String())
	}
	e.wantNoFiles()
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	writeFile(t, filepath.Join(e.dir, "bad.toml"), "[sandbox.UserBox]\nListenPort = 70000\n")
	writeFile(t, filepath.Join(e.dir, "broken.toml"), "[sandbox\n")
	writeFile(t, filepath.Join(e.dir, "log.toml"), "[logger]\nlevel = \"LOUD\"\n")
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"-c none.toml":      {codeFailed, "none.toml"},
		"-c ./sub/own.toml": {codeFailed, "./sub/own.toml"},
		"-c bad.toml":       {codeFailed, `sandbox.UserBox.ListenPort: "70000"`},
		"-c broken.toml":    {codeFailed, "broken.toml"},
		"-c log.toml":       {codeFailed, `log.toml: logger: setting level: unknown level "LOUD"`},
		"-m 9":              {codeUsage, "process model 9"},
		"--daemon=maybe":    {codeUsage, "Usage:"},
	} {
		r := e.run(append([]string{"start"}, strings.Fields(args)...)...)
		r.want(t, want.code, want.text)
		if strings.Contains(r.out, "setup") {
			t.Errorf("%s: a sandbox was set up", args)
		}
	}
	e.traits = "multi"
	p := e.serve("-m", "0") // the flag goes first
	e.run("ctl", "ps").want(t, codeOK, fmt.Sprintf("pid %d", p.Process.Pid))
	p.signal(syscall.SIGTERM)
	p.wait()
	e.traits = "startpanic"
	e.run("start").want(t, codeFailed, "start function broke")
	e.wantNoFiles()
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	for _, args := range []string{"bogus", "start --bogus", "stop UserBox", "status --json", "ctl bogus", "ctl ps x", "ctl ps --bogus", "reload a b"} {
		e.run(strings.Fields(args)...).want(t, codeUsage, "error:", "Usage:")
	}
	e.run("greet").want(t, codeOK, "hello")
	e.run("version").want(t, codeOK, "Authors:         team@example.com")
	e.run("v").want(t, codeOK, "GF Version:")
	e.run("help").want(t, codeOK, "start", "greet", "ctl")
	e.run("help", "stop").want(t, codeOK, "wait until it is gone", "--timeout", "--help")
	e.run("help", "stpo").want(t, codeUsage, `"stpo" is no command`, "help lists them")
}

func TestEnvironmentAndDebugDecideTheLogLevel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args, config string
		info, debug  bool
	}{
		{"", "", false, false},
		{"--env=test", "", true, false},
		{"-e dev", "", true, true},
		{"--debug", "", true, true},
		{"", "ENV_NAME = \"test\"", true, false},
		{"--env=product", "ENV_NAME = \"test\"", false, false},
		{"", "Debug = true", true, true},
		{"--debug=false", "Debug = true", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.args+tt.config, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, "levels")
			writeFile(t, filepath.Join(e.dir, "config.toml"), tt.config+"\n")
			p := e.serve(strings.Fields(tt.args)...)
			p.waitOutput("[CRIT] end of levels")
			out := p.out.String()
			if strings.Contains(out, "[INFO] level test") != tt.info || strings.Contains(out, "[DEBU] level test") != tt.debug {
				t.Errorf("want info %v, debug %v:\n%s", tt.info, tt.debug, out)
			}
			p.signal(syscall.SIGTERM)
			p.wait()
		})
	}
}

func TestCtlStartsAndStopsSandboxes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	p := e.serve()
	e.run("ctl", "stop", "userbox").want(t, codeOK, "service stopped")
	e.run("ctl", "status").want(t, codeOK, "│ UserBox     │ user        │ Stopped │     ")
	e.run("ctl", "stop", "UserBox").want(t, codeFailed, "is not running")
	e.run("ctl", "start", "UserBox").want(t, codeOK, "service started")
	e.run("ctl", "start", "UserBox").want(t, codeFailed, "is running")
	e.run("ctl", "start").want(t, codeUsage, "no sandbox was named")
	e.run("ctl", "stop", "nobody").want(t, codeFailed, "not found: [nobody]")
	if n := strings.Count(p.out.String(), "setup UserBox"); n != 2 {
		t.Errorf("Setup ran %d times, want 2", n)
	}
	r := e.run("ctl", "start", "UserBox", "--json")
	r.want(t, codeFailed, "is running")
	var done struct {
		OK      bool
		Sandbox string
	}
	r = e.run("ctl", "--json", "stop", "UserBox")
	if err := json.Unmarshal([]byte(r.out), &done); err != nil || !done.OK || done.Sandbox != "UserBox" {
		t.Errorf("%q: %v", r.out, err)
	}
	var infos ctlInfos
	r = e.run("ctl", "info", "--json")
	if err := json.Unmarshal([]byte(r.out), &infos); err != nil || len(infos.List) != 2 || infos.List[1].Status != "Stopped" {
		t.Errorf("%q: %v", r.out, err)
	}
	for command, empty := range map[string]string{"sessions": `"list":[]`, "routes": `"list":[]`, "top": `"methods":[]`} {
		e.run("ctl", command, "--json").want(t, codeOK, empty)
	}
	var v versionInfo
	r = e.run("ctl", "v", "--json")
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || v.Authors != "team@example.com" {
		t.Errorf("%q: %v", r.out, err)
	}
	e.run("ctl", "debug", "open").want(t, codeOK, "debug mode is on")
	e.run("ctl", "debug", "0").want(t, codeOK, "debug mode is off")
	e.run("ctl", "help", "stop").want(t, codeOK, "stop a running sandbox", "Usage:")
	if files, err := os.ReadDir(e.runDir()); err != nil || len(files) != 2 {
		t.Errorf("ctl leaves files behind: %v, %v", files, err)
	}
}

func TestCtlSpeaksChinese(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	e.extra = []string{"LC_ALL=zh_CN.UTF-8"}
	e.serve()
	e.run("ctl", "stop", "UserBox").want(t, codeOK, "停止服务成功")
	e.run("ctl", "start", "UserBox").want(t, codeOK, "启动服务成功")
	e.run("ctl", "start", "none").want(t, codeFailed, "未找到[none]")
	e.run("ctl", "debug", "1").want(t, codeOK, "已开启debug模式")
	e.run("ctl", "help").want(t, codeOK, "查看服务状态")
}

func TestCtlTakesCommandsFromAPipe(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	e.serve()
	e.runInput("ps\n\nstop UserBox\nexit\nstop AdminBox\n", "ctl").want(t, codeOK, "Running", "service stopped")
	r := e.runInput("bogus\nps --json\n", "ctl")
	r.want(t, codeUsage, "unknown command", `"UserBox"`)
	if !strings.Contains(e.run("ctl", "ps").out, "AdminBox    │ admin       │ Running") {
		t.Error("a command after exit was run")
	}
}

func TestCtlLogStreamsInOrderUntilInterrupted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=chatty")
	e.serve()
	log := e.begin("ctl", "log", "--level", "warning")
	log.waitOutput("printing the server's log")
	polltest.Until(t, "twenty lines", func() bool { return strings.Count(log.out.String(), "chat ") >= 20 })
	began := time.Now()
	log.signal(syscall.SIGINT)
	if code := log.wait(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, log.out.String())
	}
	wantPrompt(t, "Ctrl-C", time.Since(began), 2*time.Second)
	last := 0
	for line := range strings.Lines(log.out.String()) {
		_, rest, ok := strings.Cut(line, "[WARN] chat ")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil || last != 0 && n != last+1 {
			t.Fatalf("%q follows %d", line, last)
		}
		if strings.Contains(line, "\x1b") {
			t.Fatalf("a control character reaches the terminal: %q", line)
		}
		last = n
	}
	e.run("ctl", "log", "-l", "loud").want(t, codeUsage, "loud", "critical")
}

func TestCtlLogFiltersByLevelAndPrintsJSON(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=chatty")
	e.serve()
	log := e.begin("ctl", "log", "-l", "error", "--json")
	debug := e.begin("ctl", "log", "--json")
	polltest.Until(t, "lines of every level", func() bool { return strings.Count(debug.out.String(), "chat") > 20 })
	log.signal(syscall.SIGTERM)
	log.wait()
	if strings.Contains(log.out.String(), "chat") {
		t.Errorf("warnings are shown:\n%s", log.out.String())
	}
	for line := range strings.Lines(debug.out.String()) {
		var v struct{ Line string }
		if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &v) != nil {
			t.Fatalf("not JSON: %q", line)
		}
	}
}

func TestCtlLogEndsWithTheServer(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	p := e.serve()
	log := e.begin("ctl", "log")
	log.waitOutput("printing the server's log")
	p.signal(syscall.SIGKILL)
	if code := log.wait(); code != codeFailed || !strings.Contains(log.out.String(), "connection to the service is lost") {
		t.Errorf("exit code %d\n%s", code, log.out.String())
	}
}

// A server that is there and does not answer is told from one that is gone.
func TestCtlOfAFrozenServerFailsWithinASecond(t *testing.T) {
	e := newEnv(t, "hasty")
	p := e.serve()
	p.signal(syscall.SIGSTOP)
	r := e.run("ctl", "ps")
	p.signal(syscall.SIGCONT)
	r.want(t, codeFailed, "does not answer")
	e.withinASecond(r, "ctl")
	polltest.Until(t, "an answer", func() bool { return e.run("ctl", "ps").code == codeOK })
}

func TestGarbageOnTheControlSocketHurtsNobody(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	e.serve()
	for _, bytes := range []string{"\x00\x00\x00\x00", "\xff\xff\xff\xff\x01", "GET / HTTP/1.1\r\n\r\n", ""} {
		conn, err := net.Dial("unix", e.sockPath())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(bytes))
		conn.Close()
	}
	e.run("ctl", "ps").want(t, codeOK, "Running")
}

func TestCloseCtl(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "noctl")
	p := e.serve()
	if _, err := os.Lstat(e.sockPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket: %v", err)
	}
	e.run("ctl", "ps").want(t, codeUsage, "unknown command")
	e.run("status").want(t, codeOK, "is running")
	e.run("stop").want(t, codeOK)
	p.wait()
}

func TestSocketOfALivingServerIsNeverStolenAndAFileNeverDeleted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	if err := os.Mkdir(e.runDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.sockPath(), "precious")
	e.run("start").want(t, codeFailed, "not a socket")
	if text, _ := os.ReadFile(e.sockPath()); string(text) != "precious" {
		t.Fatalf("the file holds %q", text)
	}
}
