package eventbus_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/eventbus"
)

func Example() {
	bus := eventbus.New("shop")
	_ = bus.Listen("order.paid", eventbus.ListenerFunc(func(e eventbus.IEvent) error {
		fmt.Println("send order", e.Get("number"))
		e.Set("sent", true)
		return nil
	}))
	_ = bus.Listen("order.*", eventbus.ListenerFunc(func(e eventbus.IEvent) error {
		fmt.Println("log", e.Name())
		return nil
	}))

	e, err := bus.Fire("order.paid", map[interface{}]interface{}{"number": 7})
	fmt.Println(e.Get("sent"), err)
	// Output:
	// send order 7
	// log order.paid
	// true <nil>
}

// Paid is an event with fields of its own.
type Paid struct {
	eventbus.Event
	Number int
}

// Mailer hears several events.
type Mailer struct{}

// Listen says which.
func (Mailer) Listen() []interface{} { return []interface{}{"order.paid", "order.sent"} }

// Process is called with each.
func (Mailer) Process(e eventbus.IEvent) error {
	if p, ok := e.(*Paid); ok {
		fmt.Println("mail about", p.Number)
		return nil
	}
	fmt.Println("mail about", e.Name())
	return nil
}

func ExampleEventBus_Subscribe() {
	bus := eventbus.New("shop")
	_ = bus.Subscribe(Mailer{}, eventbus.High)

	paid := &Paid{Number: 7}
	paid.SetName("order.paid")
	fmt.Println(bus.Publish(paid))
	fmt.Println(bus.PublishBatch("order.sent"))
	// Output:
	// mail about 7
	// <nil>
	// mail about order.sent
	// []
}

func ExampleOn() {
	type Order struct {
		Number int
		Total  float64
	}
	bus := eventbus.New("shop")
	stop, err := eventbus.On(bus, "order.*", func(o Order) error {
		fmt.Printf("order %d: %.2f\n", o.Number, o.Total)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = eventbus.Emit(bus, "order.paid", Order{Number: 7, Total: 9.9})
	_ = eventbus.Emit(bus, "order.paid", "no order")
	stop()
	_ = eventbus.Emit(bus, "order.paid", Order{Number: 8})
	// Output: order 7: 9.90
}

func ExampleEventBus_Enqueue() {
	bus := eventbus.NewWithConfig("jobs", eventbus.Config{
		Workers:   1, // one after the other, in order
		QueueSize: 100,
		OnError:   func(e eventbus.IEvent, err error) { fmt.Println(e.Name(), "failed:", err) },
	})
	_ = bus.Listen("job.*", eventbus.ListenerFunc(func(e eventbus.IEvent) error {
		if e.Name() == "job.two" {
			return errors.New("no paper")
		}
		fmt.Println(e.Name(), "done")
		return nil
	}))

	ctx := context.Background()
	for _, name := range []string{"job.one", "job.two", "job.three"} {
		if err := bus.Enqueue(ctx, eventbus.NewEvent(name, nil)); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(bus.Close(ctx))
	// Output:
	// job.one done
	// job.two failed: no paper
	// job.three done
	// <nil>
}

func ExamplePanicError() {
	bus := eventbus.New("shop")
	_ = bus.Subscribe(broken{})

	_, err := bus.Fire("order.paid", nil)
	fmt.Println(err)
	var p *eventbus.PanicError
	fmt.Println(errors.As(err, &p), len(p.Stack) > 0)
	// Output:
	// eventbus: listener eventbus_test.broken of "order.paid" panicked: out of ink
	// true true
}

type broken struct{}

func (broken) Listen() []interface{} { return []interface{}{eventbus.Wildcard} }

func (broken) Process(eventbus.IEvent) error { panic("out of ink") }
