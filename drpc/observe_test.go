package drpc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// witness writes down what it observes.
type witness struct {
	mu   sync.Mutex
	seen []string
}

func (w *witness) Observe(o Observation) {
	method, kinds := o.ServiceMethod, [...]string{"call", "push", "own call", "own push"}
	switch {
	case o.Handler != nil:
		method = fmt.Sprintf("%s#%d", o.Handler.Name(), o.Handler.Index())
	case o.Kind < ObservedOwnCall:
		method = "nobody"
	}
	if o.Cost <= 0 {
		method += " in no time"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s %d", kinds[o.Kind], method, o.Status.Code()))
}

// take returns what was seen since the last time, sorted: who is told first of two sides is chance.
func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	slices.Sort(seen)
	return seen
}

func (w *witness) expect(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	polltest.Until(t, fmt.Sprintf("observing %v", want), func() bool {
		got = append(got, w.take()...)
		return len(got) >= len(want)
	})
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("observed %q\nwant     %q", got, want)
	}
}

func TestObserverSeesEveryOutcomeOnce(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/ok", func(CallCtx, *string) (string, *Status) { return "", nil })
	HandleCall(srv, "/fail", func(CallCtx, *string) (string, *Status) { return "", NewStatus(1001, "no") })
	HandleCall(srv, "/inside", func(c CallCtx, _ *string) (string, *Status) {
		c.Output().SetStatus(NewStatus(1002, "set in the reply"))
		return "", nil
	})
	HandleCall(srv, "/panic", func(CallCtx, *string) (string, *Status) { panic("on purpose") })
	HandleCall(srv, "/unsendable", func(CallCtx, *string) (func(), *Status) { return func() {}, nil })
	entered := make(chan struct{}, 2)
	HandleCall(srv, "/never", func(c CallCtx, _ *string) (string, *Status) {
		entered <- struct{}{}
		<-c.Context().Done()
		return "", nil
	})
	HandlePush(srv, "/push", func(PushCtx, *string) *Status { return nil })
	HandlePush(srv, "/badpush", func(PushCtx, *string) *Status { return NewStatus(1003, "no") })
	addr := serve(t, srv)
	cli := newPeer(t, EndpointConfig{})
	sess := dial(t, cli, addr)
	there, here := new(witness), new(witness)
	srv.Observe(there)
	stop := cli.Observe(here)

	call := func(method string) { sess.Call(method, "", new(string)) }
	for method, want := range map[string][2]string{
		"/ok":         {"call /ok#0 0", "own call /ok 0"},
		"/fail":       {"call /fail#1 1001", "own call /fail 1001"},
		"/inside":     {"call /inside#2 1002", "own call /inside 1002"},
		"/panic":      {"call /panic#3 500", "own call /panic 500"},
		"/unsendable": {"call /unsendable#4 500", "own call /unsendable 500"},
		"/none":       {"call nobody 404", "own call /none 404"},
	} {
		call(method)
		there.expect(t, want[0])
		here.expect(t, want[1])
	}
	if stat := sess.Push("/push", ""); stat != nil {
		t.Fatal(stat)
	}
	there.expect(t, "push /push#6 0")
	here.expect(t, "own push /push 0")
	_ = sess.Push("/badpush", "")
	there.expect(t, "push /badpush#7 1003")
	here.expect(t, "own push /badpush 0")
	_ = sess.Push("/func", func() {})
	here.expect(t, "own push /func 104")

	// Outcomes that no hook sees.
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-entered
		cancel()
	}()
	sess.Call("/never", "", nil, WithContext(ctx))
	here.expect(t, "own call /never 408")
	done := make(chan CallCmd, 1)
	sess.AsyncCall("/never", "", nil, done)
	polltest.Receive(t, "the handler", entered)
	sess.(*session).link.Load().die(nil) // here: there, a handler whose context ends might still get its reply through
	polltest.Receive(t, "the end of the call", done)
	here.expect(t, "own call /never 102")

	stop()
	stop() // twice is no harm
	call("/ok")
	if seen := here.take(); len(seen) != 0 {
		t.Errorf("observed %q after stop", seen)
	}
}

func TestObserverThatPanicsHarmsNobody(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/ok", func(CallCtx, *string) (string, *Status) { return "", nil })
	srv.Observe(panicking{})
	other := new(witness)
	srv.Observe(other)
	cli := newPeer(t, EndpointConfig{})
	cli.Observe(panicking{})
	sess := dial(t, cli, serve(t, srv))
	for range 2 * quickScore { // by a worker, and on the reader
		if stat := sess.Call("/ok", "", new(string)).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	if n := len(other.take()); n != 2*quickScore {
		t.Errorf("the other one observed %d calls, want %d", n, 2*quickScore)
	}
}

type panicking struct{}

func (panicking) Observe(Observation) { panic("on purpose") }

func TestReportTellsTheObserversOfAnEndpoint(t *testing.T) {
	t.Parallel()
	e := newPeer(t, EndpointConfig{})
	Report(e, Observation{Kind: ObservedOwnCall, ServiceMethod: "/lost", Cost: time.Second}) // nobody listens
	seen := new(witness)
	e.Observe(seen)
	Report(e, Observation{Kind: ObservedOwnCall, ServiceMethod: "/lost", Status: NewStatus(CodeDialFailed, ""), Cost: time.Second})
	Report(e, Observation{Kind: ObservedOwnPush, ServiceMethod: "/sent", Status: new(Status), Cost: time.Second})
	seen.expect(t, "own call /lost 105", "own push /sent 0")
	Report(nil, Observation{}) // no endpoint of this package
}
