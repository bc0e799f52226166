package proclog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxRead bounds what one read of a log returns, and so what it holds in memory.
const maxRead = 1 << 20

// backupTime is how the library writes the time of a rotation, in UTC, into the name of the rotated file.
const backupTime = "2006-01-02T15-04-05.000"

// ReadLog is described at Logger.
func (f *file) ReadLog(offset, length int64) (string, error) {
	if length < 0 {
		return "", errors.New("proclog: the length is negative")
	}
	in, size, err := f.open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	if offset < 0 {
		offset = max(size+offset, 0)
	}
	if rest := max(size-offset, 0); length == 0 || length > rest {
		length = rest
	}
	return read(in, offset, length)
}

// ReadTailLog is described at Logger.
func (f *file) ReadTailLog(offset, length int64) (string, int64, bool, error) {
	if offset < 0 || length < 0 {
		return "", 0, false, errors.New("proclog: offset or length is negative")
	}
	in, size, err := f.open()
	if err != nil {
		return "", 0, false, err
	}
	defer in.Close()
	if offset > size { // rotated since
		offset = 0
	}
	from := max(offset, size-min(length, maxRead))
	text, err := read(in, from, size-from)
	return text, from + int64(len(text)), from > offset, err
}

func (f *file) open() (*os.File, int64, error) {
	in, err := os.Open(f.name)
	if err != nil {
		return nil, 0, fmt.Errorf("proclog: %w", err)
	}
	info, err := in.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("proclog: %w", errors.Join(err, in.Close()))
	}
	return in, info.Size(), nil
}

// read may return less than length: the file may be cut meanwhile.
func read(in *os.File, offset, length int64) (string, error) {
	b, err := io.ReadAll(io.NewSectionReader(in, offset, min(length, maxRead)))
	if err != nil {
		return "", fmt.Errorf("proclog: %w", err)
	}
	return string(b), nil
}

// backups returns the names of the rotated files, oldest first: app-<time>.log beside app.log.
func (f *file) backups() []string {
	ext := filepath.Ext(f.name)
	stem := strings.TrimSuffix(filepath.Base(f.name), ext) + "-"
	entries, _ := os.ReadDir(filepath.Dir(f.name)) // sorted; none is what an unreadable directory shows
	var names []string
	for _, e := range entries {
		stamp, begins := strings.CutPrefix(e.Name(), stem)
		stamp, ends := strings.CutSuffix(stamp, ext)
		if _, err := time.Parse(backupTime, stamp); begins && ends && err == nil {
			names = append(names, filepath.Join(filepath.Dir(f.name), e.Name()))
		}
	}
	return names
}
