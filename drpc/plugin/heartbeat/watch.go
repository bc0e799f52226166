package heartbeat

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
)

// errSilent is why connections are cut.
var errSilent = errors.New("the peer does not answer heartbeats")

// watch looks at the sessions of one endpoint.
type watch struct {
	ep     drpc.Endpoint
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}  // has an element when the interval has changed
	beats  sync.WaitGroup // everything that the watch has started

	mu       sync.Mutex // guards what follows
	round    uint64
	sessions map[drpc.Session]*monitor
}

// watches are the watches of a plugin, one for each endpoint that it is given to.
type watches struct {
	mu  sync.Mutex
	all map[drpc.Endpoint]*watch
}

// of returns the watch of an endpoint. The first time it begins to look, every interval, until the endpoint closes.
func (ws *watches) of(ep drpc.Endpoint, interval func() time.Duration, look func(*watch)) *watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.all[ep]
	if w == nil {
		w = newWatch(ep)
		if ws.all == nil {
			ws.all = make(map[drpc.Endpoint]*watch)
		}
		ws.all[ep] = w
		w.beats.Go(func() { w.run(interval, look) })
	}
	return w
}

func newWatch(ep drpc.Endpoint) *watch {
	w := &watch{ep: ep, wake: make(chan struct{}, 1), sessions: make(map[drpc.Session]*monitor)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// rewind makes every watch take a new interval.
func (ws *watches) rewind() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.all {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// BeforeCloseEndpoint ends the looking and gives up heartbeats under way, so that Close does not wait for them.
func (ws *watches) BeforeCloseEndpoint(ep drpc.Endpoint) error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w := ws.all[ep]; w != nil {
		w.cancel()
	}
	return nil
}

// AfterCloseEndpoint waits until nothing runs any more.
func (ws *watches) AfterCloseEndpoint(ep drpc.Endpoint, _ error) error {
	ws.mu.Lock()
	w := ws.all[ep]
	delete(ws.all, ep)
	ws.mu.Unlock()
	if w != nil {
		w.cancel()
		w.beats.Wait()
	}
	return nil
}

// run looks at every interval.
func (w *watch) run(interval func() time.Duration, look func(*watch)) {
	t := time.NewTicker(interval())
	defer t.Stop()
	for {
		select {
		case <-t.C:
			w.mu.Lock()
			w.round++
			look(w)
			w.mu.Unlock()
		case <-w.wake:
			t.Reset(interval())
		case <-w.ctx.Done():
			return
		}
	}
}

// drop gives up a session. It comes back with a new monitor, if it does.
func (w *watch) drop(sess drpc.Session) {
	delete(w.sessions, sess)
	w.beats.Go(func() { // to close a connection may take time
		if drpc.Cut(sess, errSilent) {
			logger.Warningf(context.Background(), "heartbeat: %v (session %s)", errSilent, sess.ID())
		}
	})
}
