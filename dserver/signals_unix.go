//go:build !windows

package dserver

import (
	"os"
	"syscall"
)

// heldSignals would end the process if nobody took them. They are kept for the
// server: operators know them from other servers, and a wrong one must not cost
// the service.
func heldSignals() []os.Signal { return []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2} }

// signalsSupported says whether a command can signal the running server.
const signalsSupported = true
