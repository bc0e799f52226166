package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/selector"
)

func TestConcurrentFirstCallsDialOnce(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c := newClientOf(t, listed(t, n.addr))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { echo(t, c) })
	}
	wg.Wait()
	if st := n.Stats(); st.Accepted != 1 {
		t.Errorf("%d connections, want one", st.Accepted)
	}
	if _, ok := c.Endpoint().GetSession(n.addr); !ok {
		t.Error("the session does not have the address of its node as id")
	}
}

func TestCallsGoToAllNodes(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	c := newClientOf(t, listed(t, a.addr, b.addr))
	for range 200 {
		echo(t, c)
	}
	if a.calls.Load() == 0 || b.calls.Load() == 0 {
		t.Errorf("%d and %d calls", a.calls.Load(), b.calls.Load())
	}
}

// busy is a plugin that refuses calls as a server does that has too much to do.
type busy struct{ refused atomic.Int64 }

func (*busy) Name() string { return "busy" }

func (b *busy) AfterReadCallHeader(ctx drpc.ReadCtx) *drpc.Status {
	if ctx.ServiceMethod() != "/echo" {
		return nil
	}
	b.refused.Add(1)
	return drpc.NewStatus(drpc.CodeBusy, "busy")
}

func TestCallThatWasNotExecutedGoesElsewhere(t *testing.T) {
	t.Parallel()
	refusing := new(busy)
	a, b := newNode(t, refusing), newNode(t)
	c := newClientOf(t, listed(t, a.addr, b.addr),
		OptSelector(selector.NewSelector(selector.OptRegistry(listed(t, a.addr, b.addr)), selector.OptBalancer(selector.RoundRobin()),
			selector.OptHealth(selector.Health{Consecutive: -1, ErrorRate: 2}))))
	const calls = 100
	for range calls {
		echo(t, c)
	}
	if n := b.calls.Load(); n != calls || refusing.refused.Load() == 0 {
		t.Errorf("%d calls executed, %d refused; want %d and some", n, refusing.refused.Load(), calls)
	}
}

func TestNodeThatCannotBeDialledIsPassedOver(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c := newClientOf(t, listed(t, n.addr, nobodyAt(t)))
	for range 100 {
		echo(t, c)
	}
	if calls := n.calls.Load(); calls != 100 {
		t.Errorf("%d calls, want 100", calls)
	}
}

// cutting makes a node cut the connection of each call to /cut the first time.
func cutting(n *node) *atomic.Int64 {
	var calls atomic.Int64
	drpc.HandleCall(n, "/cut", func(c drpc.CallCtx, _ *string) (string, *drpc.Status) {
		if calls.Add(1) == 1 {
			drpc.Cut(c.Session().(drpc.Session), errors.New("on purpose"))
			<-c.Context().Done()
		}
		return "again", nil
	})
	return &calls
}

func TestOnlyIdempotentCallsAreExecutedTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opt     []Option
		setting []message.MsgSetting
		calls   int64
		code    int32
	}{
		"unmarked":     {nil, nil, 1, drpc.CodeConnClosed},
		"by setting":   {nil, []message.MsgSetting{WithIdempotent()}, 2, drpc.CodeOK},
		"by option":    {[]Option{OptIdempotent("/other", "/cut")}, nil, 2, drpc.CodeOK},
		"one attempt":  {[]Option{OptRetryTimes(1)}, []message.MsgSetting{WithIdempotent()}, 1, drpc.CodeConnClosed},
		"zero is one":  {[]Option{OptRetryTimes(0)}, nil, 1, drpc.CodeConnClosed},
		"another one":  {[]Option{OptIdempotent("/other")}, nil, 1, drpc.CodeConnClosed},
		"four allowed": {[]Option{OptRetryTimes(4)}, []message.MsgSetting{WithIdempotent()}, 2, drpc.CodeOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			calls := cutting(n)
			cli := newClientOf(t, listed(t, n.addr), c.opt...)
			cmd := cli.Call("/cut", "", nil, c.setting...)
			if cmd.Status().Code() != c.code || calls.Load() != c.calls {
				t.Errorf("%v after %d executions, want code %d after %d", cmd.Status(), calls.Load(), c.code, c.calls)
			}
		})
	}
}

func TestBusyServiceIsAskedAgainForAFifthOfTheCallsOnly(t *testing.T) {
	t.Parallel()
	refusing := new(busy)
	n := newNode(t, refusing)
	c := newClientOf(t, listed(t, n.addr), OptRetryTimes(5))
	const calls = 1000
	for range calls {
		if code := c.Call("/echo", "", nil).Status().Code(); code != drpc.CodeBusy {
			t.Fatalf("code %d", code)
		}
	}
	if got, most := refusing.refused.Load(), int64(calls+calls/retryShare+savedRetries); got > most || got <= calls {
		t.Errorf("%d calls were made of %d, want some more, but at most %d", got, calls, most)
	}
}

func TestBudgetRefillsWithCalls(t *testing.T) {
	t.Parallel()
	b := newBudget()
	spent := 0
	for b.spend() {
		spent++
	}
	if spent != savedRetries {
		t.Errorf("%d retries in the beginning, want %d", spent, savedRetries)
	}
	for range 10 * retryShare {
		b.earn()
	}
	for spent = 0; b.spend(); spent++ {
	}
	if spent != 10 {
		t.Errorf("%d retries for %d calls", spent, 10*retryShare)
	}
}

func TestFailuresBeforeANodeIsChosen(t *testing.T) {
	t.Parallel()
	empty := newClientOf(t, listed(t))
	stat := empty.Call("/echo", "", nil).Status()
	if stat.Code() != drpc.CodeInternalServerError || stat.Msg() != "dmicro.client service svc: not found" ||
		!errors.Is(stat.Cause(), selector.ErrNotFound) || !drpc.NotExecuted(stat) {
		t.Errorf("no nodes: %v", stat)
	}
	if stat := empty.Push("/echo", ""); stat.Code() != drpc.CodeInternalServerError {
		t.Errorf("no nodes: %v", stat)
	}
	if _, stat := empty.PushAll("/echo", ""); stat.Code() != drpc.CodeInternalServerError {
		t.Errorf("no nodes: %v", stat)
	}
	n := newNode(t)
	other := newClientOf(t, listed(t, n.addr), OptServiceVersion("7.0.0"))
	stat = other.Call("/echo", "", nil).Status()
	if stat.Code() != drpc.CodeInternalServerError || !errors.Is(stat.Cause(), selector.ErrNoneAvailable) {
		t.Errorf("no node of this version: %v", stat)
	}
	gone := newClientOf(t, listed(t, nobodyAt(t)))
	if stat = gone.Call("/echo", "", nil).Status(); stat.Code() != drpc.CodeDialFailed || !drpc.NotExecuted(stat) {
		t.Errorf("nobody listens: %v", stat)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if stat = gone.Call("/echo", "", nil, drpc.WithContext(ctx)).Status(); stat.OK() {
		t.Error("a call that is over was made")
	}
}

func TestLastNodeLeavesAndReturns(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	r := listed(t, n.addr)
	c := newClientOf(t, r)
	echo(t, c)
	if err := r.Deregister(entry(n.addr)); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "calls fail at once", func() bool {
		return errors.Is(c.Call("/echo", "", nil).Status().Cause(), selector.ErrNotFound)
	})
	enlist(t, r, n.addr)
	polltest.Until(t, "calls work again", func() bool { return c.Call("/echo", "", nil).Status() == nil })
}

func TestSessionOfANodeThatLeftIsClosedAfterItsLastReply(t *testing.T) {
	t.Parallel()
	n, other := newNode(t), newNode(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(n, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(begun)
		<-finish
		return "done", nil
	})
	r := listed(t, n.addr)
	c := newClientOf(t, r)
	var reply string
	cmd := c.AsyncCall("/slow", "", &reply, nil)
	<-begun
	enlist(t, r, other.addr)
	if err := r.Deregister(entry(n.addr)); err != nil {
		t.Fatal(err)
	}
	polltest.Until(t, "the node is forgotten", func() bool { _, ok := c.pool.byAddr.Load(n.addr); return !ok })
	for range 20 {
		echo(t, c)
	}
	close(finish)
	<-cmd.Done()
	if cmd.Status() != nil || reply != "done" {
		t.Errorf("%q, %v", reply, cmd.Status())
	}
	polltest.Until(t, "the session is closed", func() bool { return n.CountSession() == 0 })
	if n.calls.Load() != 0 {
		t.Errorf("%d calls went to the node that had left", n.calls.Load())
	}
}

func TestNodeThatIsLeftOutForAWhileKeepsItsSession(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	c := newClientOf(t, nil, OptSelector(selector.NewSelector(selector.OptRegistry(listed(t, a.addr, b.addr)),
		selector.OptHealth(selector.Health{EjectFor: time.Hour, EjectMost: time.Hour}))))
	for a.calls.Load() == 0 || b.calls.Load() == 0 {
		echo(t, c)
	}
	c.opts.Selector.Mark("svc", entry(b.addr).Nodes[0], selector.ErrUnreachable)
	if chosen, err := c.available(); err != nil || len(chosen) != 1 {
		t.Fatalf("chosen from are %v, %v", chosen, err)
	}
	var missing map[string]bool
	for range 3 {
		missing = c.sweepOnce(missing)
	}
	if _, there := c.pool.byAddr.Load(b.addr); !there || b.CountSession() != 1 {
		t.Errorf("remembered %v, %d sessions", there, b.CountSession())
	}
}

func TestFailedNodeIsNotDialledAgainAndAgain(t *testing.T) {
	t.Parallel()
	c := newClientOf(t, listed(t, nobodyAt(t)), OptRetryTimes(1))
	until := time.Now().Add(500 * time.Millisecond)
	for time.Now().Before(until) {
		if code := c.Call("/echo", "", nil).Status().Code(); code != drpc.CodeDialFailed {
			t.Fatalf("code %d", code)
		}
	}
	// Pauses begin at three quarters of shortestPause and double.
	if failed := c.Endpoint().Stats().DialsFailed; failed > 10 {
		t.Errorf("%d dials in half a second", failed)
	}
}

func TestStoppedNodeGetsNoCallsBeforeItShowsLife(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	// One that accepts and says nothing, as the kernel does for a process that has stopped.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	c := newClientOf(t, listed(t, n.addr, ln.Addr().String()))
	s := c.pool.slot(ln.Addr().String())
	s.suspect = true // as after a loss
	for range 200 {
		echo(t, c)
	}
	if calls := n.calls.Load(); calls != 200 {
		t.Errorf("%d calls, want 200", calls)
	}
}

func TestEveryNodeGetsABroadcast(t *testing.T) {
	t.Parallel()
	var addrs []string
	var pushed atomic.Int64
	for range 5 {
		n := newNode(t)
		drpc.HandlePush(n, "/news", func(drpc.PushCtx, *string) *drpc.Status { pushed.Add(1); return nil })
		addrs = append(addrs, n.addr)
	}
	dead := nobodyAt(t)
	c := newClientOf(t, listed(t, append(addrs, dead)...))
	replies, stat := c.CallAll("/echo", "all", func() any { return new(string) })
	if stat != nil || len(replies) != 6 {
		t.Fatalf("%d replies, %v", len(replies), stat)
	}
	for _, r := range replies {
		if r.Node.Address == dead {
			if r.Status.Code() != drpc.CodeDialFailed {
				t.Errorf("the dead one: %v", r.Status)
			}
		} else if r.Status != nil || *r.Result.(*string) != "all" {
			t.Errorf("%s: %v, %v", r.Node.Address, r.Result, r.Status)
		}
	}
	if replies, stat = c.PushAll("/news", "today"); stat != nil || len(replies) != 6 {
		t.Fatalf("%d replies, %v", len(replies), stat)
	}
	polltest.Until(t, "all have the news", func() bool { return pushed.Load() == 5 })
}

func TestCloseWaitsAndRefuses(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	drpc.HandleCall(n, "/slow", func(drpc.CallCtx, *string) (string, *drpc.Status) {
		close(begun)
		<-finish
		return "done", nil
	})
	c := newClientOf(t, listed(t, n.addr))
	var reply string
	cmd := c.AsyncCall("/slow", "", &reply, nil)
	<-begun
	closed := make(chan struct{})
	go func() {
		c.Close()
		c.Close()
		close(closed)
	}()
	polltest.Until(t, "calls are refused", func() bool {
		stat := c.Call("/echo", "", nil).Status()
		return stat.Code() == drpc.CodeWrongConn && stat.Msg() == "client is closed" && drpc.NotExecuted(stat)
	})
	select {
	case <-closed:
		t.Error("Close has not waited")
	default:
	}
	close(finish)
	<-closed
	<-cmd.Done()
	if cmd.Status() != nil || reply != "done" {
		t.Errorf("%q, %v", reply, cmd.Status())
	}
	if stat := c.Push("/echo", ""); stat.Code() != drpc.CodeWrongConn {
		t.Errorf("push: %v", stat)
	}
	if _, stat := c.CallAll("/echo", "", nil); stat.Code() != drpc.CodeWrongConn {
		t.Errorf("call all: %v", stat)
	}
	async := make(chan drpc.CallCmd, 1)
	c.AsyncCall("/echo", "", nil, async)
	if stat := (<-async).Status(); stat.Code() != drpc.CodeWrongConn {
		t.Errorf("async: %v", stat)
	}
	unused, err := New("svc", OptRegistry(listed(t)))
	if err != nil {
		t.Fatal(err)
	}
	unused.Close()
}

func TestAsyncCallIsLikeThatOfASession(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c := newClientOf(t, listed(t, n.addr))
	done := make(chan drpc.CallCmd, 1)
	var reply string
	cmd := c.AsyncCall("/echo", "x", &reply, done, drpc.WithSetMeta("k", "v"))
	if got := <-done; got != cmd || !got.StatusOK() {
		t.Errorf("%v", got.Status())
	}
	if result, stat := cmd.Reply(); stat != nil || *result.(*string) != "x" || cmd.CostTime() <= 0 || cmd.InputBodyCodec() == 0 {
		t.Errorf("%v, %v, %v", result, stat, cmd.CostTime())
	}
	if sess, ok := cmd.TraceSession(); !ok || sess.ID() != n.addr {
		t.Error("another session")
	}
	if e, ok := cmd.TraceEndpoint(); !ok || e != c.Endpoint() {
		t.Error("another endpoint")
	}
	if cmd.Output().ServiceMethod() != "/echo" || cmd.Output().Meta().Get("k") != "v" || cmd.InputMeta() == nil || cmd.Context() == nil {
		t.Error("another message")
	}
	defer func() {
		if recover() == nil {
			t.Error("an unbuffered channel was taken")
		}
	}()
	c.AsyncCall("/echo", "x", &reply, make(chan drpc.CallCmd))
}

func TestSelectorThatIsNoPickerWillDo(t *testing.T) {
	t.Parallel()
	refusing := new(busy)
	a, b := newNode(t, refusing), newNode(t)
	r := listed(t, a.addr, b.addr)
	s := plainSelector{selector.NewSelector(selector.OptRegistry(r), selector.OptStrategy(selector.Random),
		selector.OptHealth(selector.Health{Consecutive: -1, ErrorRate: 2}))}
	c := newClientOf(t, nil, OptSelector(s), OptServiceVersion("1.0.0"))
	for range 50 {
		echo(t, c)
	}
	if c.picker != nil || b.calls.Load() != 50 {
		t.Errorf("%d calls", b.calls.Load())
	}
}

// plainSelector hides that a selector is a Picker.
type plainSelector struct{ selector.Selector }

func TestFixedNodesNeedNoRegistry(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c, err := New("svc", OptCustomService(&registry.Service{Name: "svc", Nodes: []*registry.Node{{Id: "1", Address: n.addr}}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	echo(t, c)
	if c.Options().ServiceVersion != "1.0.0" {
		t.Errorf("the version is %q", c.Options().ServiceVersion)
	}
	for _, bad := range []*registry.Service{nil, {Name: "svc"}} {
		if _, err := New("svc", OptCustomService(bad)); !errors.Is(err, registry.ErrInvalidService) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestOrderOfRegistryAndSelectorDoesNotMatter(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	s := selector.NewSelector(selector.OptRegistry(listed(t, n.addr)))
	for _, opts := range [][]Option{{OptRegistry(listed(t)), OptSelector(s)}, {OptSelector(s), OptRegistry(listed(t))}} {
		c, err := New("svc", opts...)
		if err != nil {
			t.Fatal(err)
		}
		echo(t, c)
		c.Close()
	}
}

func TestClientTakesWhatServersPush(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c := newClientOf(t, listed(t, n.addr))
	got := make(chan string, 1)
	drpc.HandlePush(c.SubRoute(""), "/news", func(_ drpc.PushCtx, arg *string) *drpc.Status { got <- *arg; return nil })
	echo(t, c)
	n.RangeSession(func(sess drpc.Session) bool { return sess.Push("/news", "today").OK() })
	if s := <-got; s != "today" {
		t.Error(s)
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := newClientOf(t, listed(t, n.addr), OptContext(ctx))
	echo(t, c)
	cancel()
	polltest.Until(t, "the client has closed", func() bool { return n.CountSession() == 0 })
}

func TestCloseWhileCalling(t *testing.T) {
	t.Parallel()
	for range 20 {
		n := newNode(t)
		c := newClientOf(t, listed(t, n.addr))
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for {
					var stat *drpc.Status
					if i%2 == 0 {
						stat = c.Call("/echo", "x", new(string)).Status()
					} else {
						stat = c.Push("/echo", "x")
					}
					if stat != nil {
						if code := stat.Code(); code != drpc.CodeWrongConn && !drpc.IsConnError(stat) && !drpc.NotExecuted(stat) {
							t.Errorf("%v", stat)
						}
						return
					}
				}
			})
		}
		polltest.Until(t, "calls are made", func() bool { return n.calls.Load() > 10 })
		c.Close()
		wg.Wait()
	}
}

// hanging is a registry that does not answer.
type hanging struct{ registry.Registry }

func (hanging) GetService(_ string, opts ...registry.GetOption) ([]*registry.Service, error) {
	ctx := registry.NewGetOptions(opts...).Context
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestCallsAndCloseDoNotHangWithTheRegistry(t *testing.T) {
	t.Parallel()
	c, err := New("svc", OptRegistry(hanging{listed(t)}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if stat := c.Call("/echo", "", nil, drpc.WithContext(ctx)).Status(); stat.Code() != drpc.CodeHandleTimeout || !drpc.NotExecuted(stat) {
		t.Errorf("%v", stat)
	}
	c.Close()
}

func TestCloseFromAHandlerDoesNotWaitForItself(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c := newClientOf(t, listed(t, n.addr))
	closed := make(chan struct{})
	drpc.HandlePush(c.SubRoute(""), "/bye", func(drpc.PushCtx, *string) *drpc.Status {
		c.Close()
		close(closed)
		return nil
	})
	echo(t, c)
	n.RangeSession(func(sess drpc.Session) bool { return sess.Push("/bye", "").OK() })
	<-closed
	polltest.Until(t, "the session has ended", func() bool { return n.CountSession() == 0 })
}

func TestCloseFromAHandlerDoesNotWaitForAnotherClose(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	c := newClientOf(t, listed(t, n.addr))
	begun, proceed, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
	drpc.HandlePush(c.SubRoute(""), "/bye", func(drpc.PushCtx, *string) *drpc.Status {
		close(begun)
		<-proceed
		c.Close()
		close(returned)
		return nil
	})
	echo(t, c)
	n.RangeSession(func(sess drpc.Session) bool { return sess.Push("/bye", "").OK() })
	<-begun
	closed := make(chan struct{})
	go func() {
		c.Close() // waits for the handler
		close(closed)
	}()
	polltest.Until(t, "the client is closing", c.closed.Load)
	close(proceed)
	polltest.Receive(t, "the handler returns", returned)
	polltest.Receive(t, "Close returns", closed)
}

// closer closes a client as soon as it has a connection.
type closer struct{ client atomic.Pointer[RpcClient] }

func (*closer) Name() string { return "closer" }

func (p *closer) AfterDial(drpc.EarlySession, bool) *drpc.Status {
	p.client.Load().Close()
	return nil
}

func TestCloseFromAHookDoesNotWaitForItsDial(t *testing.T) {
	t.Parallel()
	p := new(closer)
	c := newClientOf(t, listed(t, newNode(t).addr), OptGlobalPlugin(p))
	p.client.Store(c)
	done := make(chan struct{})
	go func() {
		c.Call("/echo", "", nil) // which Close may outrun or not
		c.Close()
		close(done)
	}()
	polltest.Receive(t, "the call and Close end", done)
	if stat := c.Call("/echo", "", nil).Status(); stat.Code() != drpc.CodeWrongConn {
		t.Errorf("after Close: %v", stat)
	}
}

func TestClientWhoseContextHasEndedIsClosed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := newClientOf(t, listed(t), OptContext(ctx))
	polltest.Until(t, "the client has closed", c.closed.Load)
	c.Close()
}

// The race detector watches what the first call begins while nothing is begun any more.
func TestFirstCallMayComeAsTheClientCloses(t *testing.T) {
	t.Parallel()
	for range 100 {
		c := newClientOf(t, listed(t))
		var wg sync.WaitGroup
		wg.Go(func() {
			if stat := c.Call("/echo", "", nil).Status(); stat.OK() {
				t.Error("a call without a node was made")
			}
		})
		wg.Go(c.Close)
		wg.Wait()
	}
}

func TestDefaultRegistryIsWhatIsUsedWithoutAny(t *testing.T) {
	t.Parallel()
	c, err := New("svc") // it looks nothing up before it calls
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Options().Registry != registry.DefaultRegistry || c.Options().Selector.Options().Registry != registry.DefaultRegistry {
		t.Error("another registry, or none")
	}
}
