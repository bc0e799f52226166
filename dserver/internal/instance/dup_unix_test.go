//go:build !windows

package instance

import (
	"os"
	"syscall"
	"testing"
)

// dup is what a successor inherits of an open file.
func dup(t *testing.T, f *os.File) *os.File {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) { fd, dupErr = syscall.Dup(int(old)) }); err != nil || dupErr != nil {
		t.Fatal(err, dupErr)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), f.Name())
}
