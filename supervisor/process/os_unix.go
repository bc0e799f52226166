//go:build unix

package process

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSignal is the highest signal number, that of the last real-time signal on Linux.
const maxSignal = 64

func signalNumber(name string) sigNum { return unix.SignalNum(name) }

// ownGroup puts the program into a process group of its own, with its pid as number.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// signalProcess sends a signal, and CONT after it: a stopped process would not see any but KILL.
func signalProcess(p *os.Process, s sigNum) error {
	return withContinue(s, func(s sigNum) error { return p.Signal(s) })
}

// signalGroup sends a signal to all processes of a group.
func signalGroup(group int, s sigNum) error {
	return withContinue(s, func(s sigNum) error { return os.NewSyscallError("kill", unix.Kill(-group, s)) })
}

func withContinue(s sigNum, send func(sigNum) error) error {
	if err := send(s); err != nil {
		return err
	}
	switch s {
	case unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP:
		if err := send(unix.SIGCONT); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	return nil
}

// groupAlive tells whether a group whose leader has been reaped has other members. Those that we have adopted are reaped
// first: dead they would count until somebody does.
func groupAlive(group int) bool {
	for {
		if n, err := unix.Wait4(-group, nil, unix.WNOHANG, nil); n <= 0 && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return !errors.Is(unix.Kill(-group, 0), unix.ESRCH)
}

// canExtra tells whether descriptors can be inherited.
const canExtra = true
