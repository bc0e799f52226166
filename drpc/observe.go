package drpc

import (
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ObservedKind says what an [Observation] is of.
type ObservedKind uint8

// The kinds of observations.
const (
	// ObservedCall is a call of the peer that was answered, or could not be.
	ObservedCall ObservedKind = iota
	// ObservedPush is a push of the peer whose handler has returned, or that was dropped.
	ObservedPush
	// ObservedOwnCall is a call to the peer that is done.
	ObservedOwnCall
	// ObservedOwnPush is a push to the peer that was written, or could not be.
	ObservedOwnPush
)

// Observation is one message that is over.
type Observation struct {
	// Kind says whose message it was, and whether it was a call or a push.
	Kind ObservedKind
	// Handler is what a message of the peer was routed to; nil where nothing was found, where it was refused before, and
	// for messages to the peer.
	Handler *Handler
	// ServiceMethod is that of a message to the peer, empty for those of the peer.
	ServiceMethod string
	// Status is the outcome, nil for success: what a reply carries, what the caller gets. It must not be changed.
	Status *Status
	// Cost is the time from the arrival of a message of the peer until its reply is about to be sent, and that from the
	// beginning until the end of everything else.
	Cost time.Duration
}

// Observer is told of every message that is over. It cannot change what happens, and where there is none it costs
// nothing; that is what it has ahead of a plugin, and that it sees outcomes which no hook does: calls that ran into
// their deadline or lost their connection.
type Observer interface {
	// Observe is called from many goroutines at once, among them those that read connections. It must return at once. A
	// panic is logged and ends there.
	Observe(o Observation)
}

// observers is who observes an endpoint. The list never changes once published; nil is nobody.
type observers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*observer]
}

// observer is one registration: the same Observer may be registered twice.
type observer struct{ Observer }

// Observe makes o see every message from now on, until stop is called.
func (e *endpoint) Observe(o Observer) (stop func()) {
	entry := &observer{o}
	e.observers.change(func(list []*observer) []*observer { return append(list, entry) })
	return func() {
		e.observers.change(func(list []*observer) []*observer {
			return slices.DeleteFunc(list, func(other *observer) bool { return other == entry })
		})
	}
}

// Report tells the observers of e of a message that is over without ever having had a session, as when no node of a
// service could be dialled. It is for whoever chooses sessions on behalf of others, such as package client: sessions tell
// of their own messages. It may be called concurrently.
func Report(e BaseEndpoint, what Observation) {
	if ep, ok := e.(*endpoint); ok {
		ep.observers.tell(what)
	}
}

func (o *observers) change(fn func([]*observer) []*observer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []*observer
	if old := o.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = fn(list); len(list) == 0 {
		o.list.Store(nil)
		return
	}
	o.list.Store(&list)
}

// watched reports whether anybody observes.
func (o *observers) watched() bool { return o.list.Load() != nil }

func (o *observers) tell(what Observation) {
	if what.Status.OK() {
		what.Status = nil
	}
	if list := o.list.Load(); list != nil {
		for _, entry := range *list {
			entry.tell(what)
		}
	}
}

func (o *observer) tell(what Observation) {
	defer func() {
		if r := recover(); r != nil {
			logErrorf("observer %T panicked: %v\n%s", o.Observer, r, debug.Stack())
		}
	}()
	o.Observe(what)
}

// observe tells of a request, once.
func (c *handlerCtx) observe() {
	o := &c.sess.ep.observers
	if c.observed || c.meter == nil && !o.watched() {
		return
	}
	c.observed = true
	what := Observation{Kind: ObservedPush, Handler: c.handler, Status: c.stat, Cost: c.start.Since()}
	if c.kind.answered {
		what.Kind = ObservedCall
		if c.stat == nil { // the handler may have put one into the reply
			what.Status = c.output.Status()
		}
	}
	if c.meter != nil {
		c.meter.note(what)
	}
	o.tell(what)
}

// observe tells of a call that is done.
func (c *callCmd) observe() {
	if o := &c.sess.ep.observers; o.watched() {
		o.tell(Observation{Kind: ObservedOwnCall, ServiceMethod: c.output.ServiceMethod(), Status: c.stat, Cost: c.cost})
	}
}

// observePush tells of a push to the peer.
func (c *handlerCtx) observePush(stat *Status) {
	if o := &c.sess.ep.observers; o.watched() {
		o.tell(Observation{
			Kind: ObservedOwnPush, ServiceMethod: c.output.ServiceMethod(), Status: stat, Cost: c.start.Since(),
		})
	}
}
