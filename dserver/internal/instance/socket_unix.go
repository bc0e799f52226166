//go:build !windows

package instance

import (
	"errors"
	"io/fs"
	"syscall"
)

func isSocket(info fs.FileInfo) bool { return info.Mode()&fs.ModeSocket != 0 }

func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
