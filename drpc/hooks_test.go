package drpc

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
	"github.com/osgochina/dmicro/logger"
)

var updateGolden = flag.Bool("update", false, "rewrite the traces in testdata/hooks")

// probe is a plugin with all 27 hooks. Each asks on what to return; detail says what the hook was called for.
type probe struct {
	name string
	on   func(kind hookKind, detail string) *Status
}

func (p *probe) Name() string { return p.name }

func (p *probe) err(kind hookKind, detail string) error {
	if stat := p.on(kind, detail); stat != nil {
		return &statusError{stat}
	}
	return nil
}

func (p *probe) written(kind hookKind, c WriteCtx) *Status {
	m := c.Output()
	detail := strings.TrimSpace(fmt.Sprintf("%s seq %d", m.ServiceMethod(), m.Seq()))
	if stat := c.Status(); stat != nil {
		detail += " " + stat.String()
	}
	return p.on(kind, detail)
}

func (p *probe) read(kind hookKind, c ReadCtx) *Status {
	return p.on(kind, fmt.Sprintf("%s seq %d", c.ServiceMethod(), c.Seq()))
}

func (p *probe) BeforeNewEndpoint(*EndpointConfig, *PluginContainer) error {
	return p.err(hookBeforeNewEndpoint, "")
}

func (p *probe) AfterNewEndpoint(EarlyEndpoint) error { return p.err(hookAfterNewEndpoint, "") }

func (p *probe) BeforeCloseEndpoint(Endpoint) error { return p.err(hookBeforeCloseEndpoint, "") }

func (p *probe) AfterCloseEndpoint(_ Endpoint, err error) error {
	return p.err(hookAfterCloseEndpoint, fmt.Sprint(err))
}

func (p *probe) AfterRegRouter(h *Handler) error {
	return p.err(hookAfterRegRouter, h.RouterTypeName()+" "+h.Name())
}

func (p *probe) AfterListen(addr net.Addr) error { return p.err(hookAfterListen, addr.Network()) }

func (p *probe) BeforeDial(_ string, isRedial bool) *Status {
	return p.on(hookBeforeDial, fmt.Sprint("redial ", isRedial))
}

func (p *probe) AfterDial(_ EarlySession, isRedial bool) *Status {
	return p.on(hookAfterDial, fmt.Sprint("redial ", isRedial))
}

// AfterDialFail asks the session for its addresses, which at a first dial it never had.
func (p *probe) AfterDialFail(s EarlySession, err error, isRedial bool) *Status {
	addrs := s.LocalAddr().String() + s.RemoteAddr().String()
	return p.on(hookAfterDialFail, fmt.Sprintf("redial %v has addresses %v has error %v", isRedial, addrs != "", err != nil))
}

func (p *probe) AfterAccept(EarlySession) *Status       { return p.on(hookAfterAccept, "") }
func (p *probe) BeforeWriteCall(c WriteCtx) *Status     { return p.written(hookBeforeWriteCall, c) }
func (p *probe) AfterWriteCall(c WriteCtx) *Status      { return p.written(hookAfterWriteCall, c) }
func (p *probe) BeforeWriteReply(c WriteCtx) *Status    { return p.written(hookBeforeWriteReply, c) }
func (p *probe) AfterWriteReply(c WriteCtx) *Status     { return p.written(hookAfterWriteReply, c) }
func (p *probe) BeforeWritePush(c WriteCtx) *Status     { return p.written(hookBeforeWritePush, c) }
func (p *probe) AfterWritePush(c WriteCtx) *Status      { return p.written(hookAfterWritePush, c) }
func (p *probe) BeforeReadHeader(EarlyCtx) error        { return p.err(hookBeforeReadHeader, "") }
func (p *probe) AfterReadCallHeader(c ReadCtx) *Status  { return p.read(hookAfterReadCallHeader, c) }
func (p *probe) BeforeReadCallBody(c ReadCtx) *Status   { return p.read(hookBeforeReadCallBody, c) }
func (p *probe) AfterReadCallBody(c ReadCtx) *Status    { return p.read(hookAfterReadCallBody, c) }
func (p *probe) AfterReadPushHeader(c ReadCtx) *Status  { return p.read(hookAfterReadPushHeader, c) }
func (p *probe) BeforeReadPushBody(c ReadCtx) *Status   { return p.read(hookBeforeReadPushBody, c) }
func (p *probe) AfterReadPushBody(c ReadCtx) *Status    { return p.read(hookAfterReadPushBody, c) }
func (p *probe) AfterReadReplyHeader(c ReadCtx) *Status { return p.read(hookAfterReadReplyHeader, c) }
func (p *probe) BeforeReadReplyBody(c ReadCtx) *Status  { return p.read(hookBeforeReadReplyBody, c) }
func (p *probe) AfterReadReplyBody(c ReadCtx) *Status   { return p.read(hookAfterReadReplyBody, c) }
func (p *probe) AfterDisconnect(BaseSession) *Status    { return p.on(hookAfterDisconnect, "") }

// The table is the one place that knows the hooks: it must know each interface of plugin.go, and the other way round.
func TestHookTableAndInterfacesAreTheSame(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "plugin.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{} // interface to its method
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !spec.Name.IsExported() {
			return true
		}
		body, ok := spec.Type.(*ast.InterfaceType)
		if !ok || spec.Name.Name == "Plugin" {
			return true
		}
		for _, m := range body.Methods.List {
			if len(m.Names) == 1 {
				declared[spec.Name.Name] = m.Names[0].Name
			}
		}
		return true
	})
	if len(declared) != 27 || len(hookTable) != 27 {
		t.Errorf("%d interfaces and %d lines in the table, want 27", len(declared), len(hookTable))
	}
	for kind, decl := range hookTable {
		name := decl.name + "Plugin"
		if declared[name] != decl.name {
			t.Errorf("line %d is for %s, but plugin.go has no %s with that method", kind, decl.name, name)
		}
		delete(declared, name)
		if decl.effect == "" || decl.bind == nil {
			t.Errorf("the line of %s is incomplete", decl.name)
		}
	}
	if len(declared) != 0 {
		t.Errorf("not in the table: %v", declared)
	}
	if got := hooksOf(&probe{}); len(got) != 27 {
		t.Errorf("a plugin with all hooks has %v", got)
	}
	if got := hooksOf(marker("none")); len(got) != 0 {
		t.Errorf("a plugin without hooks has %v", got)
	}
}

// trace is what the hooks of one side saw. The hook before the next read runs on the reader while the message just
// read is still being handled, so that its place among the others is a matter of luck: it has a track of its own.
type trace struct {
	mu           sync.Mutex
	lines, reads []string
	taken, seen  int // how much of each earlier steps have taken
}

func (tr *trace) on(kind hookKind, detail string) *Status {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	line := strings.TrimSuffix(strings.TrimSpace(kind.String()+" "+detail), " <nil>") // of an error
	if kind == hookBeforeReadHeader {
		tr.reads = append(tr.reads, line)
	} else {
		tr.lines = append(tr.lines, line)
	}
	return nil
}

// reached reports whether the step has come to the hook last and read n times. No hook means that nothing is awaited.
func (tr *trace) reached(last string, n int) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lines := tr.lines[tr.taken:]
	done := last == "" || len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], last)
	return done && len(tr.reads)-tr.seen >= n
}

// take returns the lines since the last step.
func (tr *trace) take() (lines, reads []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lines, reads = tr.lines[tr.taken:], tr.reads[tr.seen:]
	tr.taken, tr.seen = len(tr.lines), len(tr.reads)
	return lines, reads
}

// traced is a pair of endpoints whose hooks are recorded.
type traced struct {
	t        *testing.T
	cli, srv trace
}

func (tt *traced) client(cfg EndpointConfig) Endpoint {
	return newPeer(tt.t, cfg, &probe{"recorder", tt.cli.on})
}

func (tt *traced) server(cfg EndpointConfig) Endpoint {
	return newPeer(tt.t, cfg, &probe{"recorder", tt.srv.on})
}

// arrival is the last hook of a step on one side, and how often it starts to read.
type arrival struct {
	last  string
	reads int
}

// step compares what was recorded since the last step with its golden file, once both sides have arrived. A hook that
// fires too late or too often shows in the next step.
func (tt *traced) step(golden string, cli, srv arrival) {
	tt.t.Helper()
	polltest.Until(tt.t, golden+": the hooks "+cli.last+" and "+srv.last, func() bool {
		return tt.cli.reached(cli.last, cli.reads) && tt.srv.reached(srv.last, srv.reads)
	})
	var text strings.Builder
	block := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&text, "%s\n\t%s\n", title, strings.Join(lines, "\n\t"))
		}
	}
	cliLines, cliReads := tt.cli.take()
	srvLines, srvReads := tt.srv.take()
	block("client", cliLines)
	block("server", srvLines)
	block("reader of the client", cliReads)
	block("reader of the server", srvReads)
	path := filepath.Join("testdata", "hooks", golden+".golden")
	if *updateGolden {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			tt.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tt.t.Fatal(err)
	}
	if got := text.String(); got != string(want) {
		tt.t.Errorf("%s\ngot\n%swant\n%s", golden, got, want)
	}
}

// tracedRoutes registers what the traces call.
func tracedRoutes(e Endpoint) (rung chan string) {
	rung = make(chan string, 1)
	e.RouteCall(new(Abacus))
	e.RoutePush(&Bell{Rung: rung})
	return rung
}

func TestHooksOfACommonLifeFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	srv := tt.server(EndpointConfig{})
	rung := tracedRoutes(srv)
	addr := serve(t, srv)
	cli := tt.client(EndpointConfig{})
	tt.step("start", arrival{"AfterNewEndpoint", 0}, arrival{"AfterListen", 0})

	sess := dial(t, cli, addr)
	tt.step("dial", arrival{"AfterDial", 1}, arrival{"AfterAccept", 1})

	var sum int
	if stat := sess.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
		t.Fatalf("%v, sum %d", stat, sum)
	}
	tt.step("call", arrival{"AfterReadReplyBody", 1}, arrival{"AfterWriteReply", 1})

	polltest.Receive(t, "the reply", sess.AsyncCall("/abacus/add", []int{1, 2}, &sum, nil).Done())
	tt.step("async-call", arrival{"AfterReadReplyBody", 1}, arrival{"AfterWriteReply", 1})

	if stat := sess.Call("/nobody", nil, nil).Status(); stat.Code() != CodeNotFound {
		t.Fatal(stat)
	}
	tt.step("call-of-nobody", arrival{"BeforeReadReplyBody", 1}, arrival{"AfterWriteReply", 1})

	if stat := sess.Call("/abacus/add", "no list", &sum).Status(); stat.Code() != CodeBadMessage {
		t.Fatal(stat)
	}
	tt.step("call-with-bad-body", arrival{"BeforeReadReplyBody", 1}, arrival{"AfterWriteReply", 1})

	if stat := sess.Push("/bell/ring", "ding"); stat != nil {
		t.Fatal(stat)
	}
	polltest.Receive(t, "the push", rung)
	tt.step("push", arrival{"AfterWritePush", 0}, arrival{"AfterReadPushBody", 1})

	if stat := sess.Push("/nobody", "ding"); stat != nil {
		t.Fatal(stat)
	}
	tt.step("push-to-nobody", arrival{"AfterWritePush", 0}, arrival{"AfterReadPushHeader", 1})

	if err := sess.Close(); err != nil {
		t.Fatal(err)
	}
	tt.step("close-session", arrival{"AfterDisconnect", 0}, arrival{"AfterDisconnect", 0})

	dial(t, cli, addr)
	tt.step("dial", arrival{"AfterDial", 1}, arrival{"AfterAccept", 1})
	if err := cli.Close(); err != nil {
		t.Fatal(err)
	}
	tt.step("close-endpoint", arrival{"AfterCloseEndpoint", 0}, arrival{"AfterDisconnect", 0})
	if err := errors.Join(srv.Close(), srv.Close()); err != nil {
		t.Fatal(err)
	}
	tt.step("close-idle-server", arrival{}, arrival{"AfterCloseEndpoint", 0})
}

// The roles of a connection do not decide who may call.
func TestHooksOfACallBackFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	srv, cli := tt.server(EndpointConfig{}), tt.client(EndpointConfig{})
	tracedRoutes(cli)
	sess := dial(t, cli, serve(t, srv))
	polltest.Until(t, "the session on the server", func() bool {
		return srv.CountSession() == 1 && tt.srv.reached("AfterAccept", 1) && tt.cli.reached("AfterDial", 1)
	})
	tt.cli.take()
	tt.srv.take()
	back, ok := srv.GetSession(sess.LocalAddr().String())
	if !ok {
		t.Fatal("the server does not know the session by the address of the client")
	}
	var sum int
	if stat := back.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
		t.Fatalf("%v, sum %d", stat, sum)
	}
	tt.step("call-back", arrival{"AfterWriteReply", 1}, arrival{"AfterReadReplyBody", 1})

	if err := back.Close(); err != nil {
		t.Fatal(err)
	}
	tt.step("disconnect-by-server", arrival{"AfterDisconnect", 0}, arrival{"AfterDisconnect", 0})
}

func TestHooksOfServeConnFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	srv := tt.server(EndpointConfig{})
	polltest.Until(t, "start", func() bool { return tt.srv.reached("AfterNewEndpoint", 0) })
	tt.srv.take()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	sess, stat := srv.ServeConn(near)
	if stat != nil {
		t.Fatal(stat)
	}
	tt.step("serve-conn", arrival{}, arrival{"AfterAccept", 1})
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	polltest.Receive(t, "the end of the session", sess.CloseNotify())
	tt.step("disconnect-by-client", arrival{}, arrival{"AfterDisconnect", 0})
}

// deadAddr is an address that nobody listens on, and that no listener on any port gets.
func deadAddr(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", porttest.Free(t))
}

func TestHooksOfAFailedDialFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	cli := tt.client(EndpointConfig{RedialTimes: 3, RedialInterval: time.Millisecond})
	tt.cli.take()
	if sess, stat := cli.Dial(deadAddr(t)); stat.Code() != CodeDialFailed || sess != nil {
		t.Fatalf("%v, session %v", stat, sess)
	}
	tt.step("dial-failure", arrival{"AfterDialFail", 0}, arrival{})
}

func TestHooksOfADialThatAHookFailsFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	addr := serve(t, newPeer(t, EndpointConfig{}))
	cli := newPeer(t, EndpointConfig{RedialTimes: 3, RedialInterval: time.Millisecond}, &probe{"recorder", func(kind hookKind, detail string) *Status {
		tt.cli.on(kind, detail)
		if kind == hookAfterDial {
			return NewStatus(1234, "not this one", "because")
		}
		return nil
	}})
	tt.cli.take()
	_, stat := cli.Dial(addr)
	wantStatus(t, stat, CodeDialFailed, "because")
	tt.step("dial-refused-by-hook", arrival{"AfterDialFail", 0}, arrival{})
}

func TestHooksOfARejectedAcceptFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	srv := newPeer(t, EndpointConfig{}, &probe{"recorder", func(kind hookKind, detail string) *Status {
		tt.srv.on(kind, detail)
		if kind == hookAfterAccept {
			return NewStatus(1234, "go away")
		}
		return nil
	}})
	addr := serve(t, srv)
	cli := tt.client(EndpointConfig{})
	tt.cli.take()
	tt.srv.take()
	sess := dial(t, cli, addr)
	polltest.Receive(t, "the end of the session", sess.CloseNotify())
	tt.step("reject", arrival{"AfterDisconnect", 1}, arrival{"AfterDisconnect", 0})
	if srv.CountSession() != 0 || sess.Health() {
		t.Errorf("%d sessions on the server, healthy %v", srv.CountSession(), sess.Health())
	}

	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	if sess, stat := srv.ServeConn(near); stat.Code() != 1234 || sess != nil {
		t.Errorf("ServeConn: %v, session %v", stat, sess)
	}
	tt.step("serve-conn-rejected", arrival{}, arrival{"AfterDisconnect", 0})
}

// switchboard passes connections on to the endpoint of the moment, so that a server may go and come back at the same
// address.
func switchboard(t *testing.T, first Endpoint) (addr string, plug *atomic.Pointer[Endpoint], ln net.Listener) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plug = new(atomic.Pointer[Endpoint])
	plug.Store(&first)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if _, stat := (*plug.Load()).ServeConn(conn); stat != nil {
				t.Errorf("ServeConn: %v", stat)
			}
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String(), plug, ln
}

// moveOn closes the first server, once it has its session, when connections already go to the second.
func moveOn(t *testing.T, plug *atomic.Pointer[Endpoint], first, second Endpoint) {
	t.Helper()
	polltest.Until(t, "the session at the first server", func() bool { return first.CountSession() == 1 })
	plug.Store(&second)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHooksOfARedialFireInOrder(t *testing.T) {
	t.Parallel()
	tt := &traced{t: t}
	first, second := newPeer(t, EndpointConfig{}), tt.server(EndpointConfig{})
	tracedRoutes(second)
	tt.srv.take()
	addr, plug, ln := switchboard(t, first)
	cli := tt.client(EndpointConfig{RedialTimes: 1, RedialInterval: time.Millisecond})
	tt.cli.take()
	sess := dial(t, cli, addr)
	polltest.Until(t, "the first reader", func() bool { return tt.cli.reached("AfterDial", 1) })
	tt.cli.take()

	moveOn(t, plug, first, second)
	tt.step("redial", arrival{"AfterDial", 1}, arrival{"AfterAccept", 1})

	var sum int
	if stat := sess.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
		t.Fatalf("%v, sum %d", stat, sum)
	}
	tt.step("call-after-redial", arrival{"AfterReadReplyBody", 1}, arrival{"AfterWriteReply", 1})

	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	polltest.Receive(t, "the end of the session", sess.CloseNotify())
	tt.step("redial-failure", arrival{"AfterDisconnect", 0}, arrival{"AfterCloseEndpoint", 0})
}

// outcome is what became of everything that one endpoint with a failing hook and an honest one can do with each other.
type outcome struct {
	Make, Route, Listen, Close bool  // whether it gave an error
	DeadDial, Dial             int32 // status codes
	CallOut, CallIn, PushOut   int32 // out: by the failing endpoint
	RanOut, RanIn, PushedIn    bool  // whether the handler ran
}

// all is the outcome where no hook has a say.
var all = outcome{DeadDial: CodeDialFailed, RanOut: true, RanIn: true, PushedIn: true}

// ended are the outcomes of what is done over a connection that is gone.
func (o *outcome) ended() {
	o.CallOut, o.CallIn, o.PushOut = CodeConnClosed, CodeConnClosed, CodeConnClosed
	o.RanOut, o.RanIn, o.PushedIn = false, false, false
}

// hookEffects says what a failure of each hook changes. code is that of the status the hook returns, or of the one
// that a panic becomes; asClient whether the failing endpoint is the one that dials.
var hookEffects = [hookCount]func(o *outcome, code int32, asClient bool){
	hookBeforeNewEndpoint:   func(o *outcome, _ int32, _ bool) { *o = outcome{Make: true} },
	hookAfterNewEndpoint:    func(o *outcome, _ int32, _ bool) { *o = outcome{Make: true} },
	hookBeforeCloseEndpoint: func(o *outcome, _ int32, _ bool) { o.Close = true },
	hookAfterCloseEndpoint:  func(o *outcome, _ int32, _ bool) { o.Close = true },
	hookAfterRegRouter: func(o *outcome, _ int32, _ bool) {
		o.Route, o.CallIn, o.RanIn, o.PushedIn = true, CodeNotFound, false, false
	},
	hookAfterListen: func(o *outcome, _ int32, asClient bool) {
		if !asClient {
			*o = outcome{Listen: true, DeadDial: CodeDialFailed}
		}
	},
	hookBeforeDial: func(o *outcome, code int32, asClient bool) {
		if code == CodeInternalServerError {
			code = CodeDialFailed // a panic
		}
		o.DeadDial = code
		if asClient {
			*o = outcome{DeadDial: code, Dial: code}
		}
	},
	hookAfterDial: func(o *outcome, _ int32, asClient bool) {
		if asClient {
			*o = outcome{DeadDial: CodeDialFailed, Dial: CodeDialFailed}
		}
	},
	hookAfterDialFail: func(*outcome, int32, bool) {},
	hookAfterAccept: func(o *outcome, _ int32, asClient bool) {
		if !asClient {
			o.ended()
		}
	},
	hookBeforeWriteCall:      func(o *outcome, code int32, _ bool) { o.CallOut, o.RanOut = code, false },
	hookAfterWriteCall:       func(*outcome, int32, bool) {},
	hookBeforeWriteReply:     func(*outcome, int32, bool) {},
	hookAfterWriteReply:      func(*outcome, int32, bool) {},
	hookBeforeWritePush:      func(o *outcome, code int32, _ bool) { o.PushOut = code },
	hookAfterWritePush:       func(*outcome, int32, bool) {},
	hookBeforeReadHeader:     func(o *outcome, _ int32, _ bool) { o.ended() },
	hookAfterReadCallHeader:  func(o *outcome, code int32, _ bool) { o.CallIn, o.RanIn = code, false },
	hookBeforeReadCallBody:   func(o *outcome, code int32, _ bool) { o.CallIn, o.RanIn = code, false },
	hookAfterReadCallBody:    func(o *outcome, code int32, _ bool) { o.CallIn, o.RanIn = code, false },
	hookAfterReadPushHeader:  func(o *outcome, _ int32, _ bool) { o.PushedIn = false },
	hookBeforeReadPushBody:   func(o *outcome, _ int32, _ bool) { o.PushedIn = false },
	hookAfterReadPushBody:    func(o *outcome, _ int32, _ bool) { o.PushedIn = false },
	hookAfterReadReplyHeader: func(o *outcome, code int32, _ bool) { o.CallOut = code },
	hookBeforeReadReplyBody:  func(o *outcome, code int32, _ bool) { o.CallOut = code },
	hookAfterReadReplyBody:   func(o *outcome, code int32, _ bool) { o.CallOut = code },
	hookAfterDisconnect:      func(*outcome, int32, bool) {},
}

// life is one run with a plugin that fails in one hook.
type life struct {
	t        *testing.T
	kind     hookKind
	asClient bool
	panics   bool
	fired    atomic.Bool
	got      outcome
}

const hookCode = 1234

func (f *life) plugin() *probe {
	return &probe{"faulty " + f.t.Name(), func(kind hookKind, _ string) *Status {
		if kind != f.kind {
			return nil
		}
		f.fired.Store(true)
		if f.panics {
			panic("boom")
		}
		return NewStatus(hookCode, "hook says no")
	}}
}

// register gives e handlers that note in ran and pushed whether they ran, and returns the first error.
func register(e Endpoint, ran, pushed *atomic.Bool) error {
	_, err := AddCall(e, "/call", func(_ CallCtx, arg *string) (string, *Status) {
		ran.Store(true)
		return *arg, nil
	})
	_, pushErr := AddPush(e, "/push", func(PushCtx, *string) *Status {
		pushed.Store(true)
		return nil
	})
	return errors.Join(err, pushErr)
}

func (f *life) run() {
	t, got := f.t, &f.got
	faulty, err := New(EndpointConfig{LocalIP: "127.0.0.1"}, f.plugin())
	if got.Make = err != nil; got.Make {
		if !strings.Contains(err.Error(), "faulty") {
			t.Errorf("the error does not name the plugin: %v", err)
		}
		return
	}
	var ranOut, ranIn, pushedOut, pushedIn atomic.Bool
	honest := newPeer(t, EndpointConfig{})
	if err = register(honest, &ranOut, &pushedOut); err != nil {
		t.Fatal(err)
	}
	got.Route = register(faulty, &ranIn, &pushedIn) != nil
	_, stat := faulty.Dial(deadAddr(t))
	got.DeadDial = stat.Code()
	if near, far, up := f.connect(faulty, honest); up {
		f.converse(near, far)
	}
	err = faulty.Close()
	if got.Close = err != nil; got.Close && !strings.Contains(err.Error(), "faulty") {
		t.Errorf("the error does not name the plugin: %v", err)
	}
	// Close has waited for what still ran.
	got.RanOut, got.RanIn, got.PushedIn = ranOut.Load(), ranIn.Load(), pushedIn.Load()
}

// connect makes a connection and returns its session at the failing and at the honest endpoint.
func (f *life) connect(faulty, honest Endpoint) (near, far Session, up bool) {
	cli, srv := faulty, honest
	if !f.asClient {
		cli, srv = honest, faulty
	}
	listened := make(chan error, 1)
	go func() { listened <- srv.ListenAndServe() }()
	f.t.Cleanup(func() {
		_ = srv.Close() // if it is the failing one, its error was looked at before
		if err := <-listened; !errors.Is(err, ErrListenClosed) && !f.got.Listen {
			f.t.Errorf("ListenAndServe: %v", err)
		}
	})
	// A hook that fails ListenAndServe may have had its listener seen before.
	polltest.Until(f.t, "listening", func() bool { return len(srv.Addrs()) > 0 || len(listened) > 0 })
	if f.kind == hookAfterListen && !f.asClient {
		polltest.Until(f.t, "the end of ListenAndServe", func() bool { return len(listened) > 0 })
	}
	if len(listened) > 0 {
		f.got.Listen = true
		return nil, nil, false
	}
	dialled, stat := cli.Dial(srv.Addrs()[0].String())
	if f.got.Dial = stat.Code(); stat != nil {
		return nil, nil, false
	}
	var accepted Session
	polltest.Until(f.t, "the accepted session", func() bool {
		srv.RangeSession(func(s Session) bool { accepted = s; return false })
		select {
		case <-dialled.CloseNotify():
			return true
		default:
			return accepted != nil
		}
	})
	if f.asClient {
		return dialled, accepted, true
	}
	return accepted, dialled, true
}

// converse calls and pushes both ways. A session that is gone already stands for what it would say.
func (f *life) converse(near, far Session) {
	if f.kind == hookBeforeReadHeader {
		// The connection ends by itself; what comes before that is a matter of luck.
		for _, s := range []Session{near, far} {
			if s != nil {
				polltest.Receive(f.t, "the end of the session", s.CloseNotify())
			}
		}
	}
	call := func(s Session) int32 {
		if s == nil {
			return CodeConnClosed
		}
		var reply string
		stat := s.Call("/call", "x", &reply).Status()
		if stat == nil && reply != "x" {
			f.t.Errorf("reply %q", reply)
		}
		return stat.Code()
	}
	push := func(s Session) int32 {
		if s == nil {
			return CodeConnClosed
		}
		return s.Push("/push", "x").Code()
	}
	f.got.CallOut = call(near)
	f.got.PushOut = push(near)
	push(far)
	// Calls come after pushes, so that once this one is answered the push is known to have been read.
	f.got.CallIn = call(far)
}

// logLines collects what is logged.
type logLines struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *logLines) Log(_ int, v ...any) { l.add(fmt.Sprint(v...)) }

func (l *logLines) LogF(_ int, format string, v ...any) { l.add(fmt.Sprintf(format, v...)) }

func (l *logLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(&l.lines, line)
}

func (l *logLines) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.lines.String(), text)
}

func (l *logLines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.lines.String(), text)
}

// captureLog collects errors and warnings until the test ends, and keeps them off the screen.
func captureLog(t *testing.T) *logLines {
	t.Helper()
	lines := new(logLines)
	was := logger.GetLevel()
	logger.SetStdoutPrint(false)
	logger.SetLevel(logger.LevelError | logger.LevelWarning)
	logger.AddHandler(t.Name(), lines)
	t.Cleanup(func() {
		logger.RemoveHandler(t.Name())
		logger.SetLevel(was)
		logger.SetStdoutPrint(true)
	})
	return lines
}

// Every hook fails once by a status and once by a panic, at the end that dials and at the one that listens. The level
// of the log belongs to the process, hence no Parallel for the whole.
func TestFailureOfEachHookHasTheEffectOfItsTable(t *testing.T) {
	lines := captureLog(t)
	for kind := range hookCount {
		for _, asClient := range []bool{true, false} {
			for _, panics := range []bool{false, true} {
				name := fmt.Sprintf("%v/%s/%s", kind, map[bool]string{true: "client", false: "server"}[asClient],
					map[bool]string{true: "panic", false: "status"}[panics])
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f := &life{t: t, kind: kind, asClient: asClient, panics: panics}
					f.run()
					want, code := all, int32(hookCode)
					if panics {
						code = CodeInternalServerError
					}
					hookEffects[kind](&want, code, asClient)
					if f.got != want {
						t.Errorf("\ngot  %+v\nwant %+v", f.got, want)
					}
					f.checkFired(lines)
				})
			}
		}
	}
}

// checkFired checks that the hook has run where it should, and that its panic was logged with the plugin's name.
func (f *life) checkFired(lines *logLines) {
	never := f.asClient && (f.kind == hookAfterListen || f.kind == hookAfterAccept) || !f.asClient && f.kind == hookAfterDial
	if f.fired.Load() == never {
		f.t.Errorf("the hook has run: %v", f.fired.Load())
	}
	if f.panics && !never {
		if text := fmt.Sprintf("plugin faulty %s panicked in %v: boom", f.t.Name(), f.kind); !lines.contains(text) {
			f.t.Errorf("the log does not say %q", text)
		}
	}
}

// A status that is OK but not nil is no failure.
func TestOKStatusOfAHookGoesOn(t *testing.T) {
	t.Parallel()
	var fired [hookCount]atomic.Bool
	p := &probe{"polite", func(kind hookKind, _ string) *Status {
		fired[kind].Store(true)
		switch kind {
		case hookBeforeNewEndpoint, hookAfterNewEndpoint, hookBeforeCloseEndpoint, hookAfterCloseEndpoint,
			hookAfterRegRouter, hookAfterListen, hookBeforeReadHeader:
			return nil // these return errors
		}
		return new(Status)
	}}
	srv := newPeer(t, EndpointConfig{}, p)
	rung := tracedRoutes(srv)
	cli := newPeer(t, EndpointConfig{}, p)
	sess := dial(t, cli, serve(t, srv))
	var sum int
	if stat := sess.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
		t.Errorf("%v, sum %d", stat, sum)
	}
	if stat := sess.Push("/bell/ring", "ding"); stat != nil {
		t.Error(stat)
	}
	polltest.Receive(t, "the push", rung)
	if err := errors.Join(cli.Close(), srv.Close()); err != nil {
		t.Error(err)
	}
	for kind := range hookCount {
		if !fired[kind].Load() && kind != hookAfterDialFail {
			t.Errorf("%v has not run", kind)
		}
	}
}

func TestFirstFailureStopsTheHooksBehindIt(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ran []string
	plugin := func(name string, stat *Status) Plugin {
		return &probe{name, func(kind hookKind, _ string) *Status {
			if kind != hookBeforeWriteCall && kind != hookAfterWriteCall {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, name+" "+kind.String())
			return stat
		}}
	}
	cli := newPeer(t, EndpointConfig{}, plugin("a", nil), plugin("b", NewStatus(hookCode, "no")), plugin("c", nil))
	sess := dial(t, cli, serve(t, newPeer(t, EndpointConfig{})))
	wantStatus(t, sess.Call("/x", nil, nil).Status(), hookCode, "")
	if got := strings.Join(ran, ", "); got != "a BeforeWriteCall, b BeforeWriteCall" {
		t.Errorf("ran %s", got)
	}
}

func TestResultIsThereAlthoughTheLastHookFailsTheCall(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	srv.RouteCall(new(Abacus))
	cli := newPeer(t, EndpointConfig{}, &probe{"late", func(kind hookKind, _ string) *Status {
		if kind == hookAfterReadReplyBody {
			return NewStatus(hookCode, "no")
		}
		return nil
	}})
	var sum int
	stat := dial(t, cli, serve(t, srv)).Call("/abacus/add", []int{1, 2}, &sum).Status()
	wantStatus(t, stat, hookCode, "")
	if sum != 3 {
		t.Errorf("sum %d", sum)
	}
}

// bad is a plugin whose one hook panics.
func bad(which hookKind) Plugin {
	return &probe{"bad", func(kind hookKind, _ string) *Status {
		if kind == which {
			panic("boom")
		}
		return nil
	}}
}

func TestPanicOfAHookEndsAnAsynchronousCallAsAnyOther(t *testing.T) {
	t.Parallel()
	addr := serve(t, newPeer(t, EndpointConfig{}))
	for _, kind := range []hookKind{hookBeforeWriteCall, hookAfterReadReplyHeader, hookBeforeReadReplyBody} {
		sess := dial(t, newPeer(t, EndpointConfig{}, bad(kind)), addr)
		done := make(chan CallCmd, 1)
		call := sess.AsyncCall("/nobody", nil, nil, done)
		if call == nil {
			t.Fatalf("%v: no call", kind)
		}
		if got := polltest.Receive(t, "the end of the call", done); got != call {
			t.Errorf("%v: another call was delivered", kind)
		}
		wantStatus(t, call.Status(), CodeInternalServerError, "plugin bad panicked in "+kind.String())
		if call.InputMeta() == nil || call.InputBodyCodec() != 0 {
			t.Errorf("%v: meta %v, codec %d", kind, call.InputMeta(), call.InputBodyCodec())
		}
		if err := sess.Close(); err != nil { // waits for calls that never end
			t.Error(err)
		}
	}
}

func TestBeforeDialCannotStopARedial(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() *Status{
		"status": func() *Status { return NewStatus(hookCode, "no") },
		"panic":  func() *Status { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
			tracedRoutes(second)
			addr, plug, _ := switchboard(t, first)
			cli := newPeer(t, EndpointConfig{RedialTimes: 1, RedialInterval: time.Millisecond}, &probe{"faulty", func(kind hookKind, detail string) *Status {
				if kind == hookBeforeDial && detail == "redial true" {
					return fail()
				}
				return nil
			}})
			sess := dial(t, cli, addr)
			moveOn(t, plug, first, second)
			polltest.Until(t, "the session at the second server", func() bool { return second.CountSession() == 1 })
			var sum int
			if stat := sess.Call("/abacus/add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
				t.Errorf("%v, sum %d", stat, sum)
			}
		})
	}
}

func TestAfterDialThatFailsOnARedialIsAFailedAttempt(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() *Status{
		"status": func() *Status { return NewStatus(hookCode, "no") },
		"panic":  func() *Status { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
			addr, plug, _ := switchboard(t, first)
			var attempts, failed, gone atomic.Int32
			cli := newPeer(t, EndpointConfig{RedialTimes: 3, RedialInterval: time.Millisecond}, &probe{"faulty", func(kind hookKind, detail string) *Status {
				switch {
				case kind == hookAfterDial && detail == "redial true":
					attempts.Add(1)
					return fail()
				case kind == hookAfterDialFail:
					failed.Add(1)
				case kind == hookAfterDisconnect:
					gone.Add(1)
				}
				return nil
			}})
			sess := dial(t, cli, addr)
			moveOn(t, plug, first, second)
			polltest.Receive(t, "the end of the session", sess.CloseNotify())
			polltest.Until(t, "AfterDisconnect", func() bool { return gone.Load() == 1 })
			if attempts.Load() != 3 || failed.Load() != 1 {
				t.Errorf("%d attempts, AfterDialFail ran %d times", attempts.Load(), failed.Load())
			}
			polltest.Until(t, "the end of the attempts at the server", func() bool { return second.CountSession() == 0 })
		})
	}
}

// statusWatcher notes the status that a reply is about to carry.
type statusWatcher struct{ seen chan int32 }

func (statusWatcher) Name() string { return "status watcher" }

func (w statusWatcher) BeforeWriteReply(c WriteCtx) *Status {
	w.seen <- c.Status().Code()
	return nil
}

func TestStatusBeforeAReplyIsThatOfTheReply(t *testing.T) {
	t.Parallel()
	w := statusWatcher{make(chan int32, 1)}
	srv := newPeer(t, EndpointConfig{}, w)
	srv.RouteCall(new(Abacus))
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, c := range []struct {
		path string
		code int32
	}{{"/abacus/add", CodeOK}, {"/nobody", CodeNotFound}} {
		// A peer may send a status with its call; it is none of the reply's.
		sess.Call(c.path, []int{1}, nil, WithStatus(NewStatus(777, "of the call")))
		if got := polltest.Receive(t, "the reply", w.seen); got != c.code {
			t.Errorf("%s: status %d, want %d", c.path, got, c.code)
		}
	}
}

// rerouter sends a call somewhere else before it is looked up.
type rerouter struct{}

func (rerouter) Name() string { return "rerouter" }

func (rerouter) AfterReadCallHeader(c ReadCtx) *Status {
	c.ResetServiceMethod(strings.ToLower(c.ServiceMethod()))
	return nil
}

func TestHookBeforeTheLookupMayReroute(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, rerouter{})
	srv.RouteCall(new(Abacus))
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var sum int
	if stat := sess.Call("/ABACUS/Add", []int{1, 2}, &sum).Status(); stat != nil || sum != 3 {
		t.Errorf("%v, sum %d", stat, sum)
	}
}

// maker changes the configuration and adds a plugin while the endpoint is made, and routes when it is.
type maker struct{ added Plugin }

func (maker) Name() string { return "maker" }

func (m maker) BeforeNewEndpoint(cfg *EndpointConfig, plugins *PluginContainer) error {
	cfg.DefaultBodyCodec = "plain"
	plugins.AppendRight(m.added)
	return nil
}

func (maker) AfterNewEndpoint(e EarlyEndpoint) error {
	_, err := e.Router().AddCall(new(Abacus))
	return err
}

func TestHooksOfTheMakingMayConfigureExtendAndRoute(t *testing.T) {
	t.Parallel()
	w := new(watcher)
	e := newPeer(t, EndpointConfig{}, maker{w})
	if got := e.(*endpoint).cfg.bodyCodec.Name(); got != "plain" {
		t.Errorf("codec %s", got)
	}
	if len(w.seen) != 1 || e.PluginContainer().GetByName("watcher") != w {
		t.Errorf("the plugin that was added saw %q", w.seen)
	}
	if _, err := New(EndpointConfig{}, maker{marker("maker")}); err == nil || err.Error() != "repeat add plugin: maker" {
		t.Errorf("a repeated plugin added by a hook: %v", err)
	}
	if _, err := New(EndpointConfig{}, maker{nil}); err == nil || err.Error() != "plugin cannot be nil!" {
		t.Errorf("a nil plugin added by a hook: %v", err)
	}
}
