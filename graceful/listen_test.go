//go:build !windows

package graceful

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

func TestAddressesAreComparedByMeaning(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		aNet, a, bNet, b string
		same             bool
	}{
		{"tcp", ":80", "tcp", "0.0.0.0:80", true},
		{"tcp", "[::]:80", "tcp", ":80", true},
		{"tcp", "[::]:80", "tcp4", "0.0.0.0:80", true},
		{"tcp4", ":80", "tcp6", ":80", false},
		{"tcp", "127.0.0.1:80", "tcp", ":80", false},
		{"tcp", "127.0.0.1:http", "tcp", "127.0.0.1:80", true},
		{"tcp", "127.0.0.1:80", "tcp", "127.0.0.1:81", false},
		{"tcp", "[::1]:80", "tcp6", "[0:0:0:0:0:0:0:1]:80", true},
		{"tcp", ":80", "udp", ":80", false},
		{"udp", ":53", "udp4", "0.0.0.0:53", true},
		{"tcp", "127.0.0.1:0", "tcp", "127.0.0.1:0", false}, // two ports
		{"unix", "s", "unix", filepath.Join(wd, "s"), true},
		{"unix", "/a/../s", "unix", "/s", true},
		{"unix", "/s", "unixpacket", "/s", false},
		{"unix", "@s", "unix", "/s", false},
	}
	for _, tt := range tests {
		a := canonical(tt.aNet, tt.a)
		same := compatible(tt.aNet, tt.bNet) && a != "" && a == canonical(tt.bNet, tt.b)
		if same != tt.same {
			t.Errorf("%s %s and %s %s: same is %v", tt.aNet, tt.a, tt.bNet, tt.b, same)
		}
	}
}

func TestUnknownNetworksAreRefused(t *testing.T) {
	t.Parallel()
	u, _ := first(t, nil)
	ctx := context.Background()
	_, err1 := u.Listen(ctx, "udp", ":0")
	_, err2 := u.ListenPacket(ctx, "tcp", ":0")
	for _, err := range []error{err1, err2, u.Hold(ctx, "carrier-pigeon", "x:1")} {
		if !errors.As(err, new(net.UnknownNetworkError)) {
			t.Errorf("%v", err)
		}
	}
	if err := u.Hold(ctx, "tcp", ":0"); err == nil {
		t.Error("a port that nobody knows was held")
	}
}

func TestClosedListenerIsFreeAgainAndNotInherited(t *testing.T) {
	t.Parallel()
	inherited := make(chan []string, 1)
	u, _ := ready(t, func(c *fakeChild) {
		inherited <- c.u.Unclaimed()
		_ = c.u.Ready()
	})
	ln := mustListen(t, u, "tcp", "127.0.0.1:"+freePort(t))
	stays := mustListen(t, u, "tcp", "127.0.0.1:0")
	addr := ln.Addr().String()
	if err := errors.Join(ln.Close(), ln.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener: %v", err)
	}
	porttest.Released()
	again := mustListen(t, u, "tcp", addr)
	if again.Addr().String() != addr {
		t.Fatalf("got %s", again.Addr())
	}
	_ = again.Close()
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	if got := <-inherited; !slices.Equal(got, []string{"tcp " + stays.Addr().String()}) {
		t.Errorf("inherited %v", got)
	}
}

func TestSecondListenerOnOneAddressIsRefused(t *testing.T) {
	t.Parallel()
	u, _ := first(t, nil)
	ln := mustListen(t, u, "tcp", "127.0.0.1:0")
	if _, err := u.Listen(context.Background(), "tcp", ln.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("%v", err)
	}
}

func TestPortsThatTheSystemChoseSurviveInOrder(t *testing.T) {
	t.Parallel()
	addrs := make(chan string, 3)
	u, _ := ready(t, func(c *fakeChild) {
		for range 3 {
			ln, err := c.u.Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			addrs <- ln.Addr().String()
		}
		_ = c.u.Ready()
	})
	a := mustListen(t, u, "tcp", "127.0.0.1:0").Addr().String()
	b := mustListen(t, u, "tcp", "127.0.0.1:0").Addr().String()
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	if a2, b2, c2 := <-addrs, <-addrs, <-addrs; a2 != a || b2 != b || c2 == a || c2 == b {
		t.Errorf("%s, %s became %s, %s; the third is %s", a, b, a2, b2, c2)
	}
}

// Parts of a program that ask for a port of 0 at the same time get each its own again.
func TestPortsThatTheSystemChoseStayWithTheirOwners(t *testing.T) {
	t.Parallel()
	listen := func(u *Upgrader, owner string) string {
		ln, err := u.Listen(WithOwner(context.Background(), owner), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return ""
		}
		return ln.Addr().String()
	}
	got := make(chan map[string]string, 1)
	u, _ := ready(t, func(c *fakeChild) {
		addrs := map[string]string{}
		for _, owner := range []string{"new", "b", "a"} { // not in the order of the predecessor
			addrs[owner] = listen(c.u, owner)
		}
		addrs["a again"] = listen(c.u, "a")
		got <- addrs
		_ = c.u.Ready()
	})
	want := map[string]string{}
	for _, owner := range []string{"a", "b", "gone"} {
		want[owner] = listen(u, owner)
	}
	want["a again"] = listen(u, "a")
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	addrs := <-got
	for _, owner := range []string{"a", "b", "a again"} {
		if addrs[owner] != want[owner] {
			t.Errorf("%q listened on %s, now on %s", owner, want[owner], addrs[owner])
		}
	}
	for owner, addr := range want {
		if addr == addrs["new"] {
			t.Errorf("a new owner got the port of %q", owner)
		}
	}
}

// A predecessor that did not know who asked leaves its ports to whoever asks.
func TestPortsWithoutAnOwnerGoToWhoeverAsksFirst(t *testing.T) {
	t.Parallel()
	addrs := make(chan string, 2)
	u, _ := ready(t, func(c *fakeChild) {
		for _, owner := range []string{"a", ""} {
			ln, err := c.u.Listen(WithOwner(context.Background(), owner), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			addrs <- ln.Addr().String()
		}
		_ = c.u.Ready()
	})
	a := mustListen(t, u, "tcp", "127.0.0.1:0").Addr().String()
	b := mustListen(t, u, "tcp", "127.0.0.1:0").Addr().String()
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	if a2, b2 := <-addrs, <-addrs; a2 != a || b2 != b {
		t.Errorf("%s, %s became %s, %s", a, b, a2, b2)
	}
}

func TestSocketsThatNobodyWantsAreClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	u, _ := ready(t, func(c *fakeChild) { _ = c.u.Ready() })
	tcp := mustListen(t, u, "tcp", "127.0.0.1:0").Addr().String()
	mustListen(t, u, "unix", path)
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "the port to be closed", func() bool { return strings.HasPrefix(ask(t, "tcp", tcp), "refused") })
	polltest.Until(t, "the file to be removed", func() bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

func TestListenIsRefusedWhereItWouldBeLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	goOn, asked := make(chan struct{}), make(chan struct{})
	u, _ := ready(t, func(c *fakeChild) {
		close(asked)
		<-goOn
		_ = c.u.Ready()
	})
	done := make(chan error, 1)
	go func() { done <- u.Reload(ctx, quick) }()
	<-asked
	if _, err := u.Listen(ctx, "tcp", "127.0.0.1:0"); !errors.Is(err, ErrReloading) {
		t.Errorf("during a reload: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := u.Listen(ctx, "tcp", "127.0.0.1:0"); !errors.Is(err, ErrHandedOver) {
		t.Errorf("after it: %v", err)
	}
	if err := u.Hold(ctx, "tcp", "127.0.0.1:1"); !errors.Is(err, ErrHandedOver) {
		t.Errorf("hold after it: %v", err)
	}
	stopped, _ := ready(t, nil)
	_ = stopped.Stop()
	if _, err := stopped.ListenPacket(ctx, "udp", "127.0.0.1:0"); !errors.Is(err, ErrStopped) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestHeldSocketOutlivesItsListeners(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	u, _ := ready(t, nil)
	addr := "127.0.0.1:" + freePort(t)
	for range 2 {
		if err := u.Hold(ctx, "tcp", addr); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		c, err := net.Dial("tcp", addr) // waits until somebody listens
		if err != nil {
			t.Fatal(err)
		}
		ln := mustListen(t, u, "tcp", addr)
		if _, err := ln.Accept(); err != nil {
			t.Fatal(err)
		}
		_ = ln.Close()
		_ = c.Close()
	}
	if err := u.Stop(); err != nil {
		t.Fatal(err)
	}
	porttest.Released()
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still there after Stop")
	}
}

func socketPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "s")
}

func TestUnixSocketIsPrivateAndGoesWithItsListener(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	u, _ := first(t, nil)
	ln := mustListen(t, u, "unix", path)
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnixSocketIsThereAfterAReloadAndGoneAfterAStop(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	next := make(chan *Upgrader, 1)
	u, _ := ready(t, func(c *fakeChild) {
		if _, err := c.u.Listen(context.Background(), "unix", path); err != nil {
			t.Error(err)
		}
		_ = c.u.Ready()
		next <- c.u
	})
	ln := mustListen(t, u, "unix", path)
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	_ = u.Stop()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("gone with the old process: %v", err)
	}
	if err := (<-next).Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("after the stop: %v", err)
	}
}

func TestSuccessorThatGivesUpLeavesTheUnixSocketInPlace(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	u, _ := ready(t, func(c *fakeChild) {
		ln, err := c.u.Listen(context.Background(), "unix", path)
		if err != nil {
			t.Error(err)
			return
		}
		_ = ln.Close()
		_ = c.u.Fail(errors.New("no"))
		c.die("exit status 1")
	})
	go serve(mustListen(t, u, "unix", path), "old")
	if err := u.Reload(context.Background(), quick); err == nil {
		t.Fatal("no error")
	}
	if got := ask(t, "unix", path); got != "old" {
		t.Error(got)
	}
}

// leaveStale makes the file of a socket that nobody serves.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = ln.Close()
	porttest.Released()
}

func TestStaleUnixSocketIsRecovered(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	leaveStale(t, path)
	u, _ := first(t, nil)
	go serve(mustListen(t, u, "unix", path), "mine")
	if got := ask(t, "unix", path); got != "mine" {
		t.Fatal(got)
	}
}

func TestWhatIsNotAStaleSocketIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	live, err := net.Listen("unix", filepath.Join(dir, "live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	packets, err := net.ListenPacket("unixgram", filepath.Join(dir, "packets"))
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	err = errors.Join(
		os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, filepath.Join(dir, "link")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700),
		os.WriteFile(filepath.Join(dir, "locked.binding"), []byte("somebody's"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := first(t, nil)
	for _, name := range []string{"live", "packets", "victim", "link", "folder"} {
		path := filepath.Join(dir, name)
		before, _ := os.Lstat(path)
		_, err := u.Listen(context.Background(), "unix", path)
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
	if _, err := u.Listen(context.Background(), "unix", filepath.Join(dir, "locked")); err == nil {
		t.Error("a foreign file was taken for a lock")
	}
	for name, want := range map[string]string{"victim": "precious", "locked.binding": "somebody's"} {
		if text, _ := os.ReadFile(filepath.Join(dir, name)); string(text) != want {
			t.Errorf("%s holds %q", name, text)
		}
	}
}

func TestForeignSocketAtOurPathIsNotRemoved(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	u, _ := first(t, nil)
	ln := mustListen(t, u, "unix", path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_ = ln.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the socket of somebody else is gone: %v", err)
	}
}

func TestOfManyThatRecoverOneStaleSocketOneWins(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := socketPath(t)
		leaveStale(t, path)
		var wg sync.WaitGroup
		won := make(chan *Upgrader, 8)
		for range cap(won) {
			u, _ := first(t, nil)
			wg.Go(func() {
				ln, err := u.Listen(context.Background(), "unix", path)
				if err == nil {
					go serve(ln, "winner")
					won <- u
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(won); n != 1 {
			t.Fatalf("%d have it", n)
		}
		if got := ask(t, "unix", path); got != "winner" {
			t.Fatal(got)
		}
		_ = (<-won).Stop()
	}
}

func TestProgramsThatAProcessStartsInheritNothing(t *testing.T) {
	t.Parallel()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	successor := make(chan net.Listener, 1)
	u, _ := ready(t, func(c *fakeChild) {
		ln, _ := c.u.Listen(context.Background(), "tcp", "127.0.0.1:0")
		_ = c.u.Ready()
		successor <- ln
	})
	addr := mustListen(t, u, "tcp", "127.0.0.1:0").Addr().String()
	if err := u.Reload(context.Background(), quick); err != nil {
		t.Fatal(err)
	}
	ln := <-successor
	cmd := exec.Command(sleep, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	_ = ln.Close()
	// Not at once: a process that another test starts has everything for a moment.
	polltest.Until(t, "the port to be closed; else the program has it", func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}
