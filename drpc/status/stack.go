package status

import (
	"fmt"
	"io"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// maxFrames bounds a recorded stack: deep recursion must not cost megabytes.
const maxFrames = 64

// Frame is a program counter of a recorded stack. The frame of inlined code is
// its own Frame.
type Frame uintptr

// StackTrace is a recorded stack, innermost frame first, of at most 64 frames.
type StackTrace []Frame

// GetStackTrace returns the stack of its caller, leaving out skip frames: 0
// begins with the function that called GetStackTrace.
func GetStackTrace(skip int) StackTrace { return callers(1 + skip) }

// PanicStackTrace returns, called from a deferred function while the goroutine
// panics, the stack that led to the panic, beginning with the function that
// panicked. Without a panic it is the stack of the caller.
func PanicStackTrace() StackTrace {
	stack := callers(1)
	for i, f := range stack {
		if f.resolve().Function != "runtime.gopanic" {
			continue
		}
		// Between gopanic and the guilty function stand the runtime's own
		// frames for nil pointers, indexes, divisions and the like.
		rest := stack[i+1:]
		for len(rest) > 0 && strings.HasPrefix(rest[0].resolve().Function, "runtime.") {
			rest = rest[1:]
		}
		return rest
	}
	return stack
}

// TagStack records in s the stack of the caller, leaving out the number of
// frames given (default 0), and returns s. %+v prints it; it never leaves the
// process. It panics on nil.
func (s *Status) TagStack(skip ...int) *Status {
	n := 1
	if len(skip) > 0 {
		n += skip[0]
	}
	s.stack = callers(n)
	return s
}

// StackTrace returns the stack recorded in s, nil if there is none. The slice
// is shared: do not change it.
func (s *Status) StackTrace() StackTrace {
	if s == nil {
		return nil
	}
	return s.stack
}

// callers returns the stack above its own caller, leaving out skip frames.
func callers(skip int) StackTrace {
	var pcs [maxFrames]uintptr
	n := runtime.Callers(2+max(skip, 0), pcs[:])
	stack := make(StackTrace, n)
	for i, pc := range pcs[:n] {
		stack[i] = Frame(pc)
	}
	return stack
}

// resolve looks the frame up in the symbol table; unknown fields stay empty.
func (f Frame) resolve() runtime.Frame {
	frame, _ := runtime.CallersFrames([]uintptr{uintptr(f)}).Next()
	if frame.Function == "" {
		frame.Function = "unknown"
	}
	return frame
}

// Format implements [fmt.Formatter]: %s is the file name, %d the line, %n the
// function name without package, %v file:line. %+s is the full function name
// and, on an indented line of its own, the path of the file; %+v adds the line.
func (f Frame) Format(state fmt.State, verb rune) {
	frame := f.resolve()
	var text string
	switch verb {
	case 's', 'v':
		text = path.Base(frame.File)
		if state.Flag('+') {
			text = frame.Function + "\n\t" + frame.File
		}
		if verb == 'v' {
			text += ":" + strconv.Itoa(frame.Line)
		}
	case 'd':
		text = strconv.Itoa(frame.Line)
	case 'n':
		name := path.Base(frame.Function)
		text = name[strings.IndexByte(name, '.')+1:]
	default:
		text = fmt.Sprintf("%%!%c(status.Frame=%#x)", verb, uintptr(f))
	}
	// The writer belongs to fmt and keeps its own errors.
	_, _ = io.WriteString(state, text)
}

// MarshalText implements [encoding.TextMarshaler]: "function path:line".
func (f Frame) MarshalText() ([]byte, error) {
	frame := f.resolve()
	return fmt.Appendf(nil, "%s %s:%d", frame.Function, frame.File, frame.Line), nil
}

// Format implements [fmt.Formatter]: %v and %s print the frames in brackets on
// one line, %+v and %+s each frame on lines of its own, preceded by a line feed.
func (st StackTrace) Format(state fmt.State, verb rune) {
	if verb != 'v' && verb != 's' {
		_, _ = fmt.Fprintf(state, "%%!%c(status.StackTrace of %d frames)", verb, len(st))
		return
	}
	if state.Flag('+') {
		for _, f := range st {
			_, _ = io.WriteString(state, "\n")
			f.Format(state, verb)
		}
		return
	}
	_, _ = io.WriteString(state, "[")
	for i, f := range st {
		if i > 0 {
			_, _ = io.WriteString(state, " ")
		}
		f.Format(state, verb)
	}
	_, _ = io.WriteString(state, "]")
}
