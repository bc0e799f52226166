// Package polltest waits in tests for what happens by itself. Whoever waits says for what, and a wait that fails says it
// together with what every goroutine does instead. Only tests import this package.
//
// # Concurrency
//
// Tests that run in parallel may wait at once. A wait that fails ends its test by t.Fatalf, so it belongs on the goroutine of
// that test.
package polltest

import (
	"runtime"
	"testing"
	"time"
)

// Patience is how long something may take that takes no time unless it hangs: long, because tests share the machine with
// others.
const Patience = time.Minute

const (
	firstPause = time.Millisecond
	lastPause  = 5 * time.Millisecond // some conditions read files or ask a server
	dumpLimit  = 256 << 10            // bytes
)

// Until polls until ok holds, and fails the test if it does not within Patience.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline, pause := time.Now().Add(Patience), firstPause; !ok(); pause = min(2*pause, lastPause) {
		if time.Now().After(deadline) {
			never(t, what)
		}
		time.Sleep(pause)
	}
}

// Receive returns what c delivers, the zero value if c closes, and fails the test if it does neither within Patience.
func Receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	select {
	case v = <-c:
	case <-timeout.C:
		never(t, what)
	}
	return v
}

func never(t testing.TB, what string) {
	t.Helper()
	dump := make([]byte, dumpLimit)
	dump = dump[:runtime.Stack(dump, true)]
	t.Fatalf("never happened: %s\n\n%s", what, dump)
}
