package instance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxPidText bounds what is read of a pid file: a decimal number and a line end.
const maxPidText = 24

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
