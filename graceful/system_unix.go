//go:build !windows

package graceful

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"github.com/osgochina/dmicro/internal/unixsocket"
	"golang.org/x/sys/unix"
)

var (
	stopSignals   = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT}
	reloadSignals = []os.Signal{syscall.SIGHUP, syscall.SIGUSR2}
)

func realSystem() system {
	return system{
		supported: true,
		pid:       os.Getpid,
		parent:    os.Getppid,
		lookupEnv: os.LookupEnv,
		unsetEnv:  os.Unsetenv,
		setEnv:    os.Setenv,
		environ:   os.Environ,
		identify:  identifyFD,
		socketAt:  socketAt,
		adopt:     adoptFD,
		setStderr: func(f *os.File) error { return unix.Dup2(int(f.Fd()), 2) },
		start:     startProcess,
		terminate: func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) },
		exit:      os.Exit,
		complain:  complain,
	}
}

func identifyFD(fd int) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), nil
}

func fileIdentity(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	return unixsocket.Identity(info), nil
}

// adoptFD makes an inherited descriptor a file. It is set not to block before it becomes one: only then do reads wait
// without a thread, and end with Close.
func adoptFD(fd int, name string) *os.File {
	syscall.CloseOnExec(fd)
	_ = syscall.SetNonblock(fd, true) // a descriptor that is not there fails in its first use
	return os.NewFile(uintptr(fd), name)
}

// dupFile returns another descriptor of an open file, which programs started from here do not inherit.
func dupFile(f syscall.Conn, name string) (*os.File, error) {
	fd, err := looseDescriptor(f)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// socketAt returns what is behind a descriptor, without touching it.
func socketAt(fd int) (network, address string, err error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", "", err
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return "", "", err
	}
	family := map[int]string{unix.SOCK_STREAM: "tcp", unix.SOCK_DGRAM: "udp"}[kind]
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return family, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String(), nil
	case *unix.SockaddrInet6:
		return family, netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)).String(), nil
	case *unix.SockaddrUnix:
		return "unix", sa.Name, nil
	}
	return "", "", fmt.Errorf("graceful: descriptor %d is a socket of another kind", fd)
}

// isReadable reports whether a read, or an Accept, would find something.
func isReadable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// looseDescriptor returns the number of another descriptor of an open file, which nobody closes.
func looseDescriptor(f syscall.Conn) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return 0, err
	}
	return fd, dupErr
}
