package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// EnvDir names the environment variable that replaces the system's temporary
// directory as the place where run directories are made. It lets two copies of
// one application run side by side.
const EnvDir = "DMICRO_RUN_DIR"

// maxName bounds a server name so that the path of the socket stays short.
const maxName = 64

// ErrUnsafe says that a run directory or pid file exists but cannot be
// trusted. The error that wraps it says why and what to do.
var ErrUnsafe = errors.New("not safe to use")

// Dir returns the run directory of the application called name, without
// making it: "<base>/<name>-<uid>". An empty base means os.TempDir.
func Dir(base, name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if base == "" {
		base = os.TempDir()
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return "", fmt.Errorf("run directory: %w", err)
	}
	return filepath.Join(base, name+ownerSuffix()), nil
}

// checkName refuses names that would leave the run directory or make paths
// that no shell line can hold.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("server name %q cannot be part of a file name", name)
	case len(name) > maxName:
		return fmt.Errorf("server name is %d bytes long, the limit is %d", len(name), maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || r < ' ' || r == 0x7f }):
		return fmt.Errorf("server name %q holds a path separator or a control character", name)
	}
	return nil
}

// Prepare makes dir, with mode 0700, if it is not there, and checks it.
func Prepare(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("run directory: %w", err)
	}
	return Check(dir)
}

// Check reports whether dir is a real directory that only this user can
// enter. A missing one gives an error that is fs.ErrNotExist, one that cannot
// be trusted gives ErrUnsafe.
func Check(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("run directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("run directory %s is %w: it is not a directory; remove it or set %s", dir, ErrUnsafe, EnvDir)
	}
	if !ownedByUs(info) {
		return fmt.Errorf("run directory %s is %w: it belongs to another user; remove it or set %s", dir, ErrUnsafe, EnvDir)
	}
	if !private(info) {
		return fmt.Errorf("run directory %s is %w: mode is %#o; run chmod 0700 on it or remove it", dir, ErrUnsafe, info.Mode().Perm())
	}
	return nil
}
