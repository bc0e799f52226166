package instance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	lockPatience = 150 * time.Millisecond // how long a lock may look taken because somebody is only asking
	lockPoll     = 10 * time.Millisecond
)

// HeldError says that another process holds the pid file.
type HeldError struct {
	Path string // the pid file
	PID  int    // the process that holds it, 0 when it has not written its number yet
}

// Error implements error.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	return fmt.Sprintf("%s is held by process %d", e.Path, e.PID)
}

// PidFile is a pid file that this process holds. Its lock lasts until Release
// or until the process ends, whatever the way.
type PidFile struct {
	file  *os.File
	path  string
	leave bool // the file is another process's to remove
}

// Lock creates or recovers the pid file at path with mode 0600, locks it and
// writes the number of this process. The error is a *HeldError when another
// process holds it, and ErrUnsafe when the file is not ours to use: a link, a
// file of another user, or one that holds something else than a pid.
func Lock(path string) (*PidFile, error) {
	deadline := time.Now().Add(lockPatience)
	for {
		p, err := tryLock(path)
		var held *HeldError
		if err == nil || !errors.As(err, &held) && !errors.Is(err, errMoved) || time.Now().After(deadline) {
			return p, err
		}
		time.Sleep(lockPoll)
	}
}

// Adopt continues to hold a pid file that the predecessor of this process held and handed over as an open file: the
// lock belongs to the open file, so it was never free. The number in it stays the predecessor's, and the file its own to
// remove, until Claim.
func Adopt(f *os.File, path string) *PidFile { return &PidFile{file: f, path: path, leave: true} }

// Claim makes an adopted pid file name this process. The file is replaced by a new one, locked before it has the name, so
// that whoever reads or locks the path finds the old number or the new one, and never a free or an empty file. From then
// on Release removes it. The old file gets the number as well: the predecessor and those who wait for its end have that
// one open, and learn so that it has a successor. It is all that is done where no file can be made beside it.
func (p *PidFile) Claim() error {
	next, err := os.CreateTemp(filepath.Dir(p.path), "."+filepath.Base(p.path)+".*") // mode 0600
	if err != nil {
		next, err = nil, nil
	} else if err = putInPlace(next, p.path); err != nil {
		err = errors.Join(err, next.Close(), os.Remove(next.Name()))
	}
	if err == nil {
		err = overwritePid(p.file, os.Getpid())
	}
	if err != nil {
		return fmt.Errorf("pid file %s: %w", p.path, err)
	}
	if next != nil {
		_ = p.file.Close() // nothing was written
		p.file = next
	}
	p.leave = false
	return nil
}

func putInPlace(f *os.File, path string) error {
	if err := lockFile(f, true); err != nil {
		return err
	}
	if err := writePid(f, os.Getpid()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Leave makes Release keep the file: a successor has it.
func (p *PidFile) Leave() { p.leave = true }

// File is the open and locked file, for a successor.
func (p *PidFile) File() *os.File { return p.file }

// Mine reports whether the path leads to this file, and the file names this process.
func (p *PidFile) Mine() bool {
	pid, err := readPid(p.file)
	return err == nil && pid == os.Getpid() && isFileAt(p.file, p.path)
}

// Passed reports whether a successor of this process has put its number into the file.
func (p *PidFile) Passed() bool {
	pid, err := readPid(p.file)
	return err == nil && pid != 0 && pid != os.Getpid()
}

// errMoved says that the file was replaced, or its number, between two looks at it: its former holder left just then.
var errMoved = errors.New("pid file was replaced")

func tryLock(path string) (_ *PidFile, err error) {
	f, err := openPidFile(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := checkPidFile(f, path); err != nil {
		return nil, err
	}
	if err := lockFile(f, true); err != nil {
		if errors.Is(err, errLocked) {
			pid, _ := readPid(f)
			return nil, &HeldError{Path: path, PID: pid}
		}
		return nil, fmt.Errorf("pid file %s: lock: %w", path, err)
	}
	if !isFileAt(f, path) {
		return nil, errMoved
	}
	if err := writePid(f, os.Getpid()); err != nil {
		return nil, fmt.Errorf("pid file %s: %w", path, err)
	}
	return &PidFile{file: f, path: path}, nil
}

// Path returns where the file is.
func (p *PidFile) Path() string { return p.path }

// Release removes the file, if it is still ours, and closes it. The lock is free
// once no process has the file open any more. It may be called more than once.
func (p *PidFile) Release() error {
	if p.file == nil {
		return nil
	}
	var err error
	if !p.leave && isFileAt(p.file, p.path) {
		err = removeLocked(p.file, p.path)
	}
	err = errors.Join(err, p.file.Close())
	p.file = nil
	return err
}

func isFileAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}
