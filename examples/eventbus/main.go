// Command eventbus shows the five forms of the event bus.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/eventbus"
	"github.com/osgochina/dmicro/examples/internal/demo"
)

// mailer is a listener with a method.
type mailer struct{}

func (mailer) Process(e eventbus.IEvent) error {
	fmt.Println("mail: order", e.Get("number"))
	return nil
}

// audit is a subscriber: it says itself what it wants to hear.
type audit struct{}

func (audit) Listen() []any { return []any{"order.*"} }

func (audit) Process(e eventbus.IEvent) error {
	fmt.Println("audit:", e.Name())
	return nil
}

// Cancelled is an event with a type of its own.
type Cancelled struct {
	eventbus.Event
	Reason string
}

func main() {
	bus := eventbus.New("shop")

	// 1. A function, before others by its priority.
	demo.Check(bus.Listen("order.paid", eventbus.ListenerFunc(func(e eventbus.IEvent) error {
		if e.Get("number") == 0 {
			return errors.New("an order without number")
		}
		return nil
	}), eventbus.High))
	// 2. A listener.
	demo.Check(bus.Listen("order.paid", mailer{}))
	// 3. A subscriber, to a group of names.
	demo.Check(bus.Subscribe(audit{}))
	// 4. A typed subscription.
	stop, err := eventbus.On(bus, "order.cancelled", func(c *Cancelled) error {
		fmt.Println("cancelled:", c.Reason)
		return nil
	})
	demo.Check(err)

	_, err = bus.Fire("order.paid", map[any]any{"number": 7})
	demo.Check(err)
	_, err = bus.Fire("order.paid", map[any]any{"number": 0})
	fmt.Println("refused:", err)
	cancelled := &Cancelled{Reason: "too late"}
	cancelled.SetName("order.cancelled")
	demo.Check(bus.Publish(cancelled))
	stop()

	// 5. Events that wait in a queue of bounded length for a goroutine of the bus.
	for n := range 3 {
		demo.Check(bus.Enqueue(context.Background(), eventbus.NewEvent("order.paid", map[any]any{"number": n + 8})))
	}
	demo.Check(bus.Close(context.Background())) // waits until they were handled
}

// Unordered output:
// mail: order 7
// audit: order.paid
// refused: an order without number
// audit: order.cancelled
// cancelled: too late
// mail: order 8
// audit: order.paid
// mail: order 9
// audit: order.paid
// mail: order 10
// audit: order.paid
