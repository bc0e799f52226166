package drpc

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/internal/polltest"
)

// quick makes the handler of a service method one that the reader runs itself, whatever this machine is busy with.
func quick(tb testing.TB, ep Endpoint, method string) {
	tb.Helper()
	var m message.Msg
	m.SetServiceMethod(method)
	h := ep.(*endpoint).router.table.call(&m)
	if h == nil {
		tb.Fatalf("no handler of %s", method)
	}
	h.quick.score.Store(1 << 20)
}

// onReader reports whether this goroutine is the reader of a connection.
func onReader() bool {
	buf := make([]byte, 16<<10)
	return strings.Contains(string(buf[:runtime.Stack(buf, false)]), "(*link).readLoop")
}

func TestLoneCallOfAQuickHandlerRunsOnTheReader(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/where", func(CallCtx, *string) (bool, *Status) { return onReader(), nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	where := func() (on bool) {
		t.Helper()
		if stat := sess.Call("/where", "", &on).Status(); stat != nil {
			t.Fatal(stat)
		}
		return on
	}
	if where() {
		t.Error("a handler that nobody knows yet runs on the reader")
	}
	quick(t, srv, "/where")
	// Not at once, perhaps: the worker of the call before may not have noticed yet that it is done.
	polltest.Until(t, "a quick handler to run on the reader", where)
}

func TestHandlersAreScored(t *testing.T) {
	t.Parallel()
	var q quickness
	for range quickScore {
		if q.ok() {
			t.Fatal("quick too soon")
		}
		q.note(quickRun)
	}
	if !q.ok() {
		t.Fatal("not quick after enough quick runs")
	}
	if q.note(quickRun + 1); q.ok() {
		t.Error("still quick after a longer run")
	}
	for range 3 * quickScore {
		q.note(1)
	}
	if q.note(quickRun + 1); !q.ok() {
		t.Error("one longer run among many quick ones counts too much")
	}
	if q.note(maxInline); q.ok() {
		t.Error("still quick after it kept the reader")
	}
}

// A handler that was quick and now blocks keeps the reader: others must be served nevertheless.
func TestHandlerThatKeepsTheReaderStopsNobody(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	release, entered := make(chan struct{}), make(chan bool, 1)
	HandleCall(srv, "/block", func(CallCtx, *string) (string, *Status) {
		entered <- onReader()
		<-release
		return "late", nil
	})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	quick(t, srv, "/block")
	quick(t, srv, "/echo")

	var late string
	blocked := sess.AsyncCall("/block", "", &late, nil)
	if !polltest.Receive(t, "the handler that blocks", entered) {
		t.Error("it does not run on the reader: nothing is tested")
	}
	for range 50 {
		var got string
		if stat := sess.Call("/echo", "meanwhile", &got).Status(); stat != nil || got != "meanwhile" {
			t.Fatalf("%v, %q", stat, got)
		}
	}
	close(release)
	if _, stat := blocked.Reply(); stat != nil || late != "late" {
		t.Errorf("%v, %q", stat, late)
	}
	var got string
	if stat := sess.Call("/echo", "after", &got).Status(); stat != nil || got != "after" {
		t.Errorf("%v, %q", stat, got)
	}
}

func TestHandlerOnTheReaderMayCallBack(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	var onReaders atomic.Int32
	HandleCall(srv, "/ask", func(ctx CallCtx, arg *string) (string, *Status) {
		if onReader() {
			onReaders.Add(1)
		}
		var answer string
		stat := ctx.Session().(Session).Call("/answer", *arg, &answer).Status()
		return answer, stat
	})
	HandleCall(cli, "/answer", func(_ CallCtx, arg *string) (string, *Status) { return *arg + "!", nil })
	sess := dial(t, cli, serve(t, srv))
	quick(t, srv, "/ask")
	quick(t, cli, "/answer")
	for range 100 {
		var got string
		if stat := sess.Call("/ask", "well", &got).Status(); stat != nil || got != "well!" {
			t.Fatalf("%v, %q", stat, got)
		}
	}
	if onReaders.Load() == 0 {
		t.Error("no handler ran on the reader: nothing is tested")
	}
}

func TestHandlerOnTheReaderMayEndItsGoroutine(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/exit", func(CallCtx, *string) (string, *Status) {
		runtime.Goexit()
		return "", nil
	})
	HandleCall(srv, "/panic", func(CallCtx, *string) (string, *Status) { panic("on the reader") })
	HandleCall(srv, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, method := range []string{"/exit", "/panic", "/echo"} {
		quick(t, srv, method)
	}
	for range 20 {
		sess.AsyncCall("/exit", "", new(string), nil)
		var got string
		if stat := sess.Call("/echo", "still there", &got).Status(); stat != nil || got != "still there" {
			t.Fatalf("%v, %q", stat, got)
		}
		if stat := sess.Call("/panic", "", &got).Status(); stat.Code() != CodeInternalServerError {
			t.Fatalf("a panic is answered by %v", stat)
		}
	}
	if err := srv.Close(); err != nil { // waits for every reader there ever was
		t.Error(err)
	}
}

func TestHandlerOnTheReaderMayClose(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/leave", func(ctx CallCtx, _ *string) (string, *Status) {
		if !onReader() {
			return "not on the reader", nil
		}
		if err := ctx.Session().(Session).Close(); err != nil {
			return err.Error(), nil
		}
		return "bye", nil
	})
	cli := newPeer(t, EndpointConfig{})
	sess := dial(t, cli, serve(t, srv))
	quick(t, srv, "/leave")
	var got string
	if stat := sess.Call("/leave", "", &got).Status(); stat != nil || got != "bye" {
		t.Errorf("%v, %q", stat, got)
	}
	polltest.Receive(t, "the end of the session", sess.CloseNotify())
}

// A handler that outlives its role must not take the role back from the reader who came after.
func TestReaderThatLostItsRoleHasItNoMore(t *testing.T) {
	t.Parallel()
	var r readerRole
	first := r.begin(clock.Now())
	if !r.take() {
		t.Fatal("the role was not taken from the first handler")
	}
	if r.take() {
		t.Error("the role was taken from a reader that reads")
	}
	second := r.begin(clock.Now()) // on the goroutine that reads on
	if r.finish(first) {
		t.Error("the first one has its role back")
	}
	if !r.finish(second) {
		t.Error("the second one has lost its role")
	}
}

func TestGuardLeavesConnectionsWhoseReadersRunNoHandlers(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, arg *string) (string, *Status) { return *arg, nil })
	quick(t, srv, "/echo")
	addr := serve(t, srv)
	guard := &srv.(*endpoint).guard
	posts := func() int {
		guard.mu.Lock()
		defer guard.mu.Unlock()
		return len(guard.posts)
	}
	var sessions []Session
	cli := newPeer(t, EndpointConfig{})
	for range 5 {
		sessions = append(sessions, dial(t, cli, addr))
	}
	for range 3 { // guarded anew each time
		polltest.Until(t, "connections to be guarded", func() bool {
			for _, sess := range sessions {
				if stat := sess.Call("/echo", "x", new(string)).Status(); stat != nil {
					t.Fatal(stat)
				}
			}
			return posts() > 0
		})
		polltest.Until(t, "none to be guarded", func() bool { return posts() == 0 })
	}
}

// Whatever handlers on the reader do, and whenever their connection ends meanwhile: each call has one outcome, and
// nothing is left over.
func TestHandlersOnTheReaderDoTheirWorst(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	worst := []func(ctx CallCtx) (string, *Status){
		func(CallCtx) (string, *Status) { return "done", nil },
		func(CallCtx) (string, *Status) { time.Sleep(maxInline); return "done", nil }, // about when the role is taken
		func(CallCtx) (string, *Status) { time.Sleep(3 * maxInline); return "done", nil },
		func(CallCtx) (string, *Status) { runtime.Goexit(); return "", nil },
		func(CallCtx) (string, *Status) { time.Sleep(maxInline); runtime.Goexit(); return "", nil },
		func(CallCtx) (string, *Status) { time.Sleep(maxInline); panic("on the reader") },
		func(ctx CallCtx) (string, *Status) {
			return "done", ctx.Session().Call("/back", 0, nil).Status()
		},
		func(ctx CallCtx) (string, *Status) {
			return "done", ctx.Session().Push("/note", strings.Repeat("x", 1<<16))
		},
		func(ctx CallCtx) (string, *Status) { <-ctx.Context().Done(); return "", nil }, // to the end of the connection
		func(ctx CallCtx) (string, *Status) {
			return "done", NewStatus(1001, "closing", ctx.Session().(Session).Close())
		},
	}
	HandleCall(srv, "/worst", func(ctx CallCtx, what *int) (string, *Status) { return worst[*what](ctx) })
	HandleCall(cli, "/back", func(CallCtx, *int) (int, *Status) { return 1, nil })
	HandlePush(cli, "/note", func(PushCtx, *string) *Status { return nil })
	quick(t, srv, "/worst")
	quick(t, cli, "/back")
	addr := serve(t, srv)
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 40 {
				sess, stat := cli.Dial(addr)
				if stat != nil {
					t.Error(stat)
					return
				}
				var calls []CallCmd
				for range rng.IntN(12) {
					call := sess.AsyncCall("/worst", rng.IntN(len(worst)), new(string), nil)
					if calls = append(calls, call); rng.IntN(2) == 0 {
						select { // alone, or the next one comes meanwhile
						case <-call.Done():
						case <-time.After(2 * maxInline):
						}
					}
					quick(t, srv, "/worst")
				}
				if rng.IntN(2) == 0 {
					sess.(*session).link.Load().die(errors.New("torn"))
				} else {
					go func() { _ = sess.Close() }()
					time.Sleep(maxInline)
					sess.(*session).link.Load().die(errors.New("torn"))
				}
				for _, call := range calls {
					<-call.Done()
					switch _, stat := call.Reply(); stat.Code() {
					case CodeOK, CodeConnClosed, CodeInternalServerError, CodeBusy, 1001:
					default:
						t.Errorf("outcome %v", stat)
					}
				}
			}
		})
	}
	wg.Wait()
	polltest.Until(t, "nothing is at work", func() bool {
		return srv.(*endpoint).load.requests.Load() == 0 && srv.CountSession() == 0 && cli.(*endpoint).load.requests.Load() == 0
	})
	polltest.Until(t, "every reader has left", func() bool {
		e := srv.(*endpoint)
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.running == 1 // who accepts
	})
}
