package drpc

import (
	"runtime"
	"slices"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

func TestEndpointsListsThoseThatAreNotClosed(t *testing.T) {
	t.Parallel()
	ours := []Endpoint{NewEndpoint(EndpointConfig{}), NewEndpoint(EndpointConfig{}), NewEndpoint(EndpointConfig{})}
	listed := func() []Endpoint {
		return slices.DeleteFunc(Endpoints(), func(e Endpoint) bool { return !slices.Contains(ours, e) })
	}
	if got := listed(); !slices.Equal(got, ours) {
		t.Errorf("listed %v, not in the order made: %v", got, ours)
	}
	if err := ours[1].Close(); err != nil {
		t.Fatal(err)
	}
	if got := listed(); !slices.Equal(got, []Endpoint{ours[0], ours[2]}) {
		t.Errorf("after a close: %v", got)
	}
	for _, e := range ours {
		_ = e.Close()
	}
}

func TestDroppedEndpointIsCollected(t *testing.T) {
	t.Parallel()
	number := func() uint64 { return NewEndpoint(EndpointConfig{}).(*endpoint).number }()
	held := func() bool {
		live.mu.Lock()
		defer live.mu.Unlock()
		_, ok := live.entries[number]
		return ok
	}
	polltest.Until(t, "the registry forgets an endpoint that nobody has", func() bool { runtime.GC(); return !held() })
}
