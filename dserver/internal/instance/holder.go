package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrNotRunning says that nobody holds the pid file.
var ErrNotRunning = errors.New("not running")

// Holder is the process that holds a pid file.
type Holder struct {
	PID  int
	path string
	file *os.File
	proc *os.Process
}

// findTries bounds how often a pid file is looked at that passes from one process to the next in this very moment.
const findTries = 10

// FindHolder returns the process that holds the pid file at path, or
// ErrNotRunning. Close it after use.
func FindHolder(path string) (*Holder, error) {
	for range findTries {
		h, err := findHolder(path)
		if !errors.Is(err, errMoved) {
			return h, err
		}
	}
	return nil, ErrNotRunning
}

// findHolder is one look. The error is errMoved if another process has taken the file over meanwhile.
func findHolder(path string) (_ *Holder, err error) {
	f, err := openPidFile(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	h := &Holder{path: path, file: f}
	defer func() {
		if err != nil && !isFileAt(f, path) {
			err = errMoved // what was looked at is the file of a process that has left
		}
		if err != nil {
			h.Close()
		}
	}()
	if err := checkPidFile(f, path); err != nil {
		return nil, err
	}
	if h.PID, err = heldBy(f, path); err != nil {
		return nil, err
	}
	if h.proc, err = os.FindProcess(h.PID); err != nil {
		return nil, ErrNotRunning
	}
	// The process handle was taken by number. That the lock is held with the
	// same number afterwards shows that the number did not change hands.
	again, err := heldBy(f, path)
	if err == nil && again != h.PID {
		err = errMoved
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// heldBy returns the number in f if somebody holds its lock. A holder that has
// just taken the lock is given a moment to write its number.
func heldBy(f *os.File, path string) (int, error) {
	deadline := time.Now().Add(lockPatience)
	for {
		gone, err := lockIsFree(f)
		if err != nil {
			return 0, fmt.Errorf("pid file %s: %w", path, err)
		}
		if gone {
			return 0, ErrNotRunning
		}
		pid, err := readPid(f)
		if err == nil && pid > 0 {
			return pid, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("pid file %s is %w: it is locked but holds no pid", path, ErrUnsafe)
		}
		time.Sleep(lockPoll)
	}
}

// Signal sends sig to the holder.
func (h *Holder) Signal(sig os.Signal) error { return h.proc.Signal(sig) }

// Successor returns the process that has taken the pid file over from the holder, 0 if none has. It is known even when the
// holder has ended since.
func (h *Holder) Successor() int {
	pid, err := readPid(h.file)
	if err != nil || pid == h.PID {
		return 0
	}
	return pid
}

// Gone reports whether the holder has ended or given the pid file up.
func (h *Holder) Gone() (bool, error) { return lockIsFree(h.file) }

// Close frees what the Holder uses; the process it names is left alone.
func (h *Holder) Close() error {
	if h.proc != nil {
		_ = h.proc.Release()
	}
	return h.file.Close()
}

func lockIsFree(f *os.File) (bool, error) {
	err := lockFile(f, false)
	if errors.Is(err, errLocked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, unlockFile(f)
}
