package drpc

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// recovered logs a panic with its stack and returns it as an error. where says what panicked.
func recovered(where string, r any) error {
	logErrorf("%s panicked: %v\n%s", where, r, debug.Stack())
	return fmt.Errorf("%s panicked: %v", where, r)
}

// userCode are the functions through which every handler and every hook is called.
var userCode = []string{
	"github.com/osgochina/dmicro/drpc.(*workers).work",
	"github.com/osgochina/dmicro/drpc.(*link).runInline",
	"github.com/osgochina/dmicro/drpc.runBound[",
	"github.com/osgochina/dmicro/drpc.runRare[",
}

// connectionCode are the functions that read and replace connections, behind those that hand the work of a session over
// to somebody else. Only the hooks that these run keep a session from coming back.
var connectionCode = []string{
	"github.com/osgochina/dmicro/drpc.(*workers).work",
	"github.com/osgochina/dmicro/drpc.(*link).runInline",
	"github.com/osgochina/dmicro/drpc.(*session).live",
	"github.com/osgochina/dmicro/drpc.(*session).redial",
	"github.com/osgochina/dmicro/drpc.(*session).handOver",
}

// FromHandler reports whether the calling goroutine runs a handler or a hook of an endpoint. What waits for an endpoint
// or a session to close must not be waited for there: a handler would wait for itself, and two handlers that close each
// other's session for one another. Close and Drain of this package heed that; FromHandler is for what is built around
// them. It looks at the stack, which costs some microseconds. It may be called concurrently.
func FromHandler() bool { return innermost(userCode) >= 0 }

// calledByConnection reports whether this goroutine is the one that reads or replaces a connection.
func calledByConnection() bool { return innermost(connectionCode) > 1 }

// innermost returns which of the functions named is the innermost one that called, -1 for none.
func innermost(names []string) int {
	pcs := make([]uintptr, 64)
	for skip := 3; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		if n == 0 {
			return -1
		}
		frames := runtime.CallersFrames(pcs[:n])
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			for i, name := range names {
				if strings.HasPrefix(f.Function, name) {
					return i
				}
			}
		}
	}
}
