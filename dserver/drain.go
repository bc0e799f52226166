package dserver

import (
	"context"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
)

const (
	// shutdownShare is the part of a limit that is left to the Shutdown of sandboxes when draining takes all that it gets.
	shutdownShare = 10
	maxShutdown   = time.Second
	// goodbyeTime is how long a server that stops for good waits for peers to find another one.
	goodbyeTime = time.Second
	// registerTime lies between a hand-over and the drain. Connections that were accepted in the last moment become sessions
	// in it, which are then asked to move, instead of being closed before anything was heard of them.
	registerTime = 300 * time.Millisecond
)

// drain makes the endpoints that serve others leave: their peers are told, and what is asked meanwhile is answered. With a
// successor they have somewhere to go and get the time for it; otherwise only what is under way is waited for. The
// endpoints by which this process calls others stay, because handlers may need them to the end.
func (s *DServer) drain(ctx context.Context, succeeded bool) {
	endpoints := s.serving()
	if len(endpoints) == 0 {
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(maxShutdown, time.Until(deadline)/shutdownShare)))
		defer cancel()
	}
	if succeeded {
		pause(ctx, registerTime)
	}
	hurry := s.hurry
	if !succeeded {
		hurry = closedChan
	}
	var wg sync.WaitGroup
	for _, e := range endpoints {
		wg.Go(func() { drainOne(ctx, e, hurry) })
	}
	wg.Wait()
}

// closedChan is for those who are always in a hurry.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// drainOne drains an endpoint. A while after hurry is closed it does not wait for peers any more.
func drainOne(ctx context.Context, e drpc.Endpoint, hurry <-chan struct{}) {
	done := make(chan struct{})
	var hasty sync.WaitGroup
	hasty.Go(func() {
		select {
		case <-hurry:
		case <-done:
			return
		}
		t := time.NewTimer(goodbyeTime)
		defer t.Stop()
		select {
		case <-t.C:
			_ = e.Close() // Drain has its error
		case <-done:
		}
	})
	if err := e.Drain(ctx); err != nil {
		logger.Warningf(context.Background(), "leaving: %v", err)
	}
	close(done)
	hasty.Wait()
}

// serving are the application's endpoints that serve others.
func (s *DServer) serving() (list []drpc.Endpoint) {
	for _, e := range drpc.Endpoints() {
		if drpc.Serves(e) && (s.ctl == nil || e != s.ctl.endpoint) {
			list = append(list, e)
		}
	}
	return list
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
