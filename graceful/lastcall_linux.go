package graceful

import (
	"math"

	"golang.org/x/sys/unix"
)

// noInterface is the number of a network interface that is never there.
const noInterface = math.MaxInt32

// refuseTCP binds a listening socket to an interface that does not exist: new connections do not find it any more, so that
// they are refused at once, while those that wait in it, and those whose handshake goes on, are not concerned. There is no
// way back. Older kernels (before 5.7) want a privilege for it, or do not know it.
func refuseTCP(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, noInterface)
}
