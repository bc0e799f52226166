package drpc

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

func TestCallsAboveTheLimitAreRefusedAndNotExecuted(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{MaxRequests: 2})
	release, started := make(chan struct{}), make(chan struct{}, 10)
	HandleCall(srv, "/wait", func(CallCtx, *int) (int, *Status) {
		started <- struct{}{}
		<-release
		return 1, nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if stat := sess.Call("/wait", 0, nil).Status(); stat != nil {
				t.Errorf("a call within the limit: %v", stat)
			}
		})
	}
	polltest.Receive(t, "first call", started)
	polltest.Receive(t, "second call", started)
	wantStatus(t, sess.Call("/wait", 0, nil).Status(), CodeBusy, errBusy.Error())
	close(release)
	wg.Wait()
	polltest.Until(t, "room again", func() bool { return sess.Call("/wait", 0, nil).Status() == nil })
}

func TestPeerThatCallsAndNeverReadsCostsNoGoroutineForEachCall(t *testing.T) {
	const limit, calls = 100, 50_000
	srv := newPeer(t, EndpointConfig{MaxRequests: limit, OutboxSize: 64 << 10, WriteTimeout: 2 * time.Second})
	HandleCall(srv, "/echo", func(_ CallCtx, text *string) (string, *Status) { return *text, nil })
	p := rawDial(t, serve(t, srv))
	most, before := 0, runtime.NumGoroutine()
	body := `"a text that fills the way back as soon as the way there"`
	for seq := range int32(calls) {
		if seq%100 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
		if !p.send(message.TypeCall, seq+1, "/echo", codec.JsonId, body) {
			break // the server has cut it off, which alone ends the waiting for room
		}
	}
	if most > limit+maxIdleWorkers+50 { // each call would make it 50,000
		t.Errorf("%d goroutines more than before", most)
	}
	polltest.Until(t, "the session ends", func() bool { return srv.CountSession() == 0 })
}
