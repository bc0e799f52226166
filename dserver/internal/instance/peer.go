package instance

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrForeignUser says that the other end of a control connection is run by
// another user.
var ErrForeignUser = errors.New("the peer is run by another user")

// CheckPeer reports whether conn, accepted on a control socket, comes from
// this user or from the superuser. Where the system does not tell who is at
// the other end, the modes of directory and socket alone decide.
func CheckPeer(conn net.Conn) error {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("control connection over %T: %w", conn, ErrForeignUser)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return fmt.Errorf("control connection: %w", err)
	}
	var uid int
	var known bool
	var uidErr error
	if err := raw.Control(func(fd uintptr) { uid, known, uidErr = peerUID(fd) }); err != nil {
		return fmt.Errorf("control connection: %w", err)
	}
	return judgePeer(uid, known, uidErr, os.Geteuid())
}

func judgePeer(uid int, known bool, err error, self int) error {
	switch {
	case err != nil:
		return fmt.Errorf("control connection: peer: %w", err)
	case !known || uid == self || uid == 0:
		return nil
	}
	return fmt.Errorf("uid %d: %w", uid, ErrForeignUser)
}
