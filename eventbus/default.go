package eventbus

// std is the bus of the functions below. Which bus that is never changes.
var std = New("default")

// Default returns the bus that the functions of the package work on.
func Default() *EventBus { return std }

// Subscribe is [EventBus.Subscribe] of the default bus.
func Subscribe(listener IListener, priority ...int) (err error) {
	return std.Subscribe(listener, priority...)
}

// UnSubscribe is [EventBus.UnSubscribe] of the default bus.
func UnSubscribe(listener IListener) { std.UnSubscribe(listener) }

// Listen is [EventBus.Listen] of the default bus.
func Listen(name string, listener BaseListener, priority ...int) (err error) {
	return std.Listen(name, listener, priority...)
}

// UnListen is [EventBus.UnListen] of the default bus.
func UnListen(name string, listener BaseListener) { std.UnListen(name, listener) }

// RemoveListenersByName is [EventBus.RemoveListenersByName] of the default bus.
func RemoveListenersByName(name string) { std.RemoveListenersByName(name) }

// RemoveListeners is [EventBus.RemoveListeners] of the default bus.
func RemoveListeners(listener IListener) { std.RemoveListeners(listener) }

// HasListeners is [EventBus.HasListeners] of the default bus.
func HasListeners(name string) bool { return std.HasListeners(name) }

// Listeners is [EventBus.Listeners] of the default bus.
func Listeners() map[string]*ListenerQueue { return std.Listeners() }

// ListenersByName is [EventBus.ListenersByName] of the default bus.
func ListenersByName(name string) *ListenerQueue { return std.ListenersByName(name) }

// ListenersCount is [EventBus.ListenersCount] of the default bus.
func ListenersCount(name string) int { return std.ListenersCount(name) }

// ListenedNames is [EventBus.ListenedNames] of the default bus.
func ListenedNames() []string { return std.ListenedNames() }

// AddEvent is [EventBus.AddEvent] of the default bus.
func AddEvent(e IEvent) error { return std.AddEvent(e) }

// GetEvent is [EventBus.GetEvent] of the default bus.
func GetEvent(name string) (IEvent, bool) { return std.GetEvent(name) }

// HasEvent is [EventBus.HasEvent] of the default bus.
func HasEvent(name string) bool { return std.HasEvent(name) }

// RemoveEvent is [EventBus.RemoveEvent] of the default bus.
func RemoveEvent(name string) { std.RemoveEvent(name) }

// RemoveEvents is [EventBus.RemoveEvents] of the default bus.
func RemoveEvents() { std.RemoveEvents() }

// Fire is [EventBus.Fire] of the default bus.
func Fire(name string, params map[interface{}]interface{}) (e IEvent, err error) {
	return std.Fire(name, params)
}

// Publish is [EventBus.Publish] of the default bus.
func Publish(e IEvent) error { return std.Publish(e) }

// PublishBatch is [EventBus.PublishBatch] of the default bus.
func PublishBatch(es ...interface{}) (ers []error) { return std.PublishBatch(es...) }

// AsyncPublish is [EventBus.AsyncPublish] of the default bus.
func AsyncPublish(e IEvent) { std.AsyncPublish(e) }
