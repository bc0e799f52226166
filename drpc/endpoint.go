package drpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/status"
)

// ErrListenClosed is what ListenAndServe returns when the endpoint was closed.
var ErrListenClosed = errors.New("listener is closed")

// endpoint is the one implementation of Endpoint.
type endpoint struct {
	cfg     EndpointConfig
	router  *Router
	plugins *PluginContainer
	hub     *hub
	workers *workers
	guard   readerGuard
	tls     atomic.Pointer[func() *tls.Config]
	number  uint64 // in the registry of live endpoints
	meters  meters

	serves atomic.Bool // has accepted a connection

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc

	counters  counters
	observers observers
	load      load  // of all sessions
	crowd     tally // connections above MaxSessions

	mu        sync.Mutex
	isClosing bool
	accepted  int // sessions that count against MaxSessions, and what is to become one
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{} // also those that are not up yet or not any more
	running   int                   // goroutines that read, accept or dial
	drained   chan struct{}         // closed when running drops to zero after Close began
	drain     *departure            // set when Drain begins
	closed    chan struct{}         // closed when Close is done
	closeErr  error
	retired   traffic // of sessions that are over
}

var _ Endpoint = (*endpoint)(nil)

// NewEndpoint makes an endpoint. A bad configuration, a nil or repeated plugin and a failing hook end the process with
// a message; New returns them as an error.
func NewEndpoint(cfg EndpointConfig, globalLeftPlugin ...Plugin) Endpoint {
	e, err := New(cfg, globalLeftPlugin...)
	must(err)
	return e
}

// New makes an endpoint, ready to dial, and to listen once ListenAndServe is called. plugins run in the order given.
// It returns what is wrong with the configuration or a plugin, or the error of a hook.
func New(cfg EndpointConfig, plugins ...Plugin) (Endpoint, error) {
	e := &endpoint{
		plugins:   newPluginContainer(),
		hub:       newHub(),
		workers:   newWorkers(),
		listeners: make(map[net.Listener]struct{}),
		sessions:  make(map[*session]struct{}),
		drained:   make(chan struct{}),
		closed:    make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.plugins.AppendLeft(plugins...)
	if err := e.plugins.firstError(); err != nil {
		return nil, err
	}
	if err := runRare(e.plugins.hooks(), hookBeforeNewEndpoint, func(p BeforeNewEndpointPlugin) error {
		return p.BeforeNewEndpoint(&cfg, e.plugins)
	}); err != nil {
		return nil, err
	}
	if err := e.plugins.firstError(); err != nil {
		return nil, err
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	e.cfg = cfg
	e.router = newRouter(e.plugins)
	live.enter(e)
	if err := runRare(e.plugins.hooks(), hookAfterNewEndpoint, func(p AfterNewEndpointPlugin) error {
		return p.AfterNewEndpoint(e)
	}); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// enter counts a goroutine of the endpoint, unless it is closing.
func (e *endpoint) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosing {
		return false
	}
	e.running++
	return true
}

// enterAccepted is enter for an accepted connection, which counts as a session from then on, until leaveAccepted.
func (e *endpoint) enterAccepted() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.isClosing:
		return ErrListenClosed
	case above(e.accepted+1, e.cfg.MaxSessions):
		return errTooManySessions
	}
	e.running++
	e.accepted++
	return nil
}

// leaveAccepted takes back enterAccepted for a connection that did not become a session.
func (e *endpoint) leaveAccepted() {
	e.mu.Lock()
	e.acceptedLeft()
	e.mu.Unlock()
	e.leave()
}

// spawn runs f on another goroutine that is counted, unless the endpoint is closing.
func (e *endpoint) spawn(f func()) bool {
	if !e.enter() {
		return false
	}
	go func() {
		defer e.leave()
		f()
	}()
	return true
}

func (e *endpoint) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running--
	if e.isClosing && e.running == 0 {
		close(e.drained)
	}
}

func (e *endpoint) closing() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.isClosing
}

// remember enters a session that Close must close. It returns false when closing has begun.
func (e *endpoint) remember(s *session) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isClosing {
		return false
	}
	e.sessions[s] = struct{}{}
	return true
}

func (e *endpoint) forget(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.sessions[s]; known && s.accepted {
		e.acceptedLeft()
	}
	delete(e.sessions, s)
	e.retire(s)
}

// acceptedLeft counts an accepted session that has ended. The caller holds the lock.
func (e *endpoint) acceptedLeft() {
	if e.accepted--; e.accepted == 0 {
		e.drain.sessionsLeft()
	}
}

// evict closes a session whose id was taken over, without making the newcomer wait for what still runs on it.
func (e *endpoint) evict(old *session) {
	logInfof("session %s is closed: a newer one took its id", old.ID())
	go func() {
		if err := old.close(true); err != nil {
			logDebugf("closing a session whose id was taken over: %v (session %s)", err, old.ID())
		}
	}()
}

// CountSession is the number of sessions that are up.
func (e *endpoint) CountSession() int { return e.hub.len() }

// GetSession returns the session with this id.
func (e *endpoint) GetSession(sessionID string) (Session, bool) {
	if s := e.hub.get(sessionID); s != nil {
		return s, true
	}
	return nil, false
}

// RangeSession calls fn for each session.
func (e *endpoint) RangeSession(fn func(sess Session) bool) {
	for _, s := range e.hub.all() {
		if !fn(s) {
			return
		}
	}
}

// PluginContainer returns the plugins of the endpoint.
func (e *endpoint) PluginContainer() *PluginContainer { return e.plugins }

// Router returns the root of the routes.
func (e *endpoint) Router() *Router { return e.router }

// SubRoute returns a group of routes.
func (e *endpoint) SubRoute(pathPrefix string, plugin ...Plugin) *SubRouter {
	return e.router.SubRoute(pathPrefix, plugin...)
}

// RouteCall registers a controller for calls.
func (e *endpoint) RouteCall(ctrlStruct any, plugin ...Plugin) []string {
	return e.router.RouteCall(ctrlStruct, plugin...)
}

// RouteCallFunc registers a function for calls.
func (e *endpoint) RouteCallFunc(callHandleFunc any, plugin ...Plugin) string {
	return e.router.RouteCallFunc(callHandleFunc, plugin...)
}

// RoutePush registers a controller for pushes.
func (e *endpoint) RoutePush(ctrlStruct any, plugin ...Plugin) []string {
	return e.router.RoutePush(ctrlStruct, plugin...)
}

// RoutePushFunc registers a function for pushes.
func (e *endpoint) RoutePushFunc(pushHandleFunc any, plugin ...Plugin) string {
	return e.router.RoutePushFunc(pushHandleFunc, plugin...)
}

// SetUnknownCall sets the handler of calls that no other handler has.
func (e *endpoint) SetUnknownCall(fn func(UnknownCallCtx) (any, *status.Status), plugin ...Plugin) {
	e.router.SetUnknownCall(fn, plugin...)
}

// SetUnknownPush sets the handler of pushes that no other handler has.
func (e *endpoint) SetUnknownPush(fn func(UnknownPushCtx) *status.Status, plugin ...Plugin) {
	e.router.SetUnknownPush(fn, plugin...)
}
