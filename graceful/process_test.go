//go:build !windows

package graceful

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// The test binary starts itself as a server. What it is to do stands in these variables.
const (
	roleName = "GRACEFUL_TEST_ROLE" // not empty: be a server
	dirName  = "GRACEFUL_TEST_DIR"  // for the unix socket and the file "mode"
)

// play is the server. Its mode decides what a new generation does.
func play() int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "server:", err)
		return 1
	}
	u, err := Default()
	if err != nil {
		return fail(err)
	}
	dir := os.Getenv(dirName)
	tcp, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fail(err)
	}
	unix, err := Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		return fail(err)
	}
	if u.Generation() > 1 {
		switch mode, _ := os.ReadFile(filepath.Join(dir, "mode")); string(mode) {
		case "crash":
			panic("no database here")
		case "hang":
			signal.Ignore(syscall.SIGTERM)
			select {}
		case "refuse":
			_ = u.Fail(errors.New("the configuration is bad"))
			return 1
		}
	}
	var work sync.WaitGroup
	work.Go(func() {
		serveEach(tcp, &work, func() string { return fmt.Sprint(u.Generation(), os.Getpid(), countFiles()) })
	})
	work.Go(func() {
		serveEach(unix, &work, func() string {
			fmt.Fprintln(os.Stderr, "asked", u.Generation())
			return "ok"
		})
	})
	go func() { // signals are caught from then on
		<-u.Serving()
		fmt.Println("listening", tcp.Addr())
	}()
	err = Run(context.Background(), func(err error) {
		if err != nil {
			fmt.Println("reload failed:", strings.ReplaceAll(err.Error(), "\n", " | "))
		}
	})
	if err != nil {
		return fail(err)
	}
	work.Wait()
	fmt.Println("left", u.Generation())
	return 0
}

func serveEach(ln net.Listener, work *sync.WaitGroup, answer func() string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		work.Go(func() {
			_, _ = io.WriteString(c, answer())
			_ = c.Close()
		})
	}
}

func countFiles() int {
	list, _ := os.ReadDir("/dev/fd")
	return len(list)
}

// server is a running chain of generations.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	addr string
	pid  atomic.Int64 // of the generation that answered last

	mu    sync.Mutex
	lines []string
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), roleName+"=server", dirName+"="+s.dir)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	s.pid.Store(int64(s.cmd.Process.Pid))
	read := make(chan struct{})
	go func() {
		defer close(read)
		for in := bufio.NewScanner(r); in.Scan(); {
			s.mu.Lock()
			s.lines = append(s.lines, in.Text())
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(int(s.pid.Load()), syscall.SIGKILL)
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		_ = r.SetReadDeadline(time.Now().Add(5 * time.Second))
		<-read // the end of the last process
		_ = r.Close()
		if t.Failed() {
			t.Log(strings.Join(s.lines, "\n"))
		}
	})
	s.addr = strings.TrimPrefix(s.line("listening "), "listening ")
	return s
}

// line waits for a line with a text and returns it.
func (s *server) line(text string) (found string) {
	s.t.Helper()
	polltest.Until(s.t, fmt.Sprintf("a line with %q", text), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, l := range s.lines {
			if strings.Contains(l, text) {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

// mode sets what further generations do.
func (s *server) mode(text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "mode"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// ask returns generation, process and open descriptors of whoever answers.
func (s *server) ask() (gen, pid, files int, err error) {
	c, err := net.DialTimeout("tcp", s.addr, time.Minute)
	if err != nil {
		return 0, 0, 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	text, err := io.ReadAll(c)
	if err == nil {
		_, err = fmt.Sscan(string(text), &gen, &pid, &files)
	}
	return gen, pid, files, err
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(int(s.pid.Load()), sig); err != nil {
		s.t.Fatal(err)
	}
}

// reload waits for the generation.
func (s *server) reload(sig syscall.Signal, want int) (files int) {
	s.t.Helper()
	s.signal(sig)
	polltest.Until(s.t, "generation "+strconv.Itoa(want), func() bool {
		gen, pid, n, err := s.ask()
		if err != nil {
			s.t.Fatal(err)
		}
		s.pid.Store(int64(pid))
		files = n
		return gen == want
	})
	return files
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestFiftyReloadsOfARealProcessUnderLoad(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	reloads := 50
	if testing.Short() {
		reloads = 5
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	var calls, failed atomic.Int64
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, _, err := s.ask(); err != nil {
					failed.Add(1)
					t.Error(err)
				}
				calls.Add(1)
			}
		})
	}
	defer load.Wait()
	defer close(stop)
	var files []int
	for gen := 2; gen <= reloads+1; gen++ {
		sig := syscall.SIGHUP
		if gen%2 == 0 {
			sig = syscall.SIGUSR2
		}
		s.reload(sig, gen)
		s.line("left " + strconv.Itoa(gen-1))
		// The fewest of a few answers: connections under way are counted, too.
		fewest := 1 << 20
		for range 5 {
			if _, _, n, err := s.ask(); err == nil {
				fewest = min(fewest, n)
			}
		}
		files = append(files, fewest)
	}
	if early, late := files[0], files[len(files)-1]; late > early+2 {
		t.Errorf("open descriptors went from %d to %d: %v", early, late, files)
	}
	t.Logf("%d calls, %d failed, descriptors %v", calls.Load(), failed.Load(), files)
}

func TestStandardErrorOutlivesTheOldProcess(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.reload(syscall.SIGHUP, 2)
	s.line("left 1")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the old process ended with %v", err)
	}
	if got := ask(t, "unix", filepath.Join(s.dir, "s")); got != "ok" {
		t.Fatal(got)
	}
	s.line("asked 2")
	s.signal(syscall.SIGTERM)
	s.line("left 2")
	if left, _ := os.ReadDir(s.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRealProcessThatFailsIsReportedAndRemoved(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`the new process (\d+)`)
	for mode, words := range map[string][]string{
		"crash":  {"ended before it was ready", "exit status 2", "panic: no database here"},
		"refuse": {"it refused: the configuration is bad"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			s.mode(mode)
			s.signal(syscall.SIGHUP)
			line := s.line("reload failed:")
			for _, w := range words {
				if !strings.Contains(line, w) {
					t.Errorf("%q lacks %q", line, w)
				}
			}
			m := number.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("%q names no process", line)
			}
			if pid, _ := strconv.Atoi(m[1]); !gone(pid) {
				t.Errorf("process %d is left", pid)
			}
			if gen, _, _, err := s.ask(); gen != 1 || err != nil {
				t.Fatalf("generation %d answers, %v", gen, err)
			}
			s.mode("")
			s.reload(syscall.SIGHUP, 2)
		})
	}
}

func TestStopRemovesANewProcessThatHangs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.mode("hang")
	s.signal(syscall.SIGHUP)
	var kid int
	if _, err := os.Stat("/proc/self"); err == nil {
		polltest.Until(t, "the new process", func() bool {
			for _, text := range strings.Fields(childrenOf(s.cmd.Process.Pid)) {
				kid, _ = strconv.Atoi(text)
			}
			return kid != 0
		})
	}
	s.signal(syscall.SIGTERM)
	s.line("left 1")
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if kid != 0 && !gone(kid) {
		t.Errorf("process %d is left", kid)
	}
}

// childrenOf lists the children of all threads of a process.
func childrenOf(pid int) string {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var all strings.Builder
	for _, f := range files {
		text, _ := os.ReadFile(f)
		all.Write(append(text, ' '))
	}
	return all.String()
}

func TestProgramThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	u, err := newUpgrader(realSystem())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Stop() })
	u.phase = serving // without telling anybody
	err = u.Reload(context.Background(), Successor{Path: filepath.Join(t.TempDir(), "missing")})
	var failed *StartError
	if !errors.As(err, &failed) || failed.PID != 0 || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%v", err)
	}
	if u.phase != serving {
		t.Errorf("phase %d", u.phase)
	}
}

func TestProgramIsLookedUpByItsName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	current := filepath.Join(dir, "current")
	for _, v := range []string{"v1", "v2"} {
		if err := os.WriteFile(filepath.Join(dir, v), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("v1", current); err != nil {
		t.Fatal(err)
	}
	u, _ := first(t, nil)
	u.dir, u.args = dir, []string{"./current", "-x"}
	if got, err := u.program(""); err != nil || got != current {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := u.program("v2"); err == nil && !filepath.IsAbs(got) {
		t.Errorf("%s was found here", got)
	}
	u.args = []string{"a-name-that-no-program-has"}
	self, _ := os.Executable()
	if got, err := u.program(""); err != nil || got != self {
		t.Errorf("%s, %v", got, err)
	}
}
