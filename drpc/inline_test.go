package drpc

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
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
	waitFor(t, "a quick handler to run on the reader", where)
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
	if !eventually(t, "the handler that blocks", entered) {
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
	eventually(t, "the end of the session", sess.CloseNotify())
}
