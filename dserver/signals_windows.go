package dserver

import "os"

func heldSignals() []os.Signal { return nil }

// signalsSupported says whether a command can signal the running server: there
// is no way to ask another process gracefully here.
const signalsSupported = false
