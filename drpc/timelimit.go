package drpc

import (
	"context"
	"time"
)

// timeLimit is how long a request may take from its arrival on, and what to say when that is over. Without a cause there
// is none.
type timeLimit struct {
	after time.Duration
	cause error
}

// overdue is why the context of a handler ended with a deadline. It matches context.DeadlineExceeded.
type overdue string

func (o overdue) Error() string { return string(o) }

// Is makes it one of the deadlines that were exceeded.
func (o overdue) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout makes it a timeout for those who ask as package net does.
func (o overdue) Timeout() bool { return true }

// What the context of a handler ends with when time is over. Each matches context.DeadlineExceeded with errors.Is.
var (
	// ErrCallerDeadline says that the caller does not wait any longer.
	ErrCallerDeadline error = overdue("the caller does not wait any longer")
	// ErrContextAge says that the context age of the session is over.
	ErrContextAge error = overdue("the handler took longer than the context age")
	// ErrSessionAge says that the connection has reached the session age, and ends.
	ErrSessionAge error = overdue("the connection has reached the session age")
	// ErrHandleTimeout says that EndpointConfig.HandleTimeout is over.
	ErrHandleTimeout error = overdue("the handler took longer than the handle timeout")
)

// limit returns the tightest of the time limits that a request has: what its caller still waits, the context age, and what
// the endpoint allows.
func (c *handlerCtx) limit() (t timeLimit) {
	if c.kind == nil {
		return t
	}
	t.tighten(c.sess.ContextAge(), ErrContextAge)
	if c.kind.answered {
		t.tighten(c.sess.ep.cfg.HandleTimeout, ErrHandleTimeout)
		if d, ok := c.input.Timeout(); ok {
			t.tighten(d, ErrCallerDeadline)
		}
	}
	return t
}

func (t *timeLimit) tighten(d time.Duration, cause error) {
	if d > 0 && (t.cause == nil || d < t.after) {
		*t = timeLimit{d, cause}
	}
}

// outOfTime returns why the time of a request is over, nil while it is not.
func (c *handlerCtx) outOfTime() error {
	if !c.kind.answered {
		return nil
	}
	if t := c.limit(); t.cause != nil && c.start.Since() >= t.after {
		return t.cause
	}
	if c.link.cancels.givenUp(c.input.Seq()) || c.ctx != nil && context.Cause(c.ctx) == ErrCallCanceled {
		return ErrCallCanceled
	}
	return nil
}
