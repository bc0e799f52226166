package netproto

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
)

const socketMode = 0o600

func isUnix(network string) bool { return strings.HasPrefix(network, "unix") }

// bindUnix binds a unix socket whose file is its owner's alone.
func bindUnix(ctx context.Context, network, path string) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return c.Control(restrict) }}
	ln, err := lc.Listen(ctx, network, path)
	if err != nil || runtime.GOOS == "windows" || isAbstract(path) {
		return ln, err
	}
	if err = os.Chmod(path, socketMode); err != nil { // where restrict does not reach the file
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// isAbstract reports whether a path names a socket of Linux that has no file.
func isAbstract(path string) bool {
	return path == "" || runtime.GOOS == "linux" && strings.HasPrefix(path, "@")
}
