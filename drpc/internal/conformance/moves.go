package conformance

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/proto"
)

// Servers starts servers one after the other at one address, and a client. next starts the next server, once the one
// before has stopped listening; the first was started already. All of it ends with the test.
type Servers func(t testing.TB, register func(drpc.Endpoint), pf proto.ProtoFunc) (first drpc.Endpoint, next func() drpc.Endpoint, sess drpc.Session)

// Moves checks that a session moves from a server that drains to the next one, and that its callers do not notice.
func Moves(t *testing.T, servers Servers, pf proto.ProtoFunc) {
	var generation atomic.Int32
	register := func(e drpc.Endpoint) {
		mine := generation.Add(1)
		drpc.HandleCall(e.Router(), "/generation", func(drpc.CallCtx, *int32) (int32, *drpc.Status) { return mine, nil })
	}
	first, next, sess := servers(t, register, pf)
	ask := func() (got int32) {
		if stat := sess.Call("/generation", 0, &got).Status(); stat != nil {
			t.Fatalf("a call: %v", stat)
		}
		return got
	}
	if got := ask(); got != 1 {
		t.Fatalf("the first server says that it is number %d", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- first.Drain(ctx) }()
	next()
	for ask() != 2 {
		select {
		case <-ctx.Done():
			t.Fatal("the session does not move")
		case <-time.After(time.Millisecond):
		}
	}
	if err := <-drained; err != nil || first.CountSession() != 0 {
		t.Errorf("%v, %d sessions are left", err, first.CountSession())
	}
	if got := ask(); got != 2 {
		t.Errorf("after the move the server is number %d", got)
	}
}
