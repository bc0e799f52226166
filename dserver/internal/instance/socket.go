package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// maxSocketPath is what the smallest supported sockaddr_un holds.
const maxSocketPath = 103

// probeTimeout bounds the question whether a socket found in place is served.
const probeTimeout = 500 * time.Millisecond

// ErrSocketInUse says that a living process serves the socket.
var ErrSocketInUse = errors.New("socket is served by a living process")

// Listen listens on a unix socket at path, mode 0600. The directory must be
// private (see Prepare), so that nobody can connect before the mode is set.
// A socket left behind by a dead process is replaced; one that is served gives
// ErrSocketInUse; anything that is not a socket is left alone. Closing the
// listener removes the file.
func Listen(path string) (net.Listener, error) {
	if err := CheckSocket(path); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	lis, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), lis.Close())
	}
	return lis, nil
}

// CheckSocket refuses a path that is too long for a socket, and one where something else than a socket stands.
func CheckSocket(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("socket path %s is longer than %d bytes; set %s to a shorter directory", path, maxSocketPath, EnvDir)
	}
	info, err := os.Lstat(path)
	if err == nil && !isSocket(info) {
		return fmt.Errorf("control socket %s is %w: there is a file that is not a socket; move it away", path, ErrUnsafe)
	}
	return nil
}

func removeStale(path string) error {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	conn, err := net.DialTimeout("unix", path, probeTimeout)
	if err == nil {
		conn.Close()
		return fmt.Errorf("control socket %s: %w", path, ErrSocketInUse)
	}
	if !refused(err) {
		return fmt.Errorf("control socket %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}
