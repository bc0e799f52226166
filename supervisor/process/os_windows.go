package process

import (
	"errors"
	"os"
	"syscall"
)

const maxSignal = 15

var windowsSignals = map[string]sigNum{
	"SIGHUP": syscall.SIGHUP, "SIGINT": syscall.SIGINT, "SIGQUIT": syscall.SIGQUIT, "SIGKILL": syscall.SIGKILL,
	"SIGTERM": syscall.SIGTERM,
}

func signalNumber(name string) sigNum { return windowsSignals[name] }

// ownGroup keeps Ctrl-C of our console from the program.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func asUser(*syscall.SysProcAttr, ProcOptions) ([]string, error) { return nil, errors.ErrUnsupported }

func signalProcess(p *os.Process, _ sigNum) error { return p.Kill() }

func signalGroup(int, sigNum) error { return errors.ErrUnsupported }

func groupAlive(int) bool { return false }

const canExtra = false
