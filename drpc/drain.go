package drpc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

const (
	// goawayGrace is how old a session is before it is asked to move: hooks that talk to the peer when a connection is
	// new, and expect nothing but its answers, are done by then.
	goawayGrace = 200 * time.Millisecond
	// spreadEach is how much time each peer adds to that over which they spread their dialling.
	spreadEach = time.Millisecond
	// maxQuietWindow is how long before the end of a drain those peers are closed that have not moved, each in a moment
	// when nothing is under way.
	maxQuietWindow = time.Second
	// quietMoment is how long nothing may have been asked for in such a moment.
	quietMoment = 10 * time.Millisecond
)

// DrainError says what Drain has cut off because its context ended.
type DrainError struct {
	// Calls is how many calls and pushes were under way, either way; those served here may have been executed without
	// their callers knowing.
	Calls int
	// Sessions is how many sessions these belonged to.
	Sessions int
	// Cause is why the context ended.
	Cause error
}

// Error says how much was cut off, and why.
func (e *DrainError) Error() string {
	return fmt.Sprintf("drain: %d calls of %d sessions were cut off: %v", e.Calls, e.Sessions, e.Cause)
}

// Unwrap returns the cause.
func (e *DrainError) Unwrap() error { return e.Cause }

// departure is a Drain under way.
type departure struct {
	once  sync.Once
	hurry chan struct{} // closed by Close: wait for no peer any longer
	left  chan struct{} // gets a token when the last accepted session has ended
}

func (d *departure) hasten() { d.once.Do(func() { close(d.hurry) }) }

// sessionsLeft tells the drain, if there is one, that no accepted session is there any more.
func (d *departure) sessionsLeft() {
	if d == nil {
		return
	}
	select {
	case d.left <- struct{}{}:
	default:
	}
}

// Drain leaves gracefully.
func (e *endpoint) Drain(ctx context.Context) error {
	wait := !FromHandler()
	d := e.beginDrain()
	switch {
	case d != nil && wait:
		return e.runDrain(ctx, d)
	case d != nil:
		go func() {
			if err := e.runDrain(ctx, d); err != nil {
				logWarnf("%v", err)
			}
		}()
	case wait:
		select {
		case <-e.closed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// beginDrain makes the caller the one who drains, unless the endpoint is being drained or closed already.
func (e *endpoint) beginDrain() *departure {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosing || e.drain != nil {
		return nil
	}
	e.drain = &departure{hurry: make(chan struct{}), left: make(chan struct{}, 1)}
	return e.drain
}

// leaving reports whether the endpoint takes no new peers any more.
func (e *endpoint) leaving() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.isClosing || e.drain != nil
}

func (e *endpoint) runDrain(ctx context.Context, d *departure) error {
	// First nobody gets in any more, and only then the peers hear of it, or some would come back here.
	errs := []error{e.beforeClose(), e.closeListeners()}
	e.sayGoaway(ctx)
	if !e.awaitPeers(ctx, d) {
		e.closeInQuiet(ctx, d)
	}
	e.mu.Lock()
	e.refuseLocked()
	e.mu.Unlock()
	e.cancel()
	ended := make(chan error, 1)
	go func() {
		err := e.closeSessions()
		<-e.drained
		e.workers.close()
		ended <- err
	}()
	select {
	case err := <-ended:
		errs = append(errs, err)
	case <-ctx.Done():
		errs = append(errs, e.cut(ctx)) // handlers that run on although their context has ended are not waited for
	}
	e.conclude(errs)
	return e.closeErr
}

// sayGoaway asks all peers to move.
func (e *endpoint) sayGoaway(ctx context.Context) {
	_, sessions := e.held()
	spread := spreadEach * time.Duration(len(sessions))
	if end, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(end)/4)
	}
	spread = min(spread, maxSpread/3)
	for _, s := range sessions {
		s.sayGoaway(spread)
	}
}

// sayGoaway asks the peer to move, once the session is no longer in its first moments. A connection that comes up as a
// drain begins is found by the drain and finds it, and says it once all the same.
func (s *session) sayGoaway(spread time.Duration) {
	l := s.link.Load()
	if l == nil || s.getState() != stateOk {
		return // when it comes up it is told
	}
	if l.toldToMove.Swap(true) {
		return
	}
	body := strconv.Itoa(int(spread / time.Millisecond))
	age := s.since.Since()
	s.ep.counters.goawaysSent.Add(1)
	if age >= goawayGrace {
		l.sendReserved(goawayPush, body)
		return
	}
	s.ep.spawn(func() {
		grace := time.NewTimer(goawayGrace - age)
		defer grace.Stop()
		select {
		case <-grace.C:
			l.sendReserved(goawayPush, body)
		case <-l.gone:
		}
	})
}

// awaitPeers waits until all peers that have dialled have gone. False is that the rest is to be closed; that begins
// somewhat before the end of ctx, so that there is time for it.
func (e *endpoint) awaitPeers(ctx context.Context, d *departure) bool {
	var window <-chan time.Time
	if end, ok := ctx.Deadline(); ok {
		rest := time.Until(end)
		t := time.NewTimer(rest - min(rest/10, maxQuietWindow))
		defer t.Stop()
		window = t.C
	}
	for e.peers() > 0 {
		select {
		case <-d.left:
		case <-window:
			return false
		case <-d.hurry:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// peers is the number of sessions that were accepted, and of connections that may become some.
func (e *endpoint) peers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.accepted
}

// closeInQuiet closes each accepted session that is left in a moment when nothing is under way, until ctx ends.
func (e *endpoint) closeInQuiet(ctx context.Context, d *departure) {
	_, sessions := e.held()
	var wg sync.WaitGroup
	for _, s := range sessions {
		if s.target == "" {
			wg.Go(func() { s.closeInQuiet(ctx, d) })
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	select {
	case <-done:
	case <-d.hurry:
	case <-ctx.Done(): // a close may wait for a handler that has begun in the last moment
	}
}

func (s *session) closeInQuiet(ctx context.Context, d *departure) {
	for quiet := false; !quiet; {
		l := s.link.Load()
		if l == nil {
			break // not up yet
		}
		served := l.served.Swap(false) // a call that comes sets it again
		t := time.NewTimer(quietMoment)
		select {
		case <-t.C:
		case <-s.closed:
		case <-d.hurry:
		case <-ctx.Done():
		}
		t.Stop()
		quiet = l.isGone() || !l.served.Load() && l.running.Load() == 0 && l.pending.len() == 0 || ctx.Err() != nil || d.hurried()
		if served {
			l.served.Store(true)
		}
	}
	if ctx.Err() == nil && !d.hurried() {
		if err := s.close(true); err != nil {
			logDebugf("closing a session that was left: %v (session %s)", err, s.ID())
		}
	}
}

func (d *departure) hurried() bool {
	select {
	case <-d.hurry:
		return true
	default:
		return false
	}
}

// cut ends what is left.
func (e *endpoint) cut(ctx context.Context) error {
	_, sessions := e.held()
	var calls, busy int
	for _, s := range sessions {
		n := 0
		for _, l := range s.links() {
			if !l.isGone() {
				n += int(l.running.Load()) + l.pending.len()
			}
			l.die(errDrained)
		}
		if calls += n; n > 0 {
			busy++
		}
	}
	if calls == 0 {
		return nil
	}
	err := &DrainError{Calls: calls, Sessions: busy, Cause: context.Cause(ctx)}
	logWarnf("%v", err)
	return err
}

// errDrained is why connections ended that a drain has cut off.
var errDrained = errors.New("cut off: the time to drain the endpoint is over")
