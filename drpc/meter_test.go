package drpc

import (
	"slices"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

func TestHistogramClassesMeetWithoutGaps(t *testing.T) {
	t.Parallel()
	var h Histogram
	for i := range h {
		upper := h.Upper(i)
		if got := class(upper - 1); got != i {
			t.Fatalf("%v is in class %d, not below the upper end of %d", upper-1, got, i)
		}
		if got := class(upper); got != min(i+1, len(h)-1) {
			t.Fatalf("%v is in class %d, not in the one after %d", upper, got, i)
		}
		if i > 0 && float64(upper) > 1.26*float64(h.Upper(i-1)) && upper > 4*time.Microsecond {
			t.Errorf("class %d ends at %v, the one before at %v", i, upper, h.Upper(i-1))
		}
	}
	if class(-time.Second) != 0 || class(1<<62) != len(h)-1 {
		t.Error("durations out of range have no class")
	}
}

func TestQuantileIsAtMostAFifthTooHigh(t *testing.T) {
	t.Parallel()
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for ms := range 1000 {
		h[class(time.Duration(ms+1)*time.Millisecond)]++
	}
	for q, want := range map[float64]time.Duration{
		0: time.Millisecond, 0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second,
	} {
		if got := h.Quantile(q); got < want || got > want*5/4 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestMethodsAreMeasuredWhileSomebodyWantsToKnow(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	entered, release := make(chan struct{}), make(chan struct{})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *int) (int, *Status) {
		if *arg < 0 {
			return 0, NewStatus(1000, "negative")
		}
		return *arg, nil
	})
	HandleCall(srv, "/block", func(CallCtx, *int) (int, *Status) {
		entered <- struct{}{}
		<-release
		return 0, nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	call := func(method string, arg int) { sess.Call(method, arg, nil) }

	call("/echo", 1)
	if got := srv.Methods(); got != nil {
		t.Fatalf("measured unasked: %v", got)
	}
	srv.Measure(true)
	for i := range 5 {
		call("/echo", i-1)
	}
	call("/of/my/choice", 1)
	call("/of/my/other/choice", 1)
	go call("/block", 1)
	<-entered
	srv.Measure(true) // goes on
	var got []MethodStats
	polltest.Until(t, "the handlers to return", func() bool { // after their replies
		got = srv.Methods()
		return !slices.ContainsFunc(got, func(m MethodStats) bool { return m.Path != "/block" && m.Running > 0 })
	})
	close(release)
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	i := slices.IndexFunc(got, func(m MethodStats) bool { return m.Path == "/echo" })
	if m := got[i]; m.Kind != "CALL" || m.Done != 5 || m.Failed != 1 || m.Running != 0 || m.Latency.Quantile(1) == 0 {
		t.Errorf("%+v", m)
	}
	if m := got[0]; m.Kind != "UNROUTED" || m.Path != "" || m.Done != 2 || m.Failed != 2 {
		t.Errorf("%+v", m)
	}
	i = slices.IndexFunc(got, func(m MethodStats) bool { return m.Path == "/block" })
	if m := got[i]; m.Running != 1 || m.Done != 0 {
		t.Errorf("%+v", m)
	}
	srv.Measure(false)
	if got := srv.Methods(); got != nil {
		t.Errorf("after the end: %v", got)
	}
}
