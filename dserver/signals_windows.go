package dserver

import (
	"os"
	"syscall"
)

func heldSignals() []os.Signal { return nil }

const brokenPipe = syscall.SIGPIPE

func reloadSignals() []os.Signal { return nil }

const reloadSignal = syscall.SIGTERM // not sent: see signalsSupported

// signalsSupported says whether a command can signal the running server: there
// is no way to ask another process gracefully here.
const signalsSupported = false
