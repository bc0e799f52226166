package overload_test

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/internal/peertest"
	"github.com/osgochina/dmicro/drpc/plugin/overload"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

func TestMain(m *testing.M) {
	logger.SetLevel(logger.LevelCritical) // handlers panic on purpose
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

func plugin(t testing.TB, cfg overload.Config) *overload.Plugin {
	t.Helper()
	p, err := overload.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dialTo starts srv and returns a session to it.
func dialTo(t *testing.T, srv drpc.Endpoint) drpc.Session {
	t.Helper()
	return peertest.Dial(t, peertest.Endpoint(t, drpc.EndpointConfig{}),
		peertest.Serve(t, srv, rawproto.RawProtoFunc), rawproto.RawProtoFunc)
}

// of returns what the plugin knows of a method.
func of(p *overload.Plugin, name string) overload.Method {
	for _, m := range p.Methods() {
		if m.Name == name {
			return m
		}
	}
	return overload.Method{}
}

func refused(t *testing.T, stat *drpc.Status) {
	t.Helper()
	if stat.Code() != drpc.CodeBusy || !drpc.NotExecuted(stat) {
		t.Errorf("status %v", stat)
	}
}

func TestConcurrencyOfAMethodIsBounded(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Methods: map[string]overload.Limit{"/slow": {Concurrency: 3}}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	var running, most, executed atomic.Int32
	release := make(chan struct{})
	drpc.HandleCall(srv, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		for n := running.Add(1); ; {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		executed.Add(1)
		<-release
		running.Add(-1)
		return "", nil
	})
	drpc.HandleCall(srv, "/quick", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	sess := dialTo(t, srv)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if stat := sess.Call("/slow", "", nil).Status(); stat != nil {
				t.Errorf("within the limit: %v", stat)
			}
		})
	}
	polltest.Until(t, "three at work", func() bool { return running.Load() == 3 })
	for range 20 {
		refused(t, sess.Call("/slow", "", nil).Status())
		if stat := sess.Call("/quick", "", nil).Status(); stat != nil {
			t.Errorf("another method: %v", stat)
		}
	}
	if m := of(p, "/slow"); m.Running != 3 || m.Admitted != 3 || m.Refused != 20 {
		t.Errorf("%+v", m)
	}
	if err := p.SetLimit("/slow", overload.Limit{Concurrency: 4}); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		if stat := sess.Call("/slow", "", nil).Status(); stat != nil {
			t.Errorf("within the new limit: %v", stat)
		}
	})
	polltest.Until(t, "four at work", func() bool { return running.Load() == 4 })
	refused(t, sess.Call("/slow", "", nil).Status())
	close(release)
	wg.Wait()
	for range 10 { // one after the other never meets a limit
		if stat := sess.Call("/slow", "", nil).Status(); stat != nil {
			t.Fatalf("when all were done: %v", stat)
		}
	}
	if most.Load() != 4 || of(p, "/slow").Running != 0 || executed.Load() != 14 {
		t.Errorf("at most %d at work, %d executed, %+v", most.Load(), executed.Load(), of(p, "/slow"))
	}
}

func TestPlacesAreGivenBackWhateverHappens(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Default: overload.Limit{Concurrency: 1}, Peer: overload.Limit{Concurrency: 1}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	for name, fn := range map[string]func(drpc.CallCtx, *string) (any, *drpc.Status){
		"/panic":      func(drpc.CallCtx, *string) (any, *drpc.Status) { panic("on purpose") },
		"/fail":       func(drpc.CallCtx, *string) (any, *drpc.Status) { return nil, drpc.NewStatus(1001, "no") },
		"/unsendable": func(drpc.CallCtx, *string) (any, *drpc.Status) { return func() {}, nil },
		"/ok":         func(drpc.CallCtx, *string) (any, *drpc.Status) { return "", nil },
	} {
		drpc.HandleCall(srv, name, fn)
	}
	pushed := make(chan struct{}, 1)
	drpc.HandlePush(srv, "/push", func(drpc.PushCtx, *string) *drpc.Status {
		pushed <- struct{}{}
		panic("on purpose")
	})
	sess := dialTo(t, srv)
	for range 50 {
		for name, want := range map[string]int32{"/panic": 500, "/fail": 1001, "/unsendable": 500, "/ok": 0, "/none": 404} {
			if stat := sess.Call(name, "", nil).Status(); stat.Code() != want {
				t.Fatalf("%s: %v", name, stat)
			}
		}
		if stat := sess.Call("/ok", 1, nil).Status(); stat.Code() != drpc.CodeBadMessage { // a number is no string
			t.Fatalf("body of another type: %v", stat)
		}
		if stat := sess.Push("/push", ""); stat != nil {
			t.Fatal(stat)
		}
		<-pushed
		polltest.Until(t, "the end of the push", func() bool { return of(p, "/push").Running == 0 })
		// The place of the peer follows that of the method.
		polltest.Until(t, "a place", func() bool { return sess.Call("/ok", "", nil).StatusOK() })
	}
}

func TestRateOfAMethodIsBounded(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Default: overload.Limit{Rate: 0.001, Burst: 5}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	var executed atomic.Int32
	for _, name := range []string{"/a", "/b"} {
		drpc.HandleCall(srv, name, func(drpc.CallCtx, *string) (string, *drpc.Status) {
			executed.Add(1)
			return "", nil
		})
	}
	sess := dialTo(t, srv)
	for _, name := range []string{"/a", "/b"} { // each has a rate of its own
		for n := range 20 {
			if stat := sess.Call(name, "", nil).Status(); n < 5 && stat != nil {
				t.Errorf("call %d: %v", n, stat)
			} else if n >= 5 {
				refused(t, stat)
			}
		}
	}
	if executed.Load() != 10 {
		t.Errorf("%d executed", executed.Load())
	}
	if err := p.SetLimit("/a", overload.Limit{}); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if stat := sess.Call("/a", "", nil).Status(); stat != nil {
			t.Fatalf("without a limit: %v", stat)
		}
	}
}

func TestPushesAboveTheLimitAreDropped(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Default: overload.Limit{Rate: 0.001, Burst: 2}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	drpc.HandlePush(srv, "/note", func(drpc.PushCtx, *string) *drpc.Status { return nil })
	sess := dialTo(t, srv)
	for range 10 {
		if stat := sess.Push("/note", ""); stat != nil {
			t.Fatal(stat)
		}
	}
	polltest.Until(t, "ten pushes", func() bool {
		m := of(p, "/note")
		return m.Admitted == 2 && m.Refused == 8
	})
}

func TestEachPeerHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{
		Peer:    overload.Limit{Rate: 0.001, Burst: 3},
		PeerKey: func(ctx drpc.ReadCtx) string { return fmt.Sprint(ctx.PeekMeta("tenant")) },
	})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	drpc.HandleCall(srv, "/x", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	sess := dialTo(t, srv)
	for _, tenant := range []string{"ann", "bob"} {
		for n := range 6 {
			if stat := sess.Call("/x", "", nil, drpc.WithSetMeta("tenant", tenant)).Status(); n < 3 && stat != nil {
				t.Errorf("%s, call %d: %v", tenant, n, stat)
			} else if n >= 3 {
				refused(t, stat)
			}
		}
	}
}

func TestConnectionsOfOneAddressAreOnePeer(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Peer: overload.Limit{Rate: 0.001, Burst: 2}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	drpc.HandleCall(srv, "/x", func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil })
	addr := peertest.Serve(t, srv, rawproto.RawProtoFunc)
	cli := peertest.Endpoint(t, drpc.EndpointConfig{})
	for n := range 4 {
		stat := peertest.Dial(t, cli, addr, rawproto.RawProtoFunc).Call("/x", "", nil).Status()
		if n < 2 && stat != nil {
			t.Errorf("connection %d: %v", n, stat)
		} else if n >= 2 {
			refused(t, stat)
		}
	}
}

func TestStrangersDoNotMakeItGrow(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Default: overload.Limit{Concurrency: 1}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	srv.SetUnknownCall(func(drpc.UnknownCallCtx) (any, *drpc.Status) { return nil, nil })
	sess := dialTo(t, srv)
	for n := range 200 {
		if stat := sess.Call(fmt.Sprintf("/none/%d", n), "", nil).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	if m := p.Methods(); len(m) != 1 || m[0].Admitted != 200 {
		t.Errorf("%+v", m)
	}
}

func TestGroupsAndHandlersMayHaveTheirOwn(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{Name: "heavy", Default: overload.Limit{Rate: 0.001, Burst: 1}})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{})
	echo := func(drpc.CallCtx, *string) (string, *drpc.Status) { return "", nil }
	drpc.HandleCall(srv, "/light", echo)
	drpc.HandleCall(srv.SubRoute("/heavy", p), "/work", echo)
	sess := dialTo(t, srv)
	for range 5 {
		if stat := sess.Call("/light", "", nil).Status(); stat != nil {
			t.Fatal(stat)
		}
	}
	if stat := sess.Call("/heavy/work", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	refused(t, sess.Call("/heavy/work", "", nil).Status())
	if p.Name() != "heavy" {
		t.Errorf("name %q", p.Name())
	}
}

func TestLimitsThatMakeNoSenseAreErrors(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{})
	for _, l := range []overload.Limit{
		{Concurrency: -1}, {Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}, {Rate: 1, Burst: -1}, {Burst: 1},
	} {
		for _, cfg := range []overload.Config{{Default: l}, {Peer: l}, {Methods: map[string]overload.Limit{"/x": l}}} {
			if _, err := overload.New(cfg); err == nil {
				t.Errorf("%+v is accepted", cfg)
			}
		}
		if err := p.SetLimit("/x", l); err == nil {
			t.Errorf("SetLimit accepts %+v", l)
		}
	}
	if _, err := overload.New(overload.Config{Default: overload.Limit{Rate: 1e300}}); err != nil {
		t.Error(err)
	}
}

// Also for the race detector.
func TestLimitsHoldWhileTheyChangeAndManyCall(t *testing.T) {
	t.Parallel()
	p := plugin(t, overload.Config{
		Default: overload.Limit{Concurrency: 4}, Peer: overload.Limit{Concurrency: 2, Rate: 1e6}, MaxPeers: 3,
		PeerKey: func(ctx drpc.ReadCtx) string { return fmt.Sprint(ctx.Seq() % 7) },
	})
	srv := peertest.Endpoint(t, drpc.EndpointConfig{}, p)
	var running atomic.Int32
	drpc.HandleCall(srv, "/x", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		if n := running.Add(1); n > 4 {
			t.Errorf("%d at work", n)
		}
		defer running.Add(-1)
		return "", nil
	})
	sess := dialTo(t, srv)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 200 {
				if stat := sess.Call("/x", "", nil).Status(); stat != nil && stat.Code() != drpc.CodeBusy {
					t.Error(stat)
				}
				if g == 0 && n%20 == 0 {
					_ = p.SetLimit("/x", overload.Limit{Concurrency: 1 + n%4})
					_ = p.Methods()
				}
			}
		})
	}
	wg.Wait()
	if m := of(p, "/x"); m.Running != 0 || m.Admitted+m.Refused != 8*200 {
		t.Errorf("%+v", m)
	}
}
