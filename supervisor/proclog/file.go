package proclog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

const (
	// unlimited, in megabytes, keeps lumberjack from rotating by itself: it would do so inside a line, and counts in
	// whole megabytes.
	unlimited = 1 << 30
	// rotatePause keeps two rotations apart. Rotated files are named by the millisecond; two in the same one would
	// replace each other.
	rotatePause = 2 * time.Millisecond
)

// file is a file that output goes to, and the only writer of it in this process.
type file struct {
	unkept // nothing is shown of pids
	name   string

	mu      sync.Mutex
	conf    Config
	out     *lumberjack.Logger
	refs    int
	size    int64
	midLine bool
	rotated time.Time
}

// fileLogger is one user's share of a file.
type fileLogger struct {
	*file
	close func() error
}

// Close gives the share back, once. The file is closed when nobody has one.
func (l fileLogger) Close() error { return l.close() }

// openFiles holds every file that is or was written, by its absolute name. A closed one is kept because the library has
// a goroutine for each logger that it makes, for ever: so there is no new one unless the number of backups has changed.
var openFiles = struct {
	sync.Mutex
	byName map[string]*file
}{byName: map[string]*file{}}

func openFile(name string, c Config) (Logger, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("proclog: %w", err)
	}
	openFiles.Lock()
	defer openFiles.Unlock()
	f := openFiles.byName[name]
	if f == nil {
		f = &file{name: name}
	}
	if err = f.acquire(c); err != nil {
		return nil, err
	}
	openFiles.byName[name] = f
	return fileLogger{file: f, close: sync.OnceValue(f.release)}, nil
}

// acquire adds a user. The first one makes sure that the file can be written, so that a wrong name is known before the
// program starts.
func (f *file) acquire(c Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs > 0 {
		f.refs++
		return nil
	}
	size, err := prepare(f.name)
	if err != nil {
		return fmt.Errorf("proclog: %w", err)
	}
	if f.out == nil || f.conf.Backups != c.Backups {
		f.out = &lumberjack.Logger{Filename: f.name, MaxSize: unlimited, MaxBackups: c.Backups}
	}
	f.conf, f.size, f.midLine, f.refs = c, size, false, 1
	return nil
}

// prepare makes the file if it is missing and returns its size. Anything but a regular file is refused before it is
// opened: to open a pipe without a reader would block.
func prepare(name string) (int64, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", name)
	}
	if err = os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	info, err = f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *file) release() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs--; f.refs > 0 {
		return nil
	}
	return f.out.Close()
}

// Write writes b, and rotates before each line that would make the file too large.
func (f *file) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refs == 0 {
		return 0, fmt.Errorf("proclog: %s: %w", f.name, os.ErrClosed)
	}
	written := 0
	for written < len(b) {
		piece := f.fitting(b[written:])
		if piece == 0 {
			if err := f.rotate(); err != nil {
				return written, err
			}
			continue
		}
		n, err := f.out.Write(b[written : written+piece])
		written += n
		f.size += int64(n)
		if err != nil {
			return written, fmt.Errorf("proclog: %w", err)
		}
		f.midLine = b[written-1] != '\n'
	}
	return written, nil
}

// fitting returns how much of b goes into the current file: as many whole lines as fit, at least one if the file is
// empty, and the rest of a line that was begun. 0 means that the file is full.
func (f *file) fitting(b []byte) int {
	if f.conf.MaxBytes <= 0 {
		return len(b)
	}
	room, fits := f.conf.MaxBytes-f.size, 0
	grows := f.midLine || f.size == 0
	for fits < len(b) {
		line := len(b) - fits
		if i := bytes.IndexByte(b[fits:], '\n'); i >= 0 {
			line = i + 1
		}
		if int64(fits+line) > room && (fits > 0 || !grows) {
			break
		}
		fits += line
	}
	return fits
}

// rotate begins a new file. When that fails the old one goes on, and may grow by as much as one holds before the next try.
func (f *file) rotate() error {
	f.size, f.midLine = 0, false
	if f.conf.Backups <= 0 {
		return f.empty()
	}
	time.Sleep(rotatePause - time.Since(f.rotated)) // mostly it has long been over
	err := f.out.Rotate()
	f.rotated = time.Now() // behind it: the old file is named after a moment amid it
	if err != nil {
		return fmt.Errorf("proclog: %w", err)
	}
	return nil
}

// empty cuts the current file to nothing. The library opens it again at the next write; its offset would otherwise
// stay where it was.
func (f *file) empty() error {
	if err := errors.Join(f.out.Close(), os.Truncate(f.name, 0)); err != nil {
		return fmt.Errorf("proclog: %w", err)
	}
	f.size, f.midLine = 0, false
	return nil
}

func (f *file) ClearCurLogFile() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.empty()
}

func (f *file) ClearAllLogFile() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := []error{f.empty()}
	for _, name := range f.backups() {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // the library removes them, too
			errs = append(errs, fmt.Errorf("proclog: %w", err))
		}
	}
	return errors.Join(errs...)
}
