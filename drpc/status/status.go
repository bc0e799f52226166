package status

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	// OK is the code of success.
	OK int32 = 0

	// UnknownError is the code of a failure that nobody classified.
	UnknownError int32 = -1
)

// Status is the outcome of an operation: a code, a message and a cause. Nil and
// code [OK] both mean success. The package comment says what may be done to one
// concurrently.
type Status struct {
	code  int32
	msg   string
	cause error
	stack StackTrace
}

// New returns a status with the code and message given.
//
// Only the first cause counts, and none (or nil) leaves the status without one.
// An error is kept as it is; a string becomes an error with that text, also
// when it is empty; of another *Status its cause is taken; anything else
// becomes an error with the text that package fmt gives it.
func New(code int32, msg string, cause ...any) *Status {
	s := &Status{code: code, msg: msg}
	if len(cause) > 0 {
		s.cause = toError(cause[0])
	}
	return s
}

// NewWithStack is [New] that also records the stack of its caller.
func NewWithStack(code int32, msg string, cause ...any) *Status {
	s := New(code, msg, cause...)
	s.stack = callers(1)
	return s
}

// SetCode changes the code of s itself and returns s. A nil s stays nil.
func (s *Status) SetCode(code int32) *Status {
	if s != nil {
		s.code = code
	}
	return s
}

// SetMsg changes the message of s itself and returns s. A nil s stays nil.
func (s *Status) SetMsg(msg string) *Status {
	if s != nil {
		s.msg = msg
	}
	return s
}

// SetCases changes the cause of s itself and returns s; nil removes the cause.
// It takes what [New] takes. A nil s stays nil.
//
// The name is an old misspelling of "set cause" that programs rely on.
func (s *Status) SetCases(cause any) *Status {
	if s != nil {
		s.cause = toError(cause)
	}
	return s
}

// Code returns the code, [OK] for nil.
func (s *Status) Code() int32 {
	if s == nil {
		return OK
	}
	return s.code
}

// Msg returns the message or, when that is empty, the text of the cause. It is
// empty for nil.
func (s *Status) Msg() string {
	if s == nil {
		return ""
	}
	if s.msg == "" {
		return errorText(s.cause)
	}
	return s.msg
}

// Cause returns the cause. A failure without one yields an error whose text is
// the message, so that a failed status always has a cause; nil, and a success
// without a cause, yield nil.
func (s *Status) Cause() error {
	switch {
	case s == nil:
		return nil
	case s.cause == nil && s.code != OK:
		return errors.New(s.msg)
	default:
		return s.cause
	}
}

// OK reports whether s means success: nil, or code [OK].
func (s *Status) OK() bool { return s == nil || s.code == OK }

// UnknownError reports whether the code is [UnknownError].
func (s *Status) UnknownError() bool { return s.Code() == UnknownError }

// Clear makes s a success without message, cause and stack. It panics on nil.
func (s *Status) Clear() { *s = Status{} }

// Copy returns a new status with the code and message of s and the cause given,
// which may be all that [New] takes; a nil newCause keeps the cause of s. It is
// the way to derive from a status that is shared.
//
// The stack of s is not taken over. With newStackSkip the copy records the
// stack of the caller, leaving out that many frames. The copy of nil is nil.
func (s *Status) Copy(newCause any, newStackSkip ...int) *Status {
	if s == nil {
		return nil
	}
	c := &Status{code: s.code, msg: s.msg, cause: s.cause}
	if newCause != nil {
		c.cause = toError(newCause)
	}
	if len(newStackSkip) > 0 {
		c.stack = callers(1 + newStackSkip[0])
	}
	return c
}

// String returns the JSON text of s (see [Status.AppendJSON]), "<nil>" for nil.
func (s *Status) String() string {
	if s == nil {
		return "<nil>"
	}
	if s.code == OK {
		return OKJSON
	}
	return string(s.AppendJSON(nil))
}

// Format implements [fmt.Formatter]: %v and %s print [Status.String], %q quotes
// it, and %+v adds the stack if one was recorded.
func (s *Status) Format(state fmt.State, verb rune) {
	switch verb {
	case 'v', 's':
		// The writer belongs to fmt and keeps its own errors.
		_, _ = io.WriteString(state, s.String())
		if verb == 'v' && state.Flag('+') {
			s.StackTrace().Format(state, 'v')
		}
	case 'q':
		_, _ = io.WriteString(state, strconv.Quote(s.String()))
	default:
		_, _ = fmt.Fprintf(state, "%%!%c(*status.Status=%s)", verb, s.String())
	}
}

// toError turns what callers pass as a cause into an error, nil into nil.
func toError(cause any) error {
	switch c := cause.(type) {
	case nil:
		return nil
	case error:
		return c
	case string:
		return errors.New(c)
	case *Status:
		return c.Cause()
	case Status:
		return c.Cause()
	default:
		return errors.New(fmt.Sprint(c))
	}
}

// errorText is err.Error(), "" for nil. Causes come from applications and are
// printed on the paths that serve a whole connection: an Error method that
// panics, say on a typed nil pointer, must cost its text and not the process.
func errorText(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("(Error method of %T panicked)", err)
		}
	}()
	return err.Error()
}
