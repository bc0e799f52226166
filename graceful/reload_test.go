//go:build !windows

package graceful

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestSuccessorTakesTheListenersOver(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "g") // a short path: sockets allow some 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, where := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:" + freePort(t)}, // nobody else's after the stop
		{"tcp4", "127.0.0.1:" + freePort(t)},
		{"unix", filepath.Join(dir, "s")},
	} {
		t.Run(where.network, func(t *testing.T) {
			successor := make(chan *Upgrader, 1)
			u, _ := ready(t, func(c *fakeChild) {
				ln, err := c.u.Listen(context.Background(), where.network, where.address)
				if err != nil {
					t.Error(err)
				}
				go serve(ln, "new")
				if err := c.u.Ready(); err != nil {
					t.Error(err)
				}
				successor <- c.u
			})
			ln := mustListen(t, u, where.network, where.address)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				serve(ln, "old")
			}()
			addr := ln.Addr().String()
			if got := ask(t, where.network, addr); got != "old" {
				t.Fatalf("before the reload: %q", got)
			}
			if err := u.Reload(context.Background(), quick); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ended:
			case <-time.After(prompt(time.Second)):
				t.Fatal("the old Accept still waits")
			}
			select {
			case <-u.HandedOver():
			default:
				t.Error("HandedOver is not closed")
			}
			if got := ask(t, where.network, addr); got != "new" {
				t.Fatalf("after the reload: %q", got)
			}
			next := <-successor
			if next.Generation() != 2 {
				t.Errorf("generation %d", next.Generation())
			}
			_ = u.Stop() // the old one leaves
			if got := ask(t, where.network, addr); got != "new" {
				t.Fatalf("after the old one left: %q", got)
			}
			if err := next.Stop(); err != nil {
				t.Fatal(err)
			}
			porttest.Released()
			if got := ask(t, where.network, addr); !strings.HasPrefix(got, "refused") {
				t.Fatalf("after the stop: %q", got)
			}
		})
	}
}

func TestSuccessorAcceptsNothingBeforeTheHandOver(t *testing.T) {
	t.Parallel()
	listening, goOn := make(chan struct{}), make(chan struct{})
	u, _ := ready(t, func(c *fakeChild) {
		ln, _ := c.u.Listen(context.Background(), "tcp", "127.0.0.1:0")
		go serve(ln, "new")
		close(listening)
		<-goOn
		_ = c.u.Ready()
	})
	ln := mustListen(t, u, "tcp", "127.0.0.1:0")
	done := make(chan error, 1)
	go func() { done <- u.Reload(context.Background(), quick) }()
	<-listening
	// Nobody accepts now: if the successor did, it would answer.
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := c.Read(make([]byte, 3)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("somebody answered: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 3)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "new" {
		t.Fatalf("the waiting connection got %q, %v", b, err)
	}
}

func TestFailedReloadLeavesTheOldProcessServing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		born  func(c *fakeChild)
		limit time.Duration
		check func(err error) bool
		words []string
	}{
		"dies": {
			born: func(c *fakeChild) {
				_, _ = c.cmd.stderr.Write([]byte("panic: no database\n"))
				c.die("exit status 2")
			},
			check: func(err error) bool { return errors.Is(err, ErrExited) },
			words: []string{"101", "exit status 2", "panic: no database"},
		},
		"hangs": {
			born:  func(c *fakeChild) {},
			limit: 50 * time.Millisecond,
			check: func(err error) bool { return errors.Is(err, ErrTimeout) },
			words: []string{"50ms", "signal: killed"},
		},
		"refuses": {
			born: func(c *fakeChild) {
				if err := c.u.Fail(errors.New("sandbox [user]: port in use")); err != nil {
					t.Error(err)
				}
				c.die("exit status 1")
			},
			check: func(err error) bool { return errors.As(err, new(*RefusedError)) },
			words: []string{"sandbox [user]: port in use"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var kid atomic.Pointer[fakeChild]
			u, _ := ready(t, func(c *fakeChild) {
				kid.Store(c)
				tt.born(c)
			})
			ln := mustListen(t, u, "tcp", "127.0.0.1:0")
			go serve(ln, "old")
			limit := tt.limit
			if limit == 0 {
				limit = 10 * time.Second
			}
			err := u.Reload(context.Background(), Successor{ReadyTimeout: limit})
			var failed *StartError
			if !errors.As(err, &failed) || !tt.check(err) || failed.PID != 101 {
				t.Fatalf("error %v", err)
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
			select {
			case <-kid.Load().done:
			default:
				t.Error("the new process is left behind")
			}
			if got := ask(t, "tcp", ln.Addr().String()); got != "old" {
				t.Errorf("after the failure: %q", got)
			}
		})
	}
}

func TestFailedReloadCanBeRepeated(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	u, _ := ready(t, func(c *fakeChild) {
		if tries.Add(1) < 3 {
			c.die("exit status 1")
			return
		}
		_ = c.u.Ready()
	})
	for range 2 {
		if err := u.Reload(context.Background(), quick); !errors.Is(err, ErrExited) {
			t.Fatalf("%v", err)
		}
	}
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
}

func TestTwoReloadsAtOnceMakeOneGeneration(t *testing.T) {
	t.Parallel()
	var born atomic.Int32
	goOn := make(chan struct{})
	u, _ := ready(t, func(c *fakeChild) {
		born.Add(1)
		<-goOn
		_ = c.u.Ready()
	})
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { errs <- u.Reload(context.Background(), quick) }()
	}
	for range cap(errs) - 1 {
		if err := <-errs; !errors.Is(err, ErrReloading) {
			t.Errorf("%v, want ErrReloading", err)
		}
	}
	close(goOn)
	if err := <-errs; err != nil {
		t.Errorf("the first one: %v", err)
	}
	if n := born.Load(); n != 1 {
		t.Errorf("%d new processes", n)
	}
}

func TestProcessThatCannotBeReplacedSaysWhy(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := map[error]func() *Upgrader{
		ErrNotReady: func() *Upgrader { u, _ := first(t, nil); return u },
		ErrStopped: func() *Upgrader {
			u, _ := ready(t, nil)
			_ = u.Stop()
			return u
		},
		ErrHandedOver: func() *Upgrader {
			u, _ := ready(t, func(c *fakeChild) { _ = c.u.Ready() })
			if err := u.Reload(ctx, quick); err != nil {
				t.Error(err)
			}
			return u
		},
		ErrInit: func() *Upgrader {
			u, f := ready(t, nil)
			f.pid = 1
			return u
		},
		ErrUnsupported: func() *Upgrader {
			u, _ := ready(t, nil)
			u.sys.supported = false
			return u
		},
	}
	for want, process := range tests {
		if err := process().Reload(ctx, quick); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestStopEndsAReloadAndItsProcess(t *testing.T) {
	t.Parallel()
	kid := make(chan *fakeChild, 1)
	u, _ := ready(t, func(c *fakeChild) { kid <- c })
	done := make(chan error, 1)
	go func() { done <- u.Reload(context.Background(), quick) }()
	c := <-kid
	if err := u.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrStopped) {
		t.Fatalf("%v", err)
	}
	<-c.done
}

func TestCallerEndsAReload(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	u, _ := ready(t, func(c *fakeChild) { cancel() })
	if err := u.Reload(ctx, quick); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if _, err := u.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatalf("the process does not work on: %v", err)
	}
}

func TestPredecessorThatDiesLeavesTheSocketsToItsSuccessor(t *testing.T) {
	t.Parallel()
	u, f := ready(t, nil)
	ln := mustListen(t, u, "tcp", "127.0.0.1:0")
	u.mu.Lock()
	h, err := u.newHandoff(envelope{Generation: 2}, u.sockets, nil)
	u.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	f.born = func(*fakeChild) {}
	c, err := f.start(command{env: h.Env(), files: h.Files()})
	if err != nil {
		t.Fatal(err)
	}
	h.Close() // what the kernel does when a process is killed
	next := c.(*fakeChild).u
	inherited := mustListen(t, next, "tcp", "127.0.0.1:0")
	if err := next.Ready(); err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	go serve(inherited, "new")
	if got := ask(t, "tcp", ln.Addr().String()); got != "new" {
		t.Fatalf("%q", got)
	}
}

func TestDescriptorsStayOverManyReloads(t *testing.T) {
	// Not parallel: it counts the descriptors of the process.
	path := filepath.Join(t.TempDir(), "kept")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	u, _ := ready(t, func(c *fakeChild) { c.die("exit status 1") })
	mustListen(t, u, "tcp", "127.0.0.1:0")
	mustListen(t, u, "unix", filepath.Join(t.TempDir(), "s"))
	if err := errors.Join(u.Hold(context.Background(), "tcp", "127.0.0.1:"+freePort(t)), u.Keep("lock", file)); err != nil {
		t.Fatal(err)
	}
	reload := func() {
		t.Helper()
		if err := u.Reload(context.Background(), quick); !errors.Is(err, ErrExited) {
			t.Fatal(err)
		}
	}
	reload()
	before := openFiles(t)
	for range 50 {
		reload()
	}
	polltest.Until(t, "the descriptors to be closed", func() bool { return openFiles(t) <= before })
}

// freePort returns a TCP port of 127.0.0.1 for the tests that must know the number before they listen.
func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(int(porttest.Free(t)))
}

func TestHandedOverSocketsNeitherBlockNorLeak(t *testing.T) {
	t.Parallel()
	u, _ := ready(t, nil)
	ln := mustListen(t, u, "tcp", "127.0.0.1:0").(*listener)
	u.mu.Lock()
	h, err := u.newHandoff(envelope{Generation: 2}, u.sockets, os.Stderr)
	u.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, f := range h.Files() {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0) // what os/exec does with it, too
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s would be inherited by every program: %v", f.Name(), err)
		}
	}
	raw, err := ln.Listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("the socket blocks: its Accept could not be ended (%v)", err)
		}
	})
}

func TestKeptFilesAndValuesArrive(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("42"); err != nil {
		t.Fatal(err)
	}
	got := make(chan *os.File, 3)
	u, _ := ready(t, func(c *fakeChild) {
		got <- c.u.File("state")
		got <- c.u.File("state")
		got <- c.u.File("forgotten")
		_ = c.u.Ready()
	})
	for name, f := range map[string]*os.File{"state": file, "forgotten": file} {
		if err := u.Keep(name, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(u.Keep("forgotten", nil), u.Reload(context.Background(), quick)); err != nil {
		t.Fatal(err)
	}
	inherited := <-got
	if inherited == nil {
		t.Fatal("the file did not arrive")
	}
	defer inherited.Close()
	b := make([]byte, 2)
	if _, err := inherited.ReadAt(b, 0); err != nil || string(b) != "42" {
		t.Errorf("it holds %q, %v", b, err)
	}
	if again, other := <-got, <-got; again != nil || other != nil {
		t.Errorf("got %v and %v too", again, other)
	}
	if err := u.Keep("", file); err == nil {
		t.Error("a file without a name was kept")
	}
}

func TestReloadsFollowEachOther(t *testing.T) {
	t.Parallel()
	next := make(chan *Upgrader, 1)
	born := func(c *fakeChild) {
		ln, err := c.u.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
		}
		go serve(ln, "new")
		if err := c.u.Ready(); err != nil {
			t.Error(err)
		}
		next <- c.u
	}
	u, _ := ready(t, born)
	ln := mustListen(t, u, "tcp", "127.0.0.1:0")
	addr := ln.Addr().String()
	for gen := 2; gen <= 10; gen++ { // no generation before has left
		if err := u.Reload(context.Background(), quick); err != nil {
			t.Fatal(err)
		}
		if u = <-next; u.Generation() != gen {
			t.Fatalf("generation %d, want %d", u.Generation(), gen)
		}
		if got := ask(t, "tcp", addr); got != "new" {
			t.Fatalf("generation %d: %q", gen, got)
		}
	}
}

// Connections that arrive at any moment of a reload are served by one process or the other.
func TestNoConnectionIsLostInTheHandOver(t *testing.T) {
	t.Parallel()
	next := make(chan *Upgrader, 1)
	u, _ := ready(t, func(c *fakeChild) {
		ln, _ := c.u.Listen(context.Background(), "tcp", "127.0.0.1:0")
		go serve(ln, "served")
		_ = c.u.Ready()
		next <- c.u
	})
	ln := mustListen(t, u, "tcp", "127.0.0.1:0")
	go serve(ln, "served")
	addr := ln.Addr().String()
	stop := make(chan struct{})
	var load sync.WaitGroup
	var calls atomic.Int64
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := ask(t, "tcp", addr); got != "served" {
					t.Error(got)
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 20 {
		before := calls.Load()
		polltest.Until(t, "some calls", func() bool { return calls.Load() > before+20 || t.Failed() })
		if err := u.Reload(context.Background(), quick); err != nil {
			t.Fatal(err)
		}
		u = <-next
	}
	close(stop)
	load.Wait()
}
