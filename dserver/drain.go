package dserver

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	// deafTime is the same for peers that this process does not hear any more: they know where to go, and what they asked
	// last may have got lost, so that they should not wait long for an answer.
	deafTime = 400 * time.Millisecond
	// registerTime lies between a hand-over and the drain. Connections that were accepted in the last moment become sessions
	// in it, which are then asked to move, instead of being closed before anything was heard of them.
	registerTime = 300 * time.Millisecond
)

// drain makes the endpoints that serve others leave: their peers are told, and what is asked meanwhile is answered. With a
// successor they have somewhere to go and get the time for it; otherwise only what is under way is waited for. The
// endpoints by which this process calls others stay, because handlers may need them to the end. It reports whether calls
// were cut off.
func (s *DServer) drain(ctx context.Context, succeeded bool) (cut bool) {
	endpoints := s.serving()
	if len(endpoints) == 0 {
		return false
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(maxShutdown, time.Until(deadline)/shutdownShare)))
		defer cancel()
	}
	hurry := s.hurry
	if !succeeded {
		hurry = inHurry()
	}
	var wg sync.WaitGroup
	var cuts atomic.Int64
	for _, e := range endpoints {
		d := departure{endpoint: e, hurry: hurry, goodbye: goodbyeTime}
		switch {
		case overUDP(e): // what the peers send goes to the successor already
			d.hurry, d.goodbye = inHurry(), deafTime
		case succeeded:
			d.register = registerTime
		}
		wg.Go(func() {
			if d.drain(ctx) {
				cuts.Add(1)
			}
		})
	}
	wg.Wait()
	return cuts.Load() > 0
}

// inHurry is for those who are in a hurry from the beginning.
func inHurry() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// overUDP reports whether an endpoint listens on a UDP socket, which has one reader.
func overUDP(e drpc.Endpoint) bool {
	return slices.ContainsFunc(e.Addrs(), func(a net.Addr) bool { return strings.HasPrefix(a.Network(), "udp") })
}

// departure is how one endpoint leaves.
type departure struct {
	endpoint drpc.Endpoint
	register time.Duration   // before anything else
	hurry    <-chan struct{} // closed when peers are not waited for any longer
	goodbye  time.Duration   // that they get then
}

func (d *departure) drain(ctx context.Context) (cut bool) {
	pause(ctx.Done(), d.register)
	done := make(chan struct{})
	var hasty sync.WaitGroup
	hasty.Go(func() {
		select {
		case <-d.hurry:
		case <-done:
			return
		}
		if pause(done, d.goodbye) {
			_ = d.endpoint.Close() // Drain has its error
		}
	})
	err := d.endpoint.Drain(ctx)
	close(done)
	hasty.Wait()
	if err != nil {
		logger.Warningf(context.Background(), "leaving: %v", err)
	}
	var e *drpc.DrainError
	return errors.As(err, &e) && e.Calls > 0
}

// serving are the application's endpoints that serve others.
func (s *DServer) serving() (list []drpc.Endpoint) {
	for _, e := range drpc.Endpoints() {
		if drpc.Serves(e) && (s.ctl == nil || e != s.ctl.endpoint) && !s.pages.owns(e) {
			list = append(list, e)
		}
	}
	return list
}

// pause waits, and reports whether the time has passed before stop was closed.
func pause(stop <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}
