package instance

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/windows"
)

// isSocket cannot rely on ModeSocket: a socket file shows as an irregular one,
// or, in older releases, as an empty file.
func isSocket(info fs.FileInfo) bool {
	return info.Mode()&(fs.ModeSocket|fs.ModeIrregular) != 0 || info.Size() == 0
}

func refused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
