//go:build !windows

package instance

import (
	"fmt"
	"os"
	"syscall"
)

// Pin holds a shared lock on the run directory dir until the returned file is
// closed. Services that clean temporary directories by age (systemd-tmpfiles)
// pass over a directory that somebody has locked: without it the files of a
// server that runs for weeks would disappear under it.
func Pin(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	if err := lockFile(f, false); err != nil {
		f.Close()
		return nil, fmt.Errorf("run directory %s: lock: %w", dir, err)
	}
	return f, nil
}
