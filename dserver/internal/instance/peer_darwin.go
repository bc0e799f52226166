package instance

import "golang.org/x/sys/unix"

func peerUID(fd uintptr) (uid int, known bool, err error) {
	cred, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, false, err
	}
	return int(cred.Uid), true, nil
}
