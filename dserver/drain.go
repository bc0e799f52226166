package dserver

import (
	"context"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
)

// shutdownShare is the part of a limit that is left to the sandboxes' Shutdown when draining takes all the time it gets.
const (
	shutdownShare = 10
	maxShutdown   = time.Second
)

// drain makes the endpoints that serve others leave: their peers are told, and what is asked meanwhile is answered. The
// endpoints by which this process calls others stay, because handlers may need them to the end.
func (s *DServer) drain(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(maxShutdown, time.Until(deadline)/shutdownShare)))
		defer cancel()
	}
	var wg sync.WaitGroup
	for _, e := range drpc.Endpoints() {
		d, ok := e.(interface {
			Drain(ctx context.Context) error
		})
		if !ok || !drpc.Serves(e) || s.ctl != nil && e == s.ctl.endpoint {
			continue
		}
		wg.Go(func() {
			if err := d.Drain(ctx); err != nil {
				logger.Warningf(context.Background(), "leaving: %v", err)
			}
		})
	}
	wg.Wait()
}
