package instance

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// errLocked says that another open file holds the lock.
var errLocked = errors.New("locked")

// lockOffset lies far behind the text: a lock on Windows keeps others from
// reading the bytes it covers, and the number must stay readable.
const lockOffset = 1 << 30

// ownerSuffix is empty: the temporary directory is already the user's own.
func ownerSuffix() string { return "" }

// Owner and mode are a matter of access lists here; the temporary directory of
// a user, where run directories are made, is closed to other users.
func ownedByUs(fs.FileInfo) bool  { return true }
func private(fs.FileInfo) bool    { return true }
func singleLink(fs.FileInfo) bool { return true }

func openPidFile(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag, 0o600)
}

func lockFile(f *os.File, exclusive bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockOffset})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}

func unlockFile(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{Offset: lockOffset})
}

// removeLocked empties the file: an open file cannot be removed here, and an
// empty one that nobody locks counts as "not running".
func removeLocked(f *os.File, _ string) error { return f.Truncate(0) }
