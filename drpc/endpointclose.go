package drpc

import (
	"errors"
	"net"
	"sync"
)

// Close closes the endpoint.
func (e *endpoint) Close() error {
	wait := !FromHandler()
	first, drain := e.beginClose()
	switch {
	case drain != nil:
		drain.hasten()
	case first && wait:
		e.shutdown()
		return e.closeErr
	case first:
		go e.shutdown()
		return nil
	}
	if wait {
		<-e.closed
	}
	return nil
}

// beginClose makes the caller the one who closes, unless somebody else is at it, or drains the endpoint.
func (e *endpoint) beginClose() (first bool, drain *departure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosing || e.drain != nil {
		return false, e.drain
	}
	e.refuseLocked()
	return true, nil
}

// refuseLocked lets nothing begin any more. The caller holds the lock.
func (e *endpoint) refuseLocked() {
	e.isClosing = true
	if e.running == 0 {
		close(e.drained)
	}
}

// shutdown is what Close does; its errors are joined in closeErr.
func (e *endpoint) shutdown() {
	errs := []error{e.beforeClose()}
	e.cancel()
	errs = append(errs, e.closeListeners(), e.closeSessions())
	e.finish(errs)
}

// finish waits for what is left of an endpoint whose sessions are closed.
func (e *endpoint) finish(errs []error) {
	<-e.drained
	e.workers.close()
	e.conclude(errs)
}

// conclude makes it known that the endpoint is closed.
func (e *endpoint) conclude(errs []error) {
	defer close(e.closed)
	live.leave(e.number)
	err := errors.Join(errs...)
	e.closeErr = errors.Join(err, runRare(e.plugins.hooks(), hookAfterCloseEndpoint, func(p AfterCloseEndpointPlugin) error {
		return p.AfterCloseEndpoint(e, err)
	}))
}

func (e *endpoint) beforeClose() error {
	return runRare(e.plugins.hooks(), hookBeforeCloseEndpoint, func(p BeforeCloseEndpointPlugin) error {
		return p.BeforeCloseEndpoint(e)
	})
}

func (e *endpoint) closeListeners() error {
	listeners, _ := e.held()
	var errs []error
	for _, ln := range listeners {
		errs = append(errs, ignoreClosed(ln.Close()))
	}
	return errors.Join(errs...)
}

// closeSessions closes all sessions, as Session.Close does.
func (e *endpoint) closeSessions() error {
	_, sessions := e.held()
	var wg sync.WaitGroup
	failures := make([]error, len(sessions))
	for i, s := range sessions {
		wg.Go(func() { failures[i] = s.close(true) })
	}
	wg.Wait()
	return errors.Join(failures...)
}

// held returns what has to be closed.
func (e *endpoint) held() ([]net.Listener, []*session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	listeners := make([]net.Listener, 0, len(e.listeners))
	for ln := range e.listeners {
		listeners = append(listeners, ln)
	}
	sessions := make([]*session, 0, len(e.sessions))
	for s := range e.sessions {
		sessions = append(sessions, s)
	}
	return listeners, sessions
}

// ignoreClosed leaves out what closing something says that is closed already, by this side or by the peer, whom TLS could
// not say goodbye to.
func ignoreClosed(err error) error {
	if isConnLoss(err) {
		return nil
	}
	return err
}
