// Package event is a plugin that tells an event bus what happens at an endpoint: connections that were accepted, dialled
// or not, and closed, and messages that came.
//
//	bus := eventbus.New("rpc")
//	eventbus.On(bus, event.OnCloseEvent, func(e *event.OnClose) error {
//		return forget(e.Session.ID())
//	})
//	srv := drpc.NewEndpoint(cfg, event.NewEventPlugin(bus))
//
// Listeners run where the hook runs, and the endpoint waits for them: those of OnReceive hold up the handler, those of
// OnAccept and OnConnect the session. One that has more to do copies what it needs and goes on elsewhere. Errors and
// panics of listeners are logged and change nothing. What nobody listens to costs next to nothing.
//
// Everything may be used concurrently; listeners are called from many goroutines at once.
package event
