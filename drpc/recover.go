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

// calledFromFramework reports whether this goroutine runs a handler or a hook. Closing must not wait there: a handler
// would wait for itself, and two handlers that close each other's session for one another. It looks at the stack,
// which costs some microseconds and is why only Close asks.
func calledFromFramework() bool {
	pcs := make([]uintptr, 64)
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		if n == 0 {
			return false
		}
		frames := runtime.CallersFrames(pcs[:n])
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			for _, name := range userCode {
				if strings.HasPrefix(f.Function, name) {
					return true
				}
			}
		}
	}
}
