//go:build !windows

package graceful

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

func TestFirstGenerationIsReadyByItself(t *testing.T) {
	t.Parallel()
	u, _ := first(t, nil)
	if err := errors.Join(u.Ready(), u.Ready()); err != nil {
		t.Fatal(err)
	}
	if u.Generation() != 1 || u.ParentGone() != nil || u.Value("x") != "" || u.File("x") != nil {
		t.Error("something was inherited from nobody")
	}
	if err := u.Fail(errors.New("too late")); err != nil {
		t.Error(err)
	}
	stopped, _ := first(t, nil)
	if err := stopped.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := stopped.Ready(); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
}

func TestDescriptionThatIsNotMeantForUsIsIgnored(t *testing.T) {
	t.Parallel()
	e := envelope{Version: envelopeVersion, Generation: 2, ID: "1:2", Sockets: []envelopeSocket{{Network: "tcp", Addr: "127.0.0.1:1"}}}
	text, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]*os.File{"nothing at the descriptor": nil, "something else at the descriptor": other} {
		f := newFake(t)
		f.env[envelopeName] = text
		if file != nil {
			f.fds[readyFD] = file
		}
		u, err := newUpgrader(f.system())
		if err != nil || u.Generation() != 1 || len(u.sockets) != 0 {
			t.Errorf("%s: %v", name, err)
		}
		if _, left := f.env[envelopeName]; left {
			t.Errorf("%s: the description is still in the environment", name)
		}
	}
}

func TestDescriptionThatCannotBeReadFails(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.env[envelopeName] = "{"
	if _, err := newUpgrader(f.system()); err == nil {
		t.Error("no error")
	}
}

func TestWorkerLearnsThatItsMasterIsGone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	master, f := ready(t, nil)
	f.env[notifyName] = "/not/asked"
	addr := "127.0.0.1:" + freePort(t)
	if err := master.Hold(ctx, "tcp", addr); err != nil {
		t.Fatal(err)
	}
	mustListen(t, master, "tcp", "127.0.0.1:0") // the master's own: not for workers
	h, err := master.Handoff(map[string]string{"service": "user"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f.born = func(*fakeChild) {}
	c, err := f.start(command{env: append(h.Env(), f.system().environ()...), files: h.Files()})
	if err != nil {
		t.Fatal(err)
	}
	h.Started()
	w := c.(*fakeChild).u
	if w == nil || w.Value("service") != "user" || len(w.sockets) != 1 {
		t.Fatalf("the worker got %+v, %v", w, c.(*fakeChild).err)
	}
	isReady := make(chan error, 1)
	go func() { isReady <- w.Ready() }()
	if err := h.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.GoAhead(); err != nil {
		t.Fatal(err)
	}
	if err := <-isReady; err != nil {
		t.Fatal(err)
	}
	for range 2 { // a worker may listen again: the socket is the master's
		ln := mustListen(t, w, "tcp", addr)
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ln.Accept(); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = ln.Close()
	}
	select {
	case <-w.ParentGone():
		t.Fatal("the master is said to be gone")
	default:
	}
	h.Close()
	select {
	case <-w.ParentGone():
	case <-time.After(prompt(2 * time.Second)):
		t.Fatal("the worker does not notice")
	}
}

// A worker that withdraws leaves what comes to others that have the socket.
func TestWorkerThatWithdrawsLeavesConnectionsToTheNextOne(t *testing.T) {
	t.Parallel()
	master, f := ready(t, nil)
	f.born = func(*fakeChild) {}
	path := socketPath(t)
	if err := master.Hold(context.Background(), "unix", path); err != nil {
		t.Fatal(err)
	}
	worker := func() (*Upgrader, net.Listener) {
		h, err := master.Handoff(nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		c, err := f.start(command{env: h.Env(), files: h.Files()})
		if err != nil {
			t.Fatal(err)
		}
		h.Started()
		u := c.(*fakeChild).u
		ln := mustListen(t, u, "unix", path)
		if err := h.GoAhead(); err != nil {
			t.Fatal(err)
		}
		if err := u.Ready(); err != nil {
			t.Fatal(err)
		}
		return u, ln
	}
	old, ln := worker()
	ended := make(chan error, 1)
	go func() {
		_, err := ln.Accept()
		ended <- err
	}()
	_, next := worker()
	old.Withdraw()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	go serve(next, "next")
	for range 10 {
		if got := ask(t, "unix", path); got != "next" {
			t.Errorf("%q answers", got)
		}
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
}

func TestWaitTellsHowAWorkerFailed(t *testing.T) {
	t.Parallel()
	master, f := ready(t, nil)
	f.born = func(*fakeChild) {}
	for want, fate := range map[string]func(c *fakeChild){
		ErrExited.Error(): func(c *fakeChild) { c.die("exit status 1") },
		"it refused: no port": func(c *fakeChild) {
			if err := errors.Join(c.u.Fail(errors.New("no port")), c.u.Fail(errors.New("again"))); err != nil {
				t.Error(err)
			}
		},
		context.DeadlineExceeded.Error():    func(*fakeChild) {},
		"speaks another language":           func(c *fakeChild) { _, _ = c.u.parent.(*pipes).say.WriteString("?") },
		strings.Repeat("x", maxReason)[:99]: func(c *fakeChild) { _ = c.u.Fail(errors.New(strings.Repeat("x", 3*maxReason))) },
	} {
		h, err := master.Handoff(nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := f.start(command{env: h.Env(), files: h.Files()})
		if err != nil {
			t.Fatal(err)
		}
		h.Started()
		fate(c.(*fakeChild))
		limit := time.Minute
		if want == context.DeadlineExceeded.Error() {
			limit = 20 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		if err := h.Wait(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		cancel()
		c.end()
		polltest.Until(t, "the end to be noticed", func() bool { return errors.Is(h.GoAhead(), ErrExited) })
		h.Close()
	}
	_ = master.Stop()
	if _, err := master.Handoff(nil); !errors.Is(err, ErrStopped) {
		t.Errorf("%v", err)
	}
	master.sys.supported = false
	if _, err := master.Handoff(nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

// An older program starts a new one of this kind: the sockets come by another variable, and the old process
// is asked to end instead of told by a pipe.
func TestOlderProgramIsTakenOverFrom(t *testing.T) {
	t.Parallel()
	for role, want := range map[string][]int{"": {99}, "false": nil} {
		f := newFake(t)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if f.fds[3], err = dupOf(ln); err != nil {
			t.Fatal(err)
		}
		stray, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer stray.Close()
		if f.fds[4], err = dupOf(stray); err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		f.env = map[string]string{
			olderChildName: "true", olderMasterName: role,
			olderSocketsName: `{"kcp":"","quic":"127.0.0.1:53#5","tcp":"` + addr + `#3,127.0.0.1:1#4"}`,
		}
		u, err := newUpgrader(f.system())
		if err != nil {
			t.Fatal(err)
		}
		inherited := mustListen(t, u, "tcp", addr)
		if err := u.Ready(); err != nil {
			t.Fatal(err)
		}
		go serve(inherited, "new")
		_ = ln.Close()
		if got := ask(t, "tcp", addr); got != "new" {
			t.Errorf("role %q: %q", role, got)
		}
		if !slices.Equal(f.terms, want) || u.Generation() != 2 {
			t.Errorf("role %q: asked %v to end, generation %d", role, f.terms, u.Generation())
		}
		if f.fds[4] == nil {
			t.Error("a descriptor that is not what was said was taken")
		}
		if _, left := f.env[olderSocketsName]; left {
			t.Error("the description is still in the environment")
		}
		if err := u.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// notified collects what a service manager at path is told.
func notified(t *testing.T, path string) (next func() string) {
	t.Helper()
	pc, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return func() string {
		t.Helper()
		b := make([]byte, 4096)
		_ = pc.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := pc.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestServiceManagerIsToldOfEveryStep(t *testing.T) {
	t.Parallel()
	paths := []string{filepath.Join(t.TempDir(), "n")}
	if monotonic() != "" { // linux
		paths = append(paths, "@graceful-test-"+strconv.Itoa(os.Getpid()))
	}
	reloading := regexp.MustCompile(`^RELOADING=1(\nMONOTONIC_USEC=\d+)?$`)
	for _, path := range paths {
		next := notified(t, path)
		var tries atomic.Int32
		kid := make(chan *Upgrader, 1)
		u, f := first(t, func(c *fakeChild) {
			if tries.Add(1) == 1 {
				c.die("exit status 1")
				return
			}
			_ = c.u.Ready()
			kid <- c.u
		})
		f.env[notifyName] = path
		want := func(text string) {
			t.Helper()
			if got := next(); got != text {
				t.Fatalf("%s: told %q, want %q", path, got, text)
			}
		}
		if err := u.Ready(); err != nil {
			t.Fatal(err)
		}
		want("READY=1\nMAINPID=100")
		_ = u.Reload(context.Background(), quick)
		if got := next(); !reloading.MatchString(got) {
			t.Fatalf("told %q", got)
		}
		// The failed process, which stopped, says nothing: the service goes on.
		want("READY=1")
		if err := u.Reload(context.Background(), quick); err != nil {
			t.Fatal(err)
		}
		if got := next(); !reloading.MatchString(got) {
			t.Fatalf("told %q", got)
		}
		want("MAINPID=102\nREADY=1")
		_ = u.Stop() // has handed over: nothing to say
		_ = (<-kid).Stop()
		want("STOPPING=1")
	}
}

func TestNotifyChecksItsWords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n")
	next := notified(t, path)
	if err := notify(path, time.Minute, []string{"STATUS=warming up", "X=1"}); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "STATUS=warming up\nX=1" {
		t.Errorf("%q", got)
	}
	for _, err := range []error{
		notify(path, time.Minute, []string{"STATUS=a\nMAINPID=1"}), notify("vsock:1:2", time.Minute, nil),
		notify(path+"x", time.Minute, []string{"READY=1"}),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
}

func TestServiceManagerThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "n")
	pc, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	const queues = 100_000 // longer than what any system lets wait
	for range queues {
		if err = notify(path, 50*time.Millisecond, []string{"READY=1"}); err != nil {
			break
		}
	}
	if err == nil {
		t.Errorf("%d notifications were taken and none was read", queues)
	}
}

func TestNotifyWithoutServiceManagerDoesNothing(t *testing.T) {
	t.Setenv(notifyName, "")
	if sent, err := Notify("READY=1"); sent || err != nil {
		t.Errorf("%v, %v", sent, err)
	}
	path := filepath.Join(t.TempDir(), "n")
	next := notified(t, path)
	t.Setenv(notifyName, path)
	if sent, err := Notify("STATUS=x"); !sent || err != nil || next() != "STATUS=x" {
		t.Errorf("%v, %v", sent, err)
	}
}

func TestRunEndsWithWhatEndsIt(t *testing.T) {
	for name, end := range map[string]func(u *Upgrader, cancel func()){
		"context": func(_ *Upgrader, cancel func()) { cancel() },
		"stop":    func(u *Upgrader, _ func()) { _ = u.Stop() },
		"signal":  func(*Upgrader, func()) { _ = syscall.Kill(os.Getpid(), syscall.SIGTERM) },
		"reload":  func(u *Upgrader, _ func()) { _ = u.Reload(context.Background(), quick) },
	} {
		u, _ := first(t, func(c *fakeChild) { _ = c.u.Ready() })
		ln := mustListen(t, u, "tcp", "127.0.0.1:0")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- u.Run(ctx, nil) }()
		<-u.Serving()
		end(u, cancel)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the listener is open: %v", name, err)
		}
		cancel()
	}
}

func TestRunReloadsOnSignals(t *testing.T) {
	reports := make(chan error, 1)
	var tries atomic.Int32
	u, _ := first(t, func(c *fakeChild) {
		if tries.Add(1) == 1 {
			c.die("exit status 1")
			return
		}
		_ = c.u.Ready()
	})
	done := make(chan error, 1)
	go func() { done <- u.Run(context.Background(), func(err error) { reports <- err }) }()
	<-u.Serving()
	for sig, want := range map[syscall.Signal]error{syscall.SIGHUP: nil, syscall.SIGUSR2: nil} {
		if tries.Load() == 0 {
			want = ErrExited
		}
		_ = syscall.Kill(os.Getpid(), sig)
		if err := <-reports; !errors.Is(err, want) {
			t.Errorf("%v: %v", sig, err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
