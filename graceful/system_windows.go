package graceful

import (
	"os"
	"syscall"
)

var (
	stopSignals   = []os.Signal{os.Interrupt}
	reloadSignals []os.Signal
)

// realSystem cannot hand sockets over: nothing is inherited, and a reload is refused.
func realSystem() system {
	return system{
		pid:       os.Getpid,
		parent:    os.Getppid,
		lookupEnv: os.LookupEnv,
		unsetEnv:  os.Unsetenv,
		setEnv:    os.Setenv,
		environ:   os.Environ,
		identify:  func(int) (string, error) { return "", ErrUnsupported },
		socketAt:  func(int) (string, string, error) { return "", "", ErrUnsupported },
		adopt:     func(int, string) *os.File { return nil },
		setStderr: func(*os.File) error { return ErrUnsupported },
		start:     func(command) (child, error) { return nil, ErrUnsupported },
		terminate: func(int) error { return ErrUnsupported },
		exit:      os.Exit,
		complain:  complain,
	}
}

func fileIdentity(*os.File) (string, error) { return "", ErrUnsupported }

func dupFile(syscall.Conn, string) (*os.File, error) { return nil, ErrUnsupported }

func looseDescriptor(syscall.Conn) (int, error) { return 0, ErrUnsupported }

func isReadable(uintptr) bool { return false }
