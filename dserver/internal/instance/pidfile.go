package instance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxPidText bounds what is read of a pid file: a decimal number and a line end.
const maxPidText = 24

const (
	lockPatience = 150 * time.Millisecond // how long a lock may look taken because somebody is only asking
	lockPoll     = 10 * time.Millisecond
)

// ErrNotRunning says that nobody holds the pid file.
var ErrNotRunning = errors.New("not running")

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

// checkPidFile refuses a file that another user could have prepared, and one
// that is evidently something else: a wrong --pid must never cost a file.
func checkPidFile(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("pid file %s is %w: it is not a regular file", path, ErrUnsafe)
	case !ownedByUs(info):
		return fmt.Errorf("pid file %s is %w: it belongs to another user; run this as that user", path, ErrUnsafe)
	case !singleLink(info):
		return fmt.Errorf("pid file %s is %w: it has more than one name", path, ErrUnsafe)
	}
	if _, err := readPid(f); err != nil {
		return fmt.Errorf("pid file %s is %w: %v; remove it if it is not needed", path, ErrUnsafe, err)
	}
	return nil
}

// readPid returns the number in f, 0 for an empty file.
func readPid(f *os.File) (int, error) {
	buf := make([]byte, maxPidText+1)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return parsePid(buf[:n])
}

// parsePid reads the text of a pid file: a positive decimal number, spaces
// around it allowed, or nothing at all (0).
func parsePid(text []byte) (int, error) {
	if len(text) > maxPidText {
		return 0, errors.New("it holds something else than a pid")
	}
	s := strings.TrimSpace(string(text))
	if s == "" {
		return 0, nil
	}
	pid, err := strconv.ParseInt(s, 10, 32)
	if err != nil || pid <= 0 || s[0] == '+' {
		return 0, errors.New("it holds something else than a pid")
	}
	return int(pid), nil
}

func writePid(f *os.File, pid int) error {
	if err := f.Chmod(0o600); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(pid)), 0)
	return err
}

// overwritePid replaces the number in f in one step: whoever reads meanwhile finds the old one or the new one. Spaces take
// the place of digits that are too many.
func overwritePid(f *os.File, pid int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%-*d", min(info.Size(), maxPidText), pid), 0)
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
