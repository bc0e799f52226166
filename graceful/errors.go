package graceful

import (
	"errors"
	"fmt"
	"strings"
)

// Why a process does not reload. The process goes on as before.
var (
	// ErrReloading says that another reload goes on; that one decides.
	ErrReloading = errors.New("graceful: a reload is in progress already")
	// ErrNotReady says that the process has not called Ready yet, so it cannot be replaced.
	ErrNotReady = errors.New("graceful: this process is not ready yet")
	// ErrHandedOver says that a successor has taken over: it is the one to ask.
	ErrHandedOver = errors.New("graceful: a new process has taken over")
	// ErrStopped says that the process is stopping.
	ErrStopped = errors.New("graceful: this process is stopping")
	// ErrInit says that the process is number 1 of its container: when it leaves, everything ends, so it cannot be
	// replaced by another. Run the program under a small init, or in the multi-process model.
	ErrInit = errors.New("graceful: process 1 cannot be replaced: the container would end with it")
	// ErrUnsupported says that the operating system cannot hand sockets to another process in the way needed here.
	ErrUnsupported = errors.New("graceful: reload is not supported on this operating system")
)

// Why a new process did not take over; each is wrapped in a StartError.
var (
	// ErrExited says that the new process ended before it was ready.
	ErrExited = errors.New("it ended before it was ready")
	// ErrTimeout says that the new process was not ready within ReadyTimeout.
	ErrTimeout = errors.New("it was not ready in time")
)

// RefusedError says that the new process gave up by itself, with Fail.
type RefusedError struct {
	Reason string // its own words, at most 4 KiB
}

// Error gives the reason.
func (e *RefusedError) Error() string { return "it refused: " + e.Reason }

// StartError says that a new process did not get as far as to take over. It has ended, and the process that started it
// serves as before.
type StartError struct {
	PID    int    // the new process, 0 if it could not be started at all
	State  string // how it ended, such as "exit status 1" or "signal: killed"; empty if it was not started
	Output string // the beginning and the end of what it wrote to its standard error, at most 8 KiB
	Err    error  // ErrExited, ErrTimeout, ErrStopped, a *RefusedError, the error of a context, or of the system
}

// Error says what happened, in lines: the reason first, then the last words of the process.
func (e *StartError) Error() string {
	var b strings.Builder
	b.WriteString("graceful: the new process ")
	if e.PID == 0 {
		fmt.Fprintf(&b, "could not be started: %v", e.Err)
	} else {
		fmt.Fprintf(&b, "%d did not take over: %v", e.PID, e.Err)
	}
	if e.State != "" {
		fmt.Fprintf(&b, " (%s)", e.State)
	}
	if out := strings.TrimSpace(e.Output); out != "" {
		fmt.Fprintf(&b, "; its last words:\n%s", out)
	}
	return b.String()
}

// Unwrap returns the reason.
func (e *StartError) Unwrap() error { return e.Err }
