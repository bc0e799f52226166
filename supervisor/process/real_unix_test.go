//go:build unix

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// alive does not count a process that only waits to be reaped.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat[bytes.LastIndexByte(stat, ')'):]), ") Z")
}

// supervisor looks after a program on a life-line and one without until it is killed.
func supervisor(string) {
	p := place{dir: os.Getenv(envDir)}
	m := NewManager()
	for role, opts := range map[string][]ProcOption{"joined:joined": {ProcLifeline(true)}, "sleep": nil} {
		if _, err := m.NewProcessByOptions(p.program(role, opts...)); err != nil {
			os.Exit(7)
		}
	}
	if m.StartAll() != nil {
		os.Exit(8)
	}
	note("supervisor")
	forever()
}

func TestAnUnknownRoleIsNoProgram(t *testing.T) {
	t.Parallel()
	if roles[""] != nil {
		t.Fatal("tests without a role would not run")
	}
}

func TestStopEndsGrandchildren(t *testing.T) {
	t.Parallel()
	for role, opts := range map[string][]ProcOption{
		"sleep":    nil,
		"stubborn": {ProcStopWaitSecs(3)}, // the time of its parent as well, which ends at the first signal
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			proc := p.start("family:"+role, opts...)
			child := p.pid("up")
			if proc.Pid() == child || !alive(child) {
				t.Fatal("there is no grandchild")
			}
			proc.Stop(true)
			polltest.Until(p, "end of the grandchild", func() bool { return !alive(child) })
			if proc.GetState() != Stopped || proc.GetExitStatus() != -1 || proc.GetStatus() != "signal: terminated" {
				t.Errorf("%+v, %s", proc.GetProcessInfo(), proc.GetStatus())
			}
		})
	}
}

func TestACrashTakesItsGrandchildrenAlong(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	proc := p.start("family:sleep", ProcAutoReStart(AutoReStartFalse))
	child := p.pid("up")
	if err := proc.Signal(syscall.SIGKILL, false); err != nil {
		t.Fatal(err)
	}
	polltest.Until(p, "end of the grandchild", func() bool { return !alive(child) })
	polltest.Until(p, "exit", func() bool { return proc.GetState() == Exited })
	if proc.GetStatus() != "signal: killed" {
		t.Error(proc.GetStatus())
	}
}

func TestACrashLoopPausesAndEndsFatal(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	sibling := p.start("sleep")
	pid := p.pid("up")
	began := time.Now()
	var mu sync.Mutex
	var trace []string
	proc := p.start("crash:1ms", ProcStartSecs(600), ProcOnChange(func(i *Info) {
		mu.Lock()
		defer mu.Unlock()
		trace = append(trace, i.StateName)
	}))
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("three starts within %v", took)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := "Starting Backoff Starting Backoff Starting Backoff Fatal"; strings.Join(trace, " ") != want {
		t.Errorf("%v, want %s", trace, want)
	}
	if i := proc.GetProcessInfo(); i.ExitStatus != 1 || !strings.Contains(i.SpawnErr, "exit status 1") {
		t.Errorf("%+v", i)
	}
	if sibling.GetState() != Running || sibling.Pid() != pid {
		t.Errorf("the sibling: %+v", sibling.GetProcessInfo())
	}
}

func TestAStoppedProgramIsFoundByItsHeartbeatAndReplaced(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	proc := p.start("joined:joined", ProcHeartbeat(4*time.Second), ProcStartSecs(1), ProcRestartPause(1))
	pid := p.pid("joined")
	if proc.GetState() != Running {
		t.Fatalf("%+v", proc.GetProcessInfo())
	}
	if err := proc.Signal(syscall.SIGSTOP, false); err != nil {
		t.Fatal(err)
	}
	p.untilPrompt(6*time.Second, "the frozen one is killed", func() bool { return !alive(pid) })
	polltest.Until(p, "replacement", func() bool { return proc.GetState() == Running && proc.Pid() != pid })
}

func TestAStoppedProgramCanBeStopped(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	proc := p.start("sleep")
	p.pid("up")
	if err := proc.Signal(syscall.SIGSTOP, true); err != nil {
		t.Fatal(err)
	}
	proc.Stop(true)
	if proc.GetStatus() != "signal: terminated" {
		t.Error(proc.GetStatus())
	}
}

func TestProgramsLeaveWhenTheirSupervisorIsKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := p.program("supervisor")
	cmd, err := o.CreateCommand()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid("supervisor")
	onLine, plain := p.pid("joined"), p.pid("up")
	if err = cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	p.untilPrompt(2*time.Second, "the one on the life-line has left by itself", func() bool {
		_, err := os.Stat(filepath.Join(p.dir, "joined-left"))
		return err == nil && !alive(onLine)
	})
	if !hasDeathSignal {
		_ = syscall.Kill(plain, syscall.SIGKILL)
		return
	}
	p.untilPrompt(2*time.Second, "the other one is gone", func() bool { return !alive(plain) })
}

func TestTheThreadThatStartedAProgramMayEnd(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var proc *Process
	done := make(chan struct{})
	go func() { // a goroutine that ends on a locked thread takes the thread along
		defer close(done)
		runtime.LockOSThread()
		proc = p.start("sleep", ProcAutoReStart(AutoReStartFalse))
	}()
	<-done
	pid := p.pid("up")
	for range 20 {
		ended := make(chan struct{})
		go func() { defer close(ended); runtime.LockOSThread() }()
		<-ended
	}
	if proc.GetState() != Running || !alive(pid) {
		t.Errorf("%+v", proc.GetProcessInfo())
	}
}

func TestNoLineIsLostOrTornByRotation(t *testing.T) {
	t.Parallel()
	const count = 30_000 // in three seconds
	p := newPlace(t)
	log := filepath.Join(p.dir, "logs", "app.log")
	proc := p.start("lines:"+strconv.Itoa(count), ProcStdoutLog(log, "100KB", 100))
	p.pid("up")
	proc.Stop(true)
	text, sizes := wholeLog(t, log)
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines) != count+1 || len(lines[count]) != 0 {
		t.Fatalf("%d lines", len(lines)-1)
	}
	for i, line := range lines[:count] {
		if want := fmt.Sprintf("line %08d %s\n", i, strings.Repeat("x", 40)); string(line) != want {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if len(sizes) < 16 || len(sizes) > 18 { // 1,861 lines a file are 17
		t.Errorf("%d files", len(sizes))
	}
	for name, size := range sizes {
		if size > 100<<10+55 { // and a line, if it came in two pieces
			t.Errorf("%s has %d bytes", name, size)
		}
	}
}

// wholeLog joins a log's files, oldest first.
func wholeLog(t *testing.T, current string) ([]byte, map[string]int) {
	t.Helper()
	names, err := filepath.Glob(strings.TrimSuffix(current, ".log") + "-*.log")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var all []byte
	sizes := map[string]int{}
	for _, name := range append(names, current) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
		sizes[name] = len(b)
	}
	return all, sizes
}

func TestAProgramIsNotHeldUpByALogThatIsStuck(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	stuck := &stuckLogger{release: make(chan struct{})}
	proc := NewProcessByOptions(p.program("flood", ProcStdoutLog("stuck", "")))
	proc.launch = func(o ProcOptions, _ outputs) (child, error) {
		return startChild(o, outputs{stdout: stuck, stderr: stuck})
	}
	proc.opts.StdoutLogfile = filepath.Join(p.dir, "stuck") // the log that is opened, and not used
	proc.Start(true)
	p.pid("up") // all 20 MiB are written
	proc.Stop(true)
	if proc.GetState() != Stopped {
		t.Errorf("%+v", proc.GetProcessInfo())
	}
	close(stuck.release)
	polltest.Until(p, "notice of what was dropped", func() bool { return stuck.has("bytes of output were dropped") })
}

// stuckLogger takes nothing until it is released.
type stuckLogger struct {
	release chan struct{}
	mu      sync.Mutex
	text    bytes.Buffer
}

func (l *stuckLogger) Write(b []byte) (int, error) {
	<-l.release
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *stuckLogger) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

func (l *stuckLogger) Close() error                         { return nil }
func (l *stuckLogger) SetPid(int)                           {}
func (l *stuckLogger) ReadLog(int64, int64) (string, error) { return "", nil }
func (l *stuckLogger) ClearCurLogFile() error               { return nil }
func (l *stuckLogger) ClearAllLogFile() error               { return nil }
func (l *stuckLogger) ReadTailLog(int64, int64) (string, int64, bool, error) {
	return "", 0, false, nil
}

func TestTheEnvironmentStaysWithItsProgram(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one, two := filepath.Join(p.dir, "one"), filepath.Join(p.dir, "two")
	p.start("environ", ProcSetEnvironment("ONLY_ONE", "1"), ProcStdoutLog(one, ""))
	p.start("environ", ProcStdoutLog(two, ""), ProcStderrLog(two, ""))
	for _, c := range []struct {
		file string
		want bool
	}{{one, true}, {two, false}} {
		var text []byte
		polltest.Until(p, "environment in "+c.file, func() bool {
			text, _ = os.ReadFile(c.file)
			return bytes.Contains(text, []byte(envRole))
		})
		if bytes.Contains(text, []byte("ONLY_ONE=1\n")) != c.want {
			t.Errorf("%s: %s", c.file, text)
		}
	}
	if _, leaked := os.LookupEnv("ONLY_ONE"); leaked {
		t.Error("it is in our own environment")
	}
	if info, err := os.Stat(one); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestStderrHasItsOwnLogOrGoesWithTheOutput(t *testing.T) {
	t.Parallel()
	for name, redirect := range map[string]bool{"own": false, "redirected": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out, errs := filepath.Join(dir, "out"), filepath.Join(dir, "err")
			m := NewManager()
			proc, err := m.NewProcess("/bin/sh", []string{"-c", "echo first; echo second >&2; echo third"}, nil,
				ProcStdoutLog(out, "1MB", 2), ProcStderrLog(errs, ""), ProcRedirectStderr(redirect),
				ProcStartSecs(0), ProcAutoReStart(AutoReStartFalse))
			if err != nil {
				t.Fatal(err)
			}
			proc.Start(true)
			polltest.Until(t, "end", func() bool { proc.mu.Lock(); defer proc.mu.Unlock(); return proc.run == nil })
			want := map[string]string{out: "first\nthird\n", errs: "second\n"}
			if redirect {
				want = map[string]string{out: "first\nsecond\nthird\n", errs: ""}
			}
			for file, text := range want {
				if got, _ := os.ReadFile(file); string(got) != text {
					t.Errorf("%s: %q, want %q", file, got, text)
				}
			}
			log, err := proc.OpenStderrLog()
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			if got, err := log.ReadLog(-5, 0); err != nil || !strings.HasSuffix(want[proc.GetStderrLogfile()], got) || len(got) != 5 {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestTheProgramOfAnotherUserHasHisGroups(t *testing.T) {
	t.Parallel()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	m := NewManager()
	out := filepath.Join(t.TempDir(), "out")
	proc, err := m.NewProcess("/bin/sh", []string{"-c", "id -u; id -G; echo $HOME $LOGNAME"}, map[string]string{"HOME": "/tmp"},
		ProcUser("nobody"), ProcStdoutLog(out, ""), ProcStartSecs(0), ProcAutoReStart(AutoReStartFalse), ProcStartRetries(1))
	if err != nil {
		t.Fatal(err)
	}
	proc.Start(true)
	defer proc.Stop(true)
	if os.Geteuid() != 0 {
		if i := proc.GetProcessInfo(); proc.GetState() != Fatal || !strings.Contains(i.SpawnErr, errNotRoot.Error()) {
			t.Errorf("%+v", i)
		}
		return
	}
	groups, err := u.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(groups)
	var got []string
	polltest.Until(t, "output", func() bool {
		text, _ := os.ReadFile(out)
		got = strings.Split(strings.TrimSpace(string(text)), "\n")
		return len(got) == 3
	})
	ids := strings.Fields(got[1])
	slices.Sort(ids)
	if got[0] != u.Uid || !slices.Equal(slices.Compact(ids), slices.Compact(groups)) || got[2] != "/tmp nobody" {
		t.Errorf("%q, want uid %s, groups %v", got, u.Uid, groups)
	}
}

func TestOptionsOfUsersThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"no such user", "root:no such group", "4294967296"} {
		if _, err := NewProcOptions(ProcCommand("/bin/true"), ProcUser(name)).CreateCommand(); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if _, err := NewProcOptions(ProcCommand("no-such-program-here")).CreateCommand(); !errors.Is(err, exec.ErrNotFound) {
		t.Error(err)
	}
}

func TestExtraFilesKeepTheirNumbersBesideALifeline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, err := os.Create(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	proc := NewProcess(ProcCommand("/bin/sh"), ProcArgs("-c", "echo hello >&3; echo $DMICRO_LIFELINE >&3"), ProcExtraFiles([]*os.File{in}),
		ProcLifeline(true), ProcStartSecs(0), ProcAutoReStart(AutoReStartFalse))
	proc.Start(true)
	defer proc.Stop(true)
	polltest.Until(t, "text through descriptor 3", func() bool {
		text, _ := os.ReadFile(in.Name())
		return string(text) == "hello\n4,0s\n"
	})
}

func TestAReloadNeverLeavesNobodyRunning(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m := NewManager()
	var armed atomic.Bool
	second := make(chan error, 1)
	old, err := m.NewProcessByOptions(p.program("sleep", ProcStartSecs(1), ProcOnChange(func(i *Info) {
		if i.StateName == State(Starting).String() && armed.CompareAndSwap(true, false) {
			_, err := m.GracefulReload("sleep", true)
			second <- err
		}
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer m.StopAllProcesses()
	if ok, err := m.StartProcess("sleep", true); !ok || err != nil {
		t.Fatal(ok, err)
	}
	pid := old.Pid()
	armed.Store(true)
	if ok, err := m.GracefulReload("sleep", true); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err = <-second; !errors.Is(err, ErrReloading) {
		t.Errorf("a second reload amid the first one: %v", err)
	}
	next := m.Find("sleep")
	if next == old || next.GetState() != Running || old.GetState() != Stopped || alive(pid) {
		t.Errorf("%+v, %+v", old.GetProcessInfo(), next.GetProcessInfo())
	}
	next.opts.Environment.Set(envRole, "exit:1") // for the next clone
	if ok, err := m.GracefulReload("sleep", true); ok || !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("%v, %v", ok, err)
	}
	if m.Find("sleep") != next || next.GetState() != Running {
		t.Errorf("a reload that failed harmed the old one: %+v", next.GetProcessInfo())
	}
}

func TestTheFileOfARelativeCommandIsThatInTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app"), []byte("new"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &osChild{cmd: &exec.Cmd{Path: "./app", Dir: dir}}
	if info, err := c.binary(); err != nil || info.Size() != 3 {
		t.Errorf("%v, %v", info, err)
	}
}
