package dserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

// envApp makes the test binary an application; the value is a list of traits,
// see testApp.
const envApp = "DSERVER_TEST_APP"

// envNet does the same with an application that serves over the network; see
// netApp.
const envNet = "DSERVER_TEST_NET"

func TestMain(m *testing.M) {
	if traits := os.Getenv(envNet); traits != "" {
		netApp(strings.Split(traits, ","))
		return
	}
	if traits := os.Getenv(envApp); traits != "" {
		testApp(strings.Split(traits, ","))
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // GoFrame has goroutines of its own from the start
}

// appSandbox is a sandbox whose Setup blocks until Shutdown, as one that
// listens does.
type appSandbox struct {
	BaseSandbox
	name     string
	trait    string
	mu       sync.Mutex
	shutdown chan struct{}
}

func (s *appSandbox) Name() string { return s.name }

func (s *appSandbox) Setup() error {
	fmt.Printf("setup %s\n", s.name)
	s.mu.Lock()
	s.shutdown = make(chan struct{})
	closed := s.shutdown
	s.mu.Unlock()
	switch s.trait {
	case "fail":
		return errors.New("no database")
	case "panic":
		panic("setup broke")
	case "later":
		for tick := time.Tick(5 * time.Millisecond); ; {
			if _, err := os.Stat("fail"); err == nil {
				return errors.New("no database any more")
			}
			select {
			case <-tick:
			case <-closed:
				return nil
			}
		}
	case "chatty":
		go s.chat(s.Context)
	case "serve":
		return s.serve()
	}
	<-closed
	return errors.New("listener is closed")
}

// serve listens until the sandbox is stopped, and says where.
func (s *appSandbox) serve() error {
	ep, err := drpc.New(drpc.EndpointConfig{ListenIP: "127.0.0.1"})
	if err != nil {
		return err
	}
	context.AfterFunc(s.Context, func() { _ = ep.Close() })
	drpc.HandleCall(ep, "/echo", func(_ drpc.CallCtx, text *string) (string, *drpc.Status) {
		if *text == "" {
			return "", drpc.NewStatus(1000, "nothing to echo")
		}
		return *text, nil
	})
	drpc.HandleCall(ep, "/wait", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		<-c.Context().Done()
		return "", nil
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("serving at %s;\n", ln.Addr())
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		ep.ServeConn(conn)
	}
}

func (s *appSandbox) chat(ctx context.Context) {
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond):
			logger.Warningf(ctx, "chat %d \x1b[31m of %d", i, os.Getpid())
		}
	}
}

func (s *appSandbox) Shutdown() error {
	fmt.Printf("shutdown %s\n", s.name)
	switch s.trait {
	case "hang":
		select {}
	case "slow":
		time.Sleep(400 * time.Millisecond) // the work that a stop waits for
	case "badstop":
		return errors.New("disk full")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.shutdown)
	return nil
}

// testApp is an application with the sandboxes UserBox and AdminBox. A trait
// "user=x" or "admin=x" gives a sandbox a bad habit; the others are explained
// where they are read.
func testApp(traits []string) {
	habits := map[string]string{}
	has := map[string]bool{}
	for _, trait := range traits {
		name, habit, ok := strings.Cut(trait, "=")
		if ok {
			habits[name] = habit
		}
		has[trait] = true
	}
	Authors = "team@example.com"
	SetName("TestApp")
	bePatient(!has["hasty"])
	if has["noctl"] {
		CloseCtl()
	}
	Cobra(func(root *cobra.Command) {
		root.AddCommand(&cobra.Command{Use: "greet", Run: func(*cobra.Command, []string) { fmt.Println("hello") }})
	})
	Setup(func(svr *DServer) {
		fmt.Println("start function")
		if has["multi"] {
			svr.ProcessModel(ProcessModelMulti)
		}
		if has["startpanic"] {
			panic("start function broke")
		}
		if file, ok := habits["pidfile"]; ok {
			svr.SetPidFile(file)
		}
		if has["veto"] {
			svr.BeforeStop(func(*DServer) bool { fmt.Println("before stop"); return false })
		}
		if limit, err := time.ParseDuration(habits["limit"]); err == nil {
			svr.SetStopTimeout(limit)
		}
		add(svr, &appSandbox{name: "AdminBox", trait: habits["admin"]}, svr.NewService("admin"))
		add(svr, &appSandbox{name: "UserBox", trait: habits["user"]}, svr.NewService("user"))
		if has["levels"] {
			time.AfterFunc(10*time.Millisecond, logEveryLevel)
		}
		if has["selfstop"] {
			time.AfterFunc(50*time.Millisecond, Shutdown)
		}
	})
}

// bePatient gives other processes as much time to answer as tests have, since the machine may be busy with more than one
// test; an application that is hasty gives them what it does elsewhere.
func bePatient(patient bool) {
	if patient {
		defaultServer.answerTime = polltest.Patience
	}
}

func logEveryLevel() {
	ctx := context.Background()
	logger.Debug(ctx, "level test")
	logger.Info(ctx, "level test")
	logger.Critical(ctx, "end of levels")
}

func add(svr *DServer, s ISandbox, service *DService) {
	if err := svr.AddSandBox(s, service); err != nil {
		logger.Fatal(context.Background(), err)
	}
}

// testEnv is a place where applications run: their run directory, home and
// working directory.
type testEnv struct {
	t      *testing.T
	dir    string
	traits string
	extra  []string // of the environment
}

// newEnv makes a place with a short path: a socket's name must fit in.
func newEnv(t *testing.T, traits string) *testEnv {
	t.Helper()
	dir, err := os.MkdirTemp("", "ds")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if traits == "" {
		traits = "plain"
	}
	return &testEnv{t: t, dir: dir, traits: traits}
}

func (e *testEnv) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = e.dir
	cmd.Env = append([]string{
		envApp + "=" + e.traits, "DMICRO_RUN_DIR=" + e.dir, "HOME=" + e.dir, "PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + e.dir, "LANG=C", "GOCOVERDIR=" + cmp.Or(os.Getenv("DMICRO_COVERDIR"), e.dir), // "make cover" counts what applications run
		"GORACE=atexit_sleep_ms=0", // or each process under the race detector takes a second to end
	}, e.extra...)
	return cmd
}

// result is what a finished command left.
type result struct {
	out, err string
	code     int
	took     time.Duration
}

func (e *testEnv) run(args ...string) result {
	e.t.Helper()
	return e.runInput("", args...)
}

func (e *testEnv) runInput(input string, args ...string) result {
	e.t.Helper()
	cmd := e.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errOut
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatalf("%v: %v", args, err)
	}
	return result{out: out.String(), err: errOut.String(), code: cmd.ProcessState.ExitCode(), took: time.Since(began)}
}

// want fails the test unless the result has that code and these texts.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Fatalf("output lacks %q\nstdout: %s\nstderr: %s", text, r.out, r.err)
		}
	}
}

// syncBuffer is a bytes.Buffer that may be read while it grows.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// output is a file with what a process has printed, and its successors, who inherit it. Once a process has ended, all of its
// words are there, whoever else goes on.
type output struct{ path string }

// String returns what has been printed so far.
func (o output) String() string {
	text, err := os.ReadFile(o.path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// process is an application that was started and runs.
type process struct {
	*exec.Cmd
	t    *testing.T
	out  output
	done chan struct{}
}

// begin starts a command without waiting for it.
func (e *testEnv) begin(args ...string) *process {
	e.t.Helper()
	p, err := e.tryBegin(e.command(args...))
	if err != nil {
		e.t.Fatal(err)
	}
	return p
}

// tryBegin is begin for a command that the system may refuse to start.
func (e *testEnv) tryBegin(cmd *exec.Cmd) (*process, error) {
	e.t.Helper()
	p := &process{Cmd: cmd, t: e.t, out: output{filepath.Join(e.t.TempDir(), "output")}, done: make(chan struct{})}
	f, err := os.OpenFile(p.out.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	p.Stdout, p.Stderr = f, f
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.Wait()
	}()
	e.t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
	})
	return p, nil
}

// serve starts the application and waits until it says that it runs.
func (e *testEnv) serve(args ...string) *process {
	e.t.Helper()
	p := e.begin(append([]string{"start"}, args...)...)
	p.waitOutput("started, pid")
	return p
}

func (p *process) waitOutput(text string) {
	p.t.Helper()
	polltest.Until(p.t, fmt.Sprintf("output %q", text), func() bool {
		if strings.Contains(p.out.String(), text) {
			return true
		}
		select {
		case <-p.done:
			p.t.Fatalf("the process ended without saying %q:\n%s", text, p.out.String())
		default:
		}
		return false
	})
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(polltest.Patience):
		p.t.Fatalf("the process does not end:\n%s", p.out.String())
	}
	return p.ProcessState.ExitCode()
}

// soak reports whether the long form of a test is asked for.
func soak() bool { return os.Getenv("DMICRO_SOAK") != "" }

// wantPrompt fails the test if something has taken too long. The limit itself is asked for by the long tests, which have
// the machine to themselves; others leave room for what else may run.
func wantPrompt(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	if !soak() {
		limit = max(limit, 20*time.Second)
	}
	if took > limit {
		t.Errorf("%s took %v, the limit is %v", what, took, limit)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
