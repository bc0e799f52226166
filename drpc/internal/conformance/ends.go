package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// NoCancel is the protocols that cannot tell the peer that a call was given up, and why.
var NoCancel = map[string]string{"http": "HTTP answers every request, and has no pushes"}

// ends is what the peer learns of the time and of the end of calls.
type ends struct {
	// began and ended are the contexts of the handlers that wait.
	began   chan context.Context
	release chan bool
}

func newEnds() *ends {
	return &ends{began: make(chan context.Context, 1), release: make(chan bool)}
}

const (
	restPath = "/ends/rest"
	waitPath = "/ends/wait"
)

func (n *ends) register(e drpc.Endpoint) {
	// The time that is left, in nanoseconds; 0 is for ever.
	drpc.HandleCall(e, restPath, func(c drpc.CallCtx, _ *string) (int64, *drpc.Status) {
		if end, ok := c.Context().Deadline(); ok {
			return int64(time.Until(end)), nil
		}
		return 0, nil
	})
	drpc.HandleCall(e, waitPath, func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		ctx := c.Context()
		n.began <- ctx
		select {
		case <-ctx.Done():
		case <-n.release:
		}
		return "", nil
	})
}

// run tries both over a session of the protocol.
func (n *ends) run(t *testing.T, sess drpc.Session, protoName string) {
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for _, settings := range [][]message.MsgSetting{
			{drpc.WithContext(ctx)}, {drpc.WithContext(ctx), drpc.WithSetMeta("A", "1")}, {},
		} {
			var rest int64
			if err := outcome(sess.Call(restPath, "", &rest, settings...).Status()); err != nil {
				t.Fatal(err)
			}
			left := time.Duration(rest)
			if bounded := len(settings) > 0; bounded && (left <= 59*time.Minute || left > time.Hour) || !bounded && left != 0 {
				t.Errorf("the handler has %v left", left)
			}
		}
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		call := sess.AsyncCall(waitPath, "", nil, nil, drpc.WithContext(ctx))
		handler := polltest.Receive(t, "the handler begins", n.began)
		cancel()
		if _, stat := call.Reply(); stat.Code() != drpc.CodeHandleTimeout || !errors.Is(stat.Cause(), context.Canceled) {
			t.Errorf("the call ended with %v", stat)
		}
		if NoCancel[protoName] == "" {
			polltest.Receive(t, "the handler's context ends", handler.Done())
			if cause := context.Cause(handler); !errors.Is(cause, drpc.ErrCallCanceled) {
				t.Errorf("the handler's context ended with %v", cause)
			}
		}
		// Whatever was sent, the session is as good as before; and what was sent has come by then.
		if err := outcome(sess.Call(restPath, "", nil).Status()); err != nil {
			t.Error(err)
		}
		if NoCancel[protoName] != "" {
			if handler.Err() != nil {
				t.Errorf("it works, although %q: the table is out of date", NoCancel[protoName])
			}
			n.release <- true
		}
	})
}
