//go:build !windows

package instance

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// errLocked says that another open file holds the lock.
var errLocked = errors.New("locked")

func ownerSuffix() string { return "-" + strconv.Itoa(os.Geteuid()) }

func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }

func singleLink(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink <= 1
}

// openPidFile never follows a link, nor waits for the other end of a pipe that
// somebody put in its place.
func openPidFile(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errors.Join(ErrUnsafe, err)
	}
	return f, err
}

// lockFile takes an flock(2): it belongs to the open file, not to the process,
// so that a child which inherits the descriptor inherits the lock.
func lockFile(f *os.File, exclusive bool) error {
	how := syscall.LOCK_SH | syscall.LOCK_NB
	if exclusive {
		how = syscall.LOCK_EX | syscall.LOCK_NB
	}
	return flock(f, how)
}

func unlockFile(f *os.File) error { return flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if lockErr = syscall.Flock(int(fd), how); lockErr != syscall.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = lockErr
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// removeLocked removes the name while the lock is held: whoever opens the path
// next makes a file, and a lock, of its own.
func removeLocked(_ *os.File, path string) error { return os.Remove(path) }
