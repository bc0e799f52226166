package drpc

import "errors"

// ErrNotExecuted is what the cause of a status matches with errors.Is when the message was certainly not executed by
// anybody. Only this side of a connection can say so by an error; what the peer says comes as CodeBusy.
var ErrNotExecuted = errors.New("the message was not executed")

// NotExecuted reports whether a status says that the message was certainly not executed by anybody, so that sending it
// again, here or elsewhere, does nothing twice: the receiver was leaving or had too much to do (CodeBusy), there was no
// connection to send it over, or it was turned away before it was sent. False says that nobody knows, or that sending
// it again would bring the same outcome, as with CodeNotFound; so it is false for success, too.
func NotExecuted(stat *Status) bool {
	if stat.OK() {
		return false
	}
	switch stat.Code() {
	case CodeBusy, CodeDialFailed:
		return true
	}
	return errors.Is(stat.Cause(), ErrNotExecuted)
}

// unexecuted is an error as the cause of a message that was not executed. Its text is that of the error.
type unexecuted struct{ error }

func (u unexecuted) Unwrap() error { return u.error }

func (unexecuted) Is(target error) bool { return target == ErrNotExecuted }

// notExecuted is a status of a message that was not sent, or not handled. Without a cause it says just that.
func notExecuted(code int32, cause error) *Status {
	if cause == nil {
		return newStatus(code, ErrNotExecuted)
	}
	return newStatus(code, unexecuted{cause})
}

// unsent is stat for a message that was not sent.
func unsent(stat *Status) *Status { return notExecuted(stat.Code(), stat.Cause()) }
