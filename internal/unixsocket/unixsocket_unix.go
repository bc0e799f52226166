//go:build !windows

package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	mode         = 0o600
	probeTimeout = 500 * time.Millisecond // for the question whether somebody serves a socket file
	lockTimeout  = 5 * time.Second        // for another process that binds or removes the same file
	lockPoll     = 5 * time.Millisecond
)

// Bind binds a unix socket at path and returns the identity of its file for [Remove]. The file has mode 0600 from its
// first moment on Linux, and right after it was made elsewhere. A file left behind by a dead process is replaced; one that
// is served, or that is no socket, is syscall.EADDRINUSE. A socket without a file has no identity. Like that of package
// net, the listener removes the file when it is closed, unless it is told not to.
func Bind(ctx context.Context, network, path string) (net.Listener, string, error) {
	if IsAbstract(path) {
		ln, err := new(net.ListenConfig).Listen(ctx, network, path)
		return ln, "", err
	}
	fail := func(err error) (net.Listener, string, error) {
		return nil, "", fmt.Errorf("listen %s %s: %w", network, path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fail(err)
	}
	unlock, err := lockPath(ctx, abs)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if err := removeStale(network, abs); err != nil {
		return fail(err)
	}
	ln, err := (&net.ListenConfig{Control: ownersAlone}).Listen(ctx, network, path)
	if err != nil {
		return nil, "", err
	}
	if err := os.Chmod(abs, mode); err != nil {
		return nil, "", errors.Join(err, ln.Close())
	}
	info, err := os.Lstat(abs)
	if err != nil {
		return nil, "", errors.Join(err, ln.Close())
	}
	return ln, Identity(info), nil
}

// ownersAlone gives a socket the mode that its file gets on Linux, so that the file is never open to others, not for a moment.
func ownersAlone(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), mode) })
}

// removeStale removes a socket file that nobody serves. Whatever it is not sure about stays.
func removeStale(network, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("there is a file that is not a socket: %w", syscall.EADDRINUSE)
	}
	conn, err := net.DialTimeout(network, path, probeTimeout)
	if err == nil {
		_ = conn.Close() // was only a question
		return fmt.Errorf("a living process serves it: %w", syscall.EADDRINUSE)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("there is a socket, and whether it is served cannot be told (%w): %w", err, syscall.EADDRINUSE)
	}
	return os.Remove(path)
}

// Remove removes the file of a socket, if it is still the one with that identity. What goes wrong leaves a stale file,
// which the next one to bind replaces.
func Remove(path, id string) {
	unlock, err := lockPath(context.Background(), path)
	if err != nil {
		return
	}
	defer unlock()
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 && Identity(info) == id {
		_ = os.Remove(path) // see above
	}
}

// lockPath makes this process the only one to bind or remove the socket file at path: else two that start at a time
// could both find a stale file, and the second remove the socket of the first.
func lockPath(ctx context.Context, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	name := path + ".binding"
	for {
		f, err := tryLock(name)
		if err != nil {
			return nil, err
		}
		if f != nil {
			return func() {
				_ = os.Remove(name) // whoever waits for it notices
				_ = f.Close()       // gives the lock up
			}, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is locked by another process: %w", name, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}

// tryLock returns the locked file, or nil when another process holds it.
func tryLock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != 0) {
		err = errors.New("it is something else than a lock")
	}
	if err == nil {
		err = flock(f)
	}
	if err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if there, err := os.Lstat(name); err != nil || !os.SameFile(info, there) {
		_ = f.Close() // its former holder removed it
		return nil, nil
	}
	return f, nil
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Identity names a file in the file system.
func Identity(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return filepath.Base(info.Name())
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
