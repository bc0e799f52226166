package drpc

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

func names(plugins []Plugin) string {
	var list []string
	for _, p := range plugins {
		list = append(list, p.Name())
	}
	return strings.Join(list, " ")
}

// order calls path and returns the plugins in the order in which they saw the call.
func order(t *testing.T, sess Session, path string) (got string) {
	t.Helper()
	if stat := sess.Call(path, 0, &got).Status(); stat != nil {
		t.Fatalf("%s: %v", path, stat)
	}
	return got
}

func TestPluginsRunFromLeftToRight(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, tagger("1"), tagger("2"))
	c := srv.PluginContainer()
	c.AppendLeft(tagger("b"), tagger("c"))
	c.AppendRight(tagger("y"))
	HandleCall(srv.SubRoute("g", tagger("g")), "seen", seen, tagger("h"), tagger("i"))
	c.AppendLeft(tagger("a"))
	c.AppendRight(tagger("z"))
	if got := names(c.GetAll()); got != "a b c 1 2 y z" {
		t.Errorf("the endpoint has %s", got)
	}
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	if got := order(t, sess, "/g/seen"); got != "abc12ghiyz" {
		t.Errorf("the handler has %s", got)
	}
}

func TestPluginsOfExistingRoutesChangeWithTheEndpoint(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, tagger("1"))
	c := srv.PluginContainer()
	g := srv.SubRoute("g", tagger("g"))
	HandleCall(g, "seen", seen, tagger("h"))
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "1gh"},
		{func() { c.AppendRight(tagger("z")) }, "1ghz"},
		{func() { c.AppendLeft(tagger("a")) }, "a1ghz"},
		{func() { remove(t, c, "1") }, "aghz"},
		{func() { remove(t, c, "g") }, "ahz"},
		{func() { remove(t, c, "h") }, "az"},
		{func() { remove(t, c, "z") }, "a"},
		{func() { c.AppendRight(tagger("1")) }, "a1"},
	} {
		step.do()
		if got := order(t, sess, "/g/seen"); got != step.want {
			t.Errorf("plugins %s, want %s", got, step.want)
		}
	}
	HandleCall(g, "later", seen)
	if got := order(t, sess, "/g/later"); got != "a1" {
		t.Errorf("a route of a group whose plugin was removed has %s", got)
	}
}

func remove(t *testing.T, c *PluginContainer, name string) {
	t.Helper()
	if err := c.Remove(name); err != nil {
		t.Error(err)
	}
	if c.GetByName(name) != nil {
		t.Errorf("%s is still there", name)
	}
}

func TestRemovingWhatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	c := newPeer(t, EndpointConfig{}, tagger("a")).PluginContainer()
	if err := c.Remove("b"); err == nil || err.Error() != `there is no plugin named "b"` {
		t.Errorf("%v", err)
	}
	if c.GetByName("a") != tagger("a") || c.GetByName("b") != nil {
		t.Errorf("a is %v, b is %v", c.GetByName("a"), c.GetByName("b"))
	}
}

func TestListOfPluginsIsTheCallers(t *testing.T) {
	t.Parallel()
	c := newPeer(t, EndpointConfig{}, tagger("a"), tagger("b")).PluginContainer()
	c.GetAll()[0] = nil
	if got := names(c.GetAll()); got != "a b" {
		t.Errorf("the container has %s", got)
	}
}

func TestNilAndRepeatedPluginsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		plugins []Plugin
		text    string
	}{
		{[]Plugin{nil}, "plugin cannot be nil!"},
		{[]Plugin{tagger("a"), nil}, "plugin cannot be nil!"},
		{[]Plugin{tagger("a"), tagger("a")}, "repeat add plugin: a"},
		{[]Plugin{tagger("a"), marker("a")}, "repeat add plugin: a"},
	} {
		if e, err := New(EndpointConfig{}, c.plugins...); e != nil || err == nil || err.Error() != c.text {
			t.Errorf("New(%v): %v, want %s", c.plugins, err, c.text)
		}
		e := newPeer(t, EndpointConfig{})
		if _, err := AddCall(e, "/x", seen, c.plugins...); err == nil || err.Error() != c.text {
			t.Errorf("AddCall(%v): %v, want %s", c.plugins, err, c.text)
		}
		if _, err := e.Router().AddCall(new(Abacus), c.plugins...); err == nil || err.Error() != c.text {
			t.Errorf("AddCall of a controller (%v): %v, want %s", c.plugins, err, c.text)
		}
		pc := e.PluginContainer()
		pc.AppendLeft(c.plugins...)
		pc.AppendRight(c.plugins...)
		if got := pc.GetAll(); len(got) != 0 {
			t.Errorf("refused plugins %v are in the container", got)
		}
	}
}

func TestNameIsUniqueAmongAllThatRunForARoute(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, tagger("e"))
	g := srv.SubRoute("g", tagger("g"))
	HandleCall(g, "seen", seen, tagger("h"))
	for _, name := range []string{"e", "g"} {
		if _, err := AddCall(g, "other", seen, tagger(name)); err == nil || err.Error() != "repeat add plugin: "+name {
			t.Errorf("%s for a handler: %v", name, err)
		}
	}
	HandleCall(srv.SubRoute("sibling", tagger("g")), "seen", seen, tagger("h")) // they never meet
	for _, name := range []string{"e", "g", "h"} {
		srv.PluginContainer().AppendLeft(tagger(name))
		srv.PluginContainer().AppendRight(tagger(name))
	}
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, path := range []string{"/g/seen", "/sibling/seen"} {
		if got := order(t, sess, path); got != "egh" {
			t.Errorf("%s has %s", path, got)
		}
	}
}

// dialOnly has only hooks that no route ever runs.
type dialOnly struct{}

func (dialOnly) Name() string                                              { return "dial only" }
func (dialOnly) BeforeDial(string, bool) *Status                           { return nil }
func (dialOnly) AfterDisconnect(BaseSession) *Status                       { return nil }
func (dialOnly) BeforeCloseEndpoint(Endpoint) error                        { return nil }
func (dialOnly) AfterReadCallHeader(ReadCtx) *Status                       { return nil }
func (dialOnly) AfterReadReplyBody(ReadCtx) *Status                        { return nil }
func (dialOnly) BeforeWriteCall(WriteCtx) *Status                          { return nil }
func (dialOnly) AfterDialFail(EarlySession, error, bool) (s *Status)       { return }
func (dialOnly) AfterReadPushHeader(ReadCtx) *Status                       { return nil }
func (dialOnly) BeforeNewEndpoint(*EndpointConfig, *PluginContainer) error { return nil }

func TestPluginThatNeverRunsForARouteIsRefusedThere(t *testing.T) {
	t.Parallel()
	const text = "plugin dial only has only hooks that run for the whole endpoint (BeforeNewEndpoint, BeforeCloseEndpoint, " +
		"BeforeDial, AfterDialFail, BeforeWriteCall, AfterReadCallHeader, AfterReadPushHeader, AfterReadReplyBody, AfterDisconnect): " +
		"add it to the endpoint, not to a route"
	e := newPeer(t, EndpointConfig{}, marker("m"))
	for name, add := range map[string]func() error{
		"typed":      func() error { _, err := AddCall(e, "/x", seen, dialOnly{}); return err },
		"controller": func() error { _, err := e.Router().AddCall(new(Abacus), dialOnly{}); return err },
		"function":   func() error { _, err := e.Router().AddPushFunc((*Bell).Ring, dialOnly{}); return err },
	} {
		if err := add(); err == nil || err.Error() != text {
			t.Errorf("%s: %v", name, err)
		}
	}
	e.PluginContainer().AppendRight(dialOnly{})
	if _, err := AddCall(e, "/x", seen, marker("without any hook")); err != nil {
		t.Errorf("a plugin without hooks: %v", err)
	}
}

func TestHooksOfARouteAreThoseOfItsScope(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	fired := map[hookKind]bool{}
	p := &probe{"routed", func(kind hookKind, _ string) *Status {
		mu.Lock()
		defer mu.Unlock()
		fired[kind] = true
		return nil
	}}
	srv := newPeer(t, EndpointConfig{})
	g := srv.SubRoute("g", p)
	rung := make(chan string, 1)
	g.RouteCall(new(Abacus))
	g.RoutePush(&Bell{Rung: rung})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var sum int
	if stat := sess.Call("/g/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
		t.Fatalf("%v, sum %d", stat, sum)
	}
	if stat := sess.Push("/g/bell/ring", "ding"); stat != nil {
		t.Fatal(stat)
	}
	polltest.Receive(t, "the push", rung)
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	for kind, decl := range hookTable {
		if fired[hookKind(kind)] != (decl.scope == routeScope) {
			t.Errorf("%s has run: %v", decl.name, fired[hookKind(kind)])
		}
	}
}

func TestFailureOfARouteHookConcernsItsRouteOnly(t *testing.T) {
	t.Parallel()
	for _, kind := range []hookKind{hookBeforeReadCallBody, hookAfterReadCallBody, hookBeforeWriteReply, hookAfterWriteReply} {
		for name, fail := range map[string]func() *Status{
			"status": func() *Status { return NewStatus(hookCode, "no") },
			"panic":  func() *Status { panic("boom") },
		} {
			t.Run(kind.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				srv := newPeer(t, EndpointConfig{})
				HandleCall(srv.SubRoute("bad", &probe{"faulty", func(k hookKind, _ string) *Status {
					if k == kind {
						return fail()
					}
					return nil
				}}), "seen", seen)
				HandleCall(srv.SubRoute("good"), "seen", seen)
				sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
				want := map[string]int32{"status": hookCode, "panic": CodeInternalServerError}[name]
				if kind == hookBeforeWriteReply || kind == hookAfterWriteReply {
					want = CodeOK // the reply is on its way: that is logged
				}
				if stat := sess.Call("/bad/seen", 0, nil).Status(); stat.Code() != want {
					t.Errorf("%v, want code %d", stat, want)
				}
				if stat := sess.Call("/good/seen", 0, nil).Status(); stat != nil {
					t.Error(stat)
				}
			})
		}
	}
}

func TestPluginsMayChangeWhileCallsAreServed(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, tagger("a"))
	HandleCall(srv.SubRoute("g", tagger("g")), "seen", seen, tagger("h"))
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	for range 4 {
		traffic.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var got string
				stat := sess.Call("/g/seen", 0, &got).Status()
				if stat != nil || got != "agh" && got != "agh+" && got != "-agh" && got != "-agh+" {
					t.Errorf("%v, plugins %s", stat, got)
					return
				}
			}
		})
	}
	c := srv.PluginContainer()
	for i := range 200 {
		c.AppendLeft(tagger("-"))
		c.AppendRight(tagger("+"))
		HandleCall(srv, fmt.Sprint("h", i), seen)
		remove(t, c, "+")
		remove(t, c, "-")
	}
	close(stop)
	traffic.Wait()
}
