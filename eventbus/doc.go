// Package eventbus lets the parts of a process tell each other what happened without knowing each other: one
// publishes an event under a name, others listen to that name.
//
//	eventbus.Listen("order.paid", eventbus.ListenerFunc(func(e eventbus.IEvent) error {
//		return send(e.Get("receipt"))
//	}))
//	_, err := eventbus.Fire("order.paid", map[interface{}]interface{}{"receipt": r})
//
// The functions of the package work on the bus that [Default] returns, the methods of [EventBus] on one of your own.
// [On] and [Emit] are the same with types.
//
// # Names
//
// A name begins with an ASCII letter, followed by letters, digits and any of "_-.*"; blanks around it do not count. Beside
// the exact name of an event one may listen to
//
//	app.*   all names with one more part: app.start and app.stop, neither app nor app.db.open
//	*       every name
//
// A star elsewhere in a name has no meaning.
//
// # Order
//
// Publishing runs the listeners of the exact name first, then those of the group, then those of "*"; among each of
// these the higher priority first, and equal ones in the order they were registered. The first listener that returns
// an error ends that, and so does [IEvent].Abort(true), which is no error. With [Config].ContinueOnError only Abort
// does, and the errors are joined. A listener that panics counts as one that returned a [PanicError].
//
// # Synchronous and asynchronous
//
// Fire, Publish and Emit run the listeners on the goroutine of the caller and return when all have run. AsyncPublish and
// Enqueue put the event into a queue, from which up to [Config].Workers goroutines take it. They exist only while there are
// events. The queue is bounded: AsyncPublish never waits, and drops its event when the queue is full; Enqueue waits for
// room. What becomes of asynchronous events that fail or are dropped is told to [Config].OnError, which by default writes to
// the log.
//
// # Concurrency
//
// Everything may be used by any number of goroutines at once, from listeners too, except that a map belongs to whoever
// uses it: see [Event.Data]. Publishing takes no lock of the bus. A publishing that is under way keeps the listeners it
// began with, so a listener may still be called once by it after it was removed.
package eventbus
