//go:build !windows

package unixsocket

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// socketPath is a path in a new folder. Sockets have short ones, and the folders of a test are named after it.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// stale leaves a socket file that nobody serves.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

// bind binds a socket that the test closes at its end.
func bind(t *testing.T, path string) (net.Listener, string) {
	t.Helper()
	ln, id, err := Bind(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln, id
}

// keep makes the listener leave its file when it is closed.
func keep(ln net.Listener) { ln.(*net.UnixListener).SetUnlinkOnClose(false) }

func TestSocketIsItsOwnersAloneAndLeavesNoLock(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln, id := bind(t, path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != mode || Identity(info) != id || id == "" {
		t.Errorf("%v, %v, identity %q", info, err, id)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

func TestFileOfADeadProcessIsReplaced(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	stale(t, path)
	bind(t, path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestWhatIsInTheWayStays(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(t *testing.T, path string){
		"a socket that is served": func(t *testing.T, path string) { bind(t, path) },
		"a file": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a folder": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"a link to a stale socket": func(t *testing.T, path string) {
			stale(t, path+"2")
			if err := os.Symlink(path+"2", path); err != nil {
				t.Fatal(err)
			}
		},
		"a socket that takes no such connections": func(t *testing.T, path string) {
			conn, err := net.ListenPacket("unixgram", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := socketPath(t)
			put(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if ln, _, err := Bind(t.Context(), "unix", path); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%v, %v", ln, err)
			}
			if conn, err := Dial(t.Context(), "unix", path, path); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("dialled from there: %v, %v", conn, err)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("%v, %v", after, err)
			}
		})
	}
}

func TestOneOfManyThatBindAtATimeWins(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	stale(t, path)
	var won atomic.Int32
	var all sync.WaitGroup
	listeners := make([]net.Listener, 10)
	for i := range listeners {
		all.Go(func() {
			ln, _, err := Bind(context.Background(), "unix", path)
			if err == nil {
				won.Add(1)
				listeners[i] = ln
			} else if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, ln := range listeners {
		if ln != nil {
			_ = ln.Close()
		}
	}
	if won.Load() != 1 {
		t.Errorf("%d have bound it", won.Load())
	}
}

func TestRemoveTakesItsOwnFileOnly(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	ln, id := bind(t, path)
	keep(ln)
	Remove(path, "0:0")
	Remove(path, "")
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the file of another is removed: %v", err)
	}
	Remove(path, id)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its own file: %v", err)
	}
	Remove(path, id) // it is no longer there
	Remove(filepath.Join(path, "no", "folder"), id)
}

func TestLockThatSomebodyHoldsIsAwaited(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	unlock, err := lockPath(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Bind(ctx, "unix", path); !errors.Is(err, context.Canceled) {
		t.Errorf("a bind that may not wait: %v", err)
	}
	bound := make(chan error, 1)
	go func() {
		ln, _, err := Bind(context.Background(), "unix", path)
		if err == nil {
			err = ln.Close()
		}
		bound <- err
	}()
	unlock()
	if err := <-bound; err != nil {
		t.Error(err)
	}
}

func TestLockThatIsSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if err := os.WriteFile(path+".binding", []byte("letters"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Bind(t.Context(), "unix", path); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(path + ".binding"); err != nil || string(b) != "letters" {
		t.Errorf("%q, %v", b, err)
	}
	if _, _, err := Bind(t.Context(), "unix", filepath.Join(path, "no", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
}

func TestNamesWithoutAFile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{"": true, "@x": runtime.GOOS == "linux", "\x00x": runtime.GOOS == "linux", "/tmp/@x": false} {
		if IsAbstract(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
	if runtime.GOOS != "linux" {
		t.Skip("there are such names on Linux alone")
	}
	name := "@" + socketPath(t)
	if _, id := bind(t, name); id != "" {
		t.Errorf("%s has the identity %q", name, id)
	}
	if _, _, err := Bind(t.Context(), "unix", name); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second time: %v", err)
	}
}
