package eventbus_test

import (
	"slices"
	"testing"

	"github.com/osgochina/dmicro/eventbus"
)

// Programs written for DMicro 1.x compile against these names with these types. Each line below fails to compile when
// a name is gone or its signature has changed.

type params = map[interface{}]interface{}

// Constants: array sizes demand constants, and the values are part of the contract.
var (
	_ [1]int                     = [len(eventbus.Wildcard)]int{}
	_ [300 - -300]struct{}       = [eventbus.Max - eventbus.Min]struct{}{}
	_ [200 - -200]struct{}       = [eventbus.High - eventbus.Low]struct{}{}
	_ [100 - -100]struct{}       = [eventbus.AboveNormal - eventbus.BelowNormal]struct{}{}
	_ [eventbus.Normal]struct{}  = [0]struct{}{}
	_ [eventbus.High]struct{}    = [200]struct{}{}
	_ [eventbus.Max + 0]struct{} = [300]struct{}{}
)

// Functions.
var (
	_ func(eventbus.IListener, ...int) error                                = eventbus.Subscribe
	_ func(eventbus.IListener)                                              = eventbus.UnSubscribe
	_ func(string, eventbus.BaseListener, ...int) error                     = eventbus.Listen
	_ func(string, eventbus.BaseListener)                                   = eventbus.UnListen
	_ func(string)                                                          = eventbus.RemoveListenersByName
	_ func(eventbus.IListener)                                              = eventbus.RemoveListeners
	_ func(string) bool                                                     = eventbus.HasListeners
	_ func() map[string]*eventbus.ListenerQueue                             = eventbus.Listeners
	_ func(string) *eventbus.ListenerQueue                                  = eventbus.ListenersByName
	_ func(string) int                                                      = eventbus.ListenersCount
	_ func() []string                                                       = eventbus.ListenedNames
	_ func(eventbus.IEvent) error                                           = eventbus.AddEvent
	_ func(string) (eventbus.IEvent, bool)                                  = eventbus.GetEvent
	_ func(string) bool                                                     = eventbus.HasEvent
	_ func(string)                                                          = eventbus.RemoveEvent
	_ func()                                                                = eventbus.RemoveEvents
	_ func(string, params) (eventbus.IEvent, error)                         = eventbus.Fire
	_ func(eventbus.IEvent) error                                           = eventbus.Publish
	_ func(...interface{}) []error                                          = eventbus.PublishBatch
	_ func(eventbus.IEvent)                                                 = eventbus.AsyncPublish
	_ func(string, params) *eventbus.Event                                  = eventbus.NewEvent
	_ func(eventbus.BaseListener, int) *eventbus.ListenerItem               = eventbus.NewListenerItem
	_ func(string) *eventbus.EventBus                                       = eventbus.New
	_ eventbus.BaseListener                                                 = eventbus.ListenerFunc(nil)
	_ func(eventbus.ListenerFunc, eventbus.IEvent) error                    = eventbus.ListenerFunc.Process
	_                                                                       = eventbus.ListenerItem{Priority: 1, Listener: eventbus.BaseListener(nil)}
	_ func(*eventbus.ListenerQueue) int                                     = (*eventbus.ListenerQueue).Len
	_ func(*eventbus.ListenerQueue) bool                                    = (*eventbus.ListenerQueue).IsEmpty
	_ func(*eventbus.ListenerQueue, *eventbus.ListenerItem)                 = (*eventbus.ListenerQueue).Add
	_ func(*eventbus.ListenerQueue) []*eventbus.ListenerItem                = (*eventbus.ListenerQueue).Items
	_ func(*eventbus.ListenerQueue, eventbus.BaseListener)                  = (*eventbus.ListenerQueue).Remove
	_ func(*eventbus.ListenerQueue)                                         = (*eventbus.ListenerQueue).Clear
	_ func(*eventbus.Event, interface{}) interface{}                        = (*eventbus.Event).Get
	_ func(*eventbus.Event, interface{}, interface{})                       = (*eventbus.Event).Set
	_ func(*eventbus.Event) string                                          = (*eventbus.Event).Name
	_ func(*eventbus.Event, string)                                         = (*eventbus.Event).SetName
	_ func(*eventbus.Event) params                                          = (*eventbus.Event).Data
	_ func(*eventbus.Event, params) eventbus.IEvent                         = (*eventbus.Event).SetData
	_ func(*eventbus.Event, bool)                                           = (*eventbus.Event).Abort
	_ func(*eventbus.Event) bool                                            = (*eventbus.Event).IsAborted
	_ func(*eventbus.Event, *eventbus.EventBus) error                       = (*eventbus.Event).AttachTo
	_ func(*eventbus.EventBus, eventbus.IListener, ...int) error            = (*eventbus.EventBus).Subscribe
	_ func(*eventbus.EventBus, eventbus.IListener)                          = (*eventbus.EventBus).UnSubscribe
	_ func(*eventbus.EventBus, string, eventbus.BaseListener)               = (*eventbus.EventBus).UnListen
	_ func(*eventbus.EventBus, string)                                      = (*eventbus.EventBus).RemoveListenersByName
	_ func(*eventbus.EventBus, eventbus.BaseListener)                       = (*eventbus.EventBus).RemoveListeners
	_ func(*eventbus.EventBus, string) bool                                 = (*eventbus.EventBus).HasListeners
	_ func(*eventbus.EventBus) map[string]*eventbus.ListenerQueue           = (*eventbus.EventBus).Listeners
	_ func(*eventbus.EventBus, string) *eventbus.ListenerQueue              = (*eventbus.EventBus).ListenersByName
	_ func(*eventbus.EventBus, string) int                                  = (*eventbus.EventBus).ListenersCount
	_ func(*eventbus.EventBus) []string                                     = (*eventbus.EventBus).ListenedNames
	_ func(*eventbus.EventBus, eventbus.IEvent) error                       = (*eventbus.EventBus).AddEvent
	_ func(*eventbus.EventBus, string) (eventbus.IEvent, bool)              = (*eventbus.EventBus).GetEvent
	_ func(*eventbus.EventBus, string) bool                                 = (*eventbus.EventBus).HasEvent
	_ func(*eventbus.EventBus, string)                                      = (*eventbus.EventBus).RemoveEvent
	_ func(*eventbus.EventBus)                                              = (*eventbus.EventBus).RemoveEvents
	_ func(*eventbus.EventBus, string, params) (eventbus.IEvent, error)     = (*eventbus.EventBus).Fire
	_ func(*eventbus.EventBus, eventbus.IEvent) error                       = (*eventbus.EventBus).Publish
	_ func(*eventbus.EventBus, ...interface{}) []error                      = (*eventbus.EventBus).PublishBatch
	_ func(*eventbus.EventBus, eventbus.IEvent)                             = (*eventbus.EventBus).AsyncPublish
	_ func(*eventbus.EventBus)                                              = (*eventbus.EventBus).Clear
	_ func(*eventbus.EventBus)                                              = (*eventbus.EventBus).Reset
	_ func(*eventbus.EventBus, string, eventbus.BaseListener, ...int) error = (*eventbus.EventBus).Listen
)

// Interfaces: exactly these methods, seen from both sides.
var (
	_ eventbus.IEvent = interface {
		Name() string
		Get(interface{}) interface{}
		Set(interface{}, interface{})
		Data() map[interface{}]interface{}
		SetData(map[interface{}]interface{}) eventbus.IEvent
		Abort(bool)
		IsAborted() bool
	}(nil)
	_ interface {
		Name() string
		Get(interface{}) interface{}
		Set(interface{}, interface{})
		Data() map[interface{}]interface{}
		SetData(map[interface{}]interface{}) eventbus.IEvent
		Abort(bool)
		IsAborted() bool
	} = eventbus.IEvent(nil)
	_ eventbus.BaseListener = interface {
		Process(eventbus.IEvent) error
	}(nil)
	_ eventbus.IListener = interface {
		Listen() []interface{}
		Process(eventbus.IEvent) error
	}(nil)
	_ interface {
		Listen() []interface{}
		Process(eventbus.IEvent) error
	} = eventbus.IListener(nil)
)

// orderPaid is an event as programs define them: it embeds Event and adds fields.
type orderPaid struct {
	eventbus.Event
	number int
}

// notes is a listener as programs define them.
type notes struct{ seen []string }

func (n *notes) Listen() []interface{} { return []interface{}{"contract.plain", new(orderPaidName)} }

func (n *notes) Process(e eventbus.IEvent) error {
	text := e.Name()
	if paid, ok := e.(*orderPaid); ok {
		text += "!"
		if paid.number != 7 {
			text += "?"
		}
	}
	n.seen = append(n.seen, text)
	return nil
}

type orderPaidName struct{ eventbus.Event }

func (*orderPaidName) Name() string { return "contract.paid" }

// TestProgramOfTheContract uses the default bus the way programs do; nothing else in the tests touches these names.
func TestProgramOfTheContract(t *testing.T) {
	n := new(notes)
	if err := eventbus.Subscribe(n, eventbus.High); err != nil {
		t.Fatal(err)
	}
	defer eventbus.UnSubscribe(n)
	first := eventbus.ListenerFunc(func(e eventbus.IEvent) error {
		e.Set("first", true)
		return nil
	})
	if err := eventbus.Listen("contract.plain", first, eventbus.Max); err != nil {
		t.Fatal(err)
	}
	defer eventbus.UnListen("contract.plain", first)

	paid := &orderPaid{number: 7}
	paid.SetName("contract.paid")
	if err := eventbus.AddEvent(paid); err != nil {
		t.Fatal(err)
	}
	defer eventbus.RemoveEvent("contract.paid")

	e, err := eventbus.Fire("contract.plain", params{"k": "v"})
	if err != nil || e.Get("k") != "v" || e.Get("first") != true {
		t.Errorf("Fire = %v, %v; want an event with what was given and what a listener stored", e, err)
	}
	if e, err := eventbus.Fire("contract.paid", nil); err != nil || e != eventbus.IEvent(paid) {
		t.Errorf("Fire = %v, %v; want the registered event", e, err)
	}
	if errs := eventbus.PublishBatch("contract.plain", paid, "contract.nobody"); errs != nil {
		t.Errorf("PublishBatch = %v", errs)
	}
	want := []string{"contract.plain", "contract.paid!", "contract.plain", "contract.paid!"}
	if !slices.Equal(n.seen, want) {
		t.Errorf("the listener saw %v, want %v", n.seen, want)
	}
	if !eventbus.HasListeners("contract.paid") || eventbus.ListenersCount("contract.plain") != 2 ||
		eventbus.ListenersByName("contract.plain").Len() != 2 || eventbus.Listeners()["contract.paid"].Len() != 1 ||
		!slices.Contains(eventbus.ListenedNames(), "contract.paid") || !eventbus.HasEvent("contract.paid") {
		t.Error("the default bus does not know what was registered on it")
	}
	if got, ok := eventbus.GetEvent("contract.paid"); !ok || got != eventbus.IEvent(paid) {
		t.Errorf("GetEvent = %v, %v", got, ok)
	}
	if err := eventbus.Publish(eventbus.NewEvent("contract.nobody", nil)); err != nil {
		t.Errorf("Publish without a listener = %v", err)
	}
	eventbus.RemoveListeners(n)
	eventbus.RemoveListenersByName("contract.plain")
	eventbus.RemoveEvents()
	if eventbus.HasListeners("contract.plain") || eventbus.HasListeners("contract.paid") || eventbus.HasEvent("contract.paid") {
		t.Error("what was removed is still there")
	}
	eventbus.AsyncPublish(eventbus.NewEvent("contract.plain", nil))
	if err := eventbus.Default().Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
