//go:build !windows

package dserver

import (
	"os"
	"syscall"
)

// heldSignals would end the process if nobody took them. They are kept for the
// server: operators know them from other servers, and a wrong one must not cost
// the service. Nor must a log that goes to a pipe which nobody reads any more.
func heldSignals() []os.Signal { return []os.Signal{syscall.SIGUSR1, brokenPipe} }

// brokenPipe tells that a pipe has no reader.
const brokenPipe = syscall.SIGPIPE

// reloadSignals ask for a reload.
func reloadSignals() []os.Signal { return []os.Signal{syscall.SIGUSR2} }

// reloadSignal is what a command sends to a server that it cannot talk to.
const reloadSignal = syscall.SIGUSR2

// signalsSupported says whether a command can signal the running server.
const signalsSupported = true
