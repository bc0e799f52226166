package drpc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

// comingOn is how many goroutines the outbox of l waits for. Only the outbox knows, and nobody but a test asks.
func comingOn(l *link) int {
	turns := reflect.ValueOf(l.sock).Elem().FieldByName("out").Elem().FieldByName("turns")
	return int(int32((*atomic.Uint64)(unsafe.Pointer(turns.UnsafeAddr())).Load()))
}

// quiet waits until nobody is coming and nothing waits on any connection of e.
func quiet(t testing.TB, e Endpoint) {
	t.Helper()
	e.RangeSession(func(s Session) bool {
		quietLink(t, s.(*session).link.Load())
		return true
	})
}

func quietLink(t testing.TB, l *link) {
	t.Helper()
	var state string
	defer func() {
		if t.Failed() && state != "" {
			t.Log(state)
		}
	}()
	polltest.Until(t, "quiet on "+l.sess.ID(), func() bool {
		l.backlog.mu.Lock()
		tasks := len(l.backlog.tasks) - l.backlog.next
		l.backlog.mu.Unlock()
		state = fmt.Sprintf("coming %d, tasks %d, running %d", comingOn(l), tasks, l.running.Load())
		if comingOn(l) != 0 || tasks != 0 || l.running.Load() != 0 {
			return false
		}
		state = ""
		return true
	})
}

// stormRoutes are handlers that end in every way there is.
func stormRoutes(e Endpoint) {
	HandleCall(e, "/double", double)
	HandleCall(e, "/panic", func(CallCtx, *int) (int, *Status) { panic("as planned") })
	HandleCall(e, "/late", func(c CallCtx, _ *int) (int, *Status) {
		pause(c.Context(), time.Duration(rand.IntN(3))*time.Millisecond)
		return 1, nil
	})
	HandleCall(e, "/back", func(c CallCtx, n *int) (int, *Status) {
		return *n, c.Session().Call("/double", *n, new(int)).Status()
	})
	HandlePush(e, "/note", func(PushCtx, *int) *Status { return nil })
	HandlePush(e, "/panic", func(PushCtx, *int) *Status { panic("as planned") })
}

// storm sends everything at once over sess.
func storm(sess Session, senders, each int) {
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for n := range each {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(3000))*time.Microsecond)
				switch rand.IntN(9) {
				case 0:
					sess.Call("/double", n, new(int))
				case 1:
					<-sess.AsyncCall("/double", n, new(int), nil).Done()
				case 2: // whose time is over just when the reply comes
					sess.Call("/late", n, new(int), WithContext(ctx))
				case 3:
					<-sess.AsyncCall("/late", n, new(int), nil, WithContext(ctx)).Done()
				case 4:
					sess.Call("/panic", n, nil)
					sess.Push("/panic", n)
				case 5:
					sess.Push("/note", n)
				case 6:
					sess.Call("/nowhere", n, nil)
				case 7:
					sess.Call("/back", n, new(int), WithContext(ctx))
				case 8: // ended by hand
					go cancel()
					sess.Call("/late", n, new(string), WithContext(ctx))
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestNobodyIsAwaitedAfterAStorm(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]EndpointConfig{
		"plain":        {},
		"few requests": {MaxRequests: 2},
		"small outbox": {OutboxSize: 100},
		"age":          {DefaultContextAge: 2 * time.Millisecond},
	} {
		for _, plugins := range [][]Plugin{nil, {&probe{name: "all", on: func(hookKind, string) *Status { return nil }}}} {
			t.Run(fmt.Sprintf("%s, %d plugins", name, len(plugins)), func(t *testing.T) {
				t.Parallel()
				srv, cli := newPeer(t, cfg, plugins...), newPeer(t, cfg, plugins...)
				stormRoutes(srv)
				stormRoutes(cli)
				sess := dial(t, cli, serve(t, srv))
				back := onlySession(t, srv)
				var wg sync.WaitGroup
				wg.Go(func() { storm(sess, 20, 30) })
				wg.Go(func() { storm(back, 20, 30) })
				wg.Wait()
				quiet(t, srv)
				quiet(t, cli)
				// A call whose caller gave it up early may arrive only now, and its handler call back.
				polltest.Until(t, "no pending calls", func() bool { return pendingCalls(sess)+pendingCalls(back) == 0 })
			})
		}
	}
}

func TestNobodyIsAwaitedOnALinkThatDiedOrOnItsSuccessor(t *testing.T) {
	t.Parallel()
	srv := newFlakyServer(t, stormRoutes)
	cli := newPeer(t, redialling(-1))
	stormRoutes(cli)
	sess := dial(t, cli, srv.addr())
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				storm(sess, 20, 10)
			}
		}
	})
	links := map[*link]bool{}
	note := func() {
		links[sess.(*session).link.Load()] = true
		srv.e.RangeSession(func(s Session) bool {
			links[s.(*session).link.Load()] = true
			return true
		})
	}
	for range 20 {
		polltest.Until(t, "the session is up", func() bool { return sess.Call("/double", 1, new(int)).Status() == nil })
		note()
		lasts(t, sess) // or each pause before the next connection would be twice as long as the last one
		srv.cut()
	}
	close(end)
	wg.Wait()
	polltest.Until(t, "the session is up", func() bool { return sess.Call("/double", 1, new(int)).Status() == nil })
	note()
	for l := range links {
		quietLink(t, l)
	}
}

func TestNobodyIsAwaitedAfterClose(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	stormRoutes(srv)
	addr := serve(t, srv)
	for range 10 {
		sess := dial(t, cli, addr)
		var wg sync.WaitGroup
		wg.Go(func() { storm(sess, 10, 10) })
		if stat := sess.Call("/double", 1, new(int)).Status(); stat != nil {
			t.Error(stat)
		}
		if err := sess.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		quietLink(t, sess.(*session).link.Load())
	}
	quiet(t, srv)
}

func TestRepliesToNobodyAnnounceNobody(t *testing.T) {
	t.Parallel()
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			for seq := m.Seq(); seq < m.Seq()+40; seq++ { // one answer, and others that nobody asked for
				if !p.send(message.TypeReply, seq, "", codec.JsonId, "1") {
					return
				}
			}
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	for range 50 {
		sess.Call("/x", 1, new(int))
	}
	quietLink(t, sess.(*session).link.Load())
}

func TestReplyThatOvertakesItsCallHoldsNothing(t *testing.T) {
	t.Parallel()
	// The peer answers calls before they were made, and calls that still wait for room in the outbox.
	hostile := make(chan *rawPeer, 1)
	addr := rawListen(t, func(p *rawPeer) {
		hostile <- p
		for p.next() != nil {
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{OutboxSize: 200, DefaultContextAge: 20 * time.Millisecond}), addr)
	p := polltest.Receive(t, "the connection", hostile)
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := range int32(3000) {
			if !p.send(message.TypeReply, seq%500, "", codec.JsonId, "1") {
				return
			}
		}
	})
	for range 10 {
		wg.Go(func() {
			for n := range 45 {
				sess.Call("/x", string(make([]byte, n*4)), new(int))
			}
		})
	}
	wg.Wait()
	quietLink(t, sess.(*session).link.Load())
}

// afterWrite is a plugin that blocks callers between the sending and the reply.
type afterWrite func()

func (afterWrite) Name() string                      { return "after write" }
func (f afterWrite) AfterWriteCall(WriteCtx) *Status { f(); return nil }

func TestReplyDoesNotWaitForACallerThatIsInAHook(t *testing.T) {
	t.Parallel()
	inHook, release := make(chan struct{}), make(chan struct{})
	cli := newPeer(t, EndpointConfig{}, afterWrite(func() { close(inHook); <-release }))
	HandleCall(cli, "/double", double)
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/double", double)
	sess := dial(t, cli, serve(t, srv))
	l := sess.(*session).link.Load()
	done := make(chan *Status, 1)
	go func() { done <- sess.Call("/double", 1, new(int)).Status() }()
	polltest.Receive(t, "the hook", inHook)
	polltest.Until(t, "the reply, which finds the caller in its hook", func() bool { return pendingCalls(sess) == 0 })
	back := make(chan *Status, 1)
	go func() { back <- onlySession(t, srv).Call("/double", 1, new(int)).Status() }()
	if stat := polltest.Receive(t, "the reply of the client", back); stat != nil {
		t.Error(stat)
	}
	close(release)
	if stat := polltest.Receive(t, "the call", done); stat != nil {
		t.Error(stat)
	}
	quietLink(t, l)
}

// reentrant is a plugin that sends over the session that it is called for: a push in each hook, a call in those that do
// not run on the reader.
func reentrant(t testing.TB) Plugin {
	own := func(c interface {
		Session() CtxSession
		ServiceMethod() string
	}, call bool) *Status {
		if c.ServiceMethod() != "/double" {
			return nil
		}
		if stat := c.Session().Push("/note", 1); stat != nil {
			t.Errorf("push of a hook: %v", stat)
		}
		c.Session().AsyncCall("/plain", 1, new(int), nil)
		if call {
			if stat := c.Session().Call("/plain", 1, new(int)).Status(); stat != nil {
				t.Errorf("call of a hook: %v", stat)
			}
		}
		return nil
	}
	return &senderPlugin{own}
}

type senderPlugin struct {
	own func(c interface {
		Session() CtxSession
		ServiceMethod() string
	}, call bool) *Status
}

func (*senderPlugin) Name() string                             { return "sender" }
func (p *senderPlugin) AfterReadCallHeader(c ReadCtx) *Status  { return p.own(c, false) }
func (p *senderPlugin) BeforeReadCallBody(c ReadCtx) *Status   { return p.own(c, false) }
func (p *senderPlugin) AfterReadCallBody(c ReadCtx) *Status    { return p.own(c, true) }
func (p *senderPlugin) AfterReadPushHeader(c ReadCtx) *Status  { return p.own(c, false) }
func (p *senderPlugin) BeforeReadPushBody(c ReadCtx) *Status   { return p.own(c, false) }
func (p *senderPlugin) AfterReadPushBody(c ReadCtx) *Status    { return p.own(c, true) }
func (p *senderPlugin) AfterReadReplyHeader(c ReadCtx) *Status { return p.own(c, true) }
func (p *senderPlugin) BeforeReadReplyBody(c ReadCtx) *Status  { return p.own(c, true) }
func (p *senderPlugin) AfterReadReplyBody(c ReadCtx) *Status   { return p.own(c, true) }

func TestHooksMaySendOverTheSessionThatIsRead(t *testing.T) {
	t.Parallel()
	setup := func() Endpoint {
		e := newPeer(t, EndpointConfig{}, reentrant(t))
		stormRoutes(e)
		HandleCall(e, "/plain", double)
		HandlePush(e, "/double", func(PushCtx, *int) *Status { return nil })
		return e
	}
	srv, cli := setup(), setup()
	sess := dial(t, cli, serve(t, srv))
	done := make(chan CallCmd, 100)
	for n := range cap(done) {
		sess.AsyncCall("/double", n, new(int), done)
		if n%10 == 0 {
			sess.Push("/double", n)
		}
	}
	for range cap(done) {
		if c := polltest.Receive(t, "all calls", done); !c.StatusOK() {
			t.Fatal(c.Status())
		}
	}
	quiet(t, srv)
	quiet(t, cli)
}

// pumped is the raw protocol without its fast path, read by a goroutine of its own, so that Unpack waits for something
// that is not the connection.
type pumped struct{ proto.Proto }

func newPumped(rw proto.IOWithReadBuffer) proto.Proto {
	chunks := make(chan []byte, 1000)
	var once sync.Once
	var rest []byte
	pump := func() {
		defer close(chunks)
		for {
			b := make([]byte, 1000)
			n, err := rw.Read(b)
			if err != nil {
				return
			}
			chunks <- b[:n] // and on with reading, before anybody has looked at it
		}
	}
	read := func(b []byte) (int, error) {
		once.Do(func() { go pump() }) // not before the session reads, or it would read what is not meant for it
		for len(rest) == 0 {
			var ok bool
			if rest, ok = <-chunks; !ok {
				return 0, io.EOF
			}
		}
		n := copy(b, rest)
		rest = rest[n:]
		return n, nil
	}
	return pumped{rawproto.RawProtoFunc(struct {
		io.Reader
		io.Writer
	}{readerFunc(read), rw})}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// smallAhead reads ahead less than the connection does, so that bytes lie in both.
func smallAhead(rw proto.IOWithReadBuffer) proto.Proto {
	return chunky{rawproto.RawProtoFunc(struct {
		io.Reader
		io.Writer
	}{bufio.NewReaderSize(rw, 100), rw})}
}

func TestProtocolsThatReadAheadHandOverBeforeTheyWait(t *testing.T) {
	t.Parallel()
	for name, pf := range map[string]socket.ProtoFunc{
		"a large buffer": newChunky, "a small buffer": smallAhead, "a goroutine": newPumped,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
			stormRoutes(srv)
			stormRoutes(cli)
			done := make(chan error, 1)
			go func() { done <- srv.ListenAndServe(pf) }()
			polltest.Until(t, "listening", func() bool { return len(srv.Addrs()) > 0 })
			sess, stat := cli.Dial(srv.Addrs()[0].String(), pf)
			if stat != nil {
				t.Fatal(stat)
			}
			for n := range 20 { // one at a time: nothing else comes that could wake anybody
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				if stat := sess.Call("/back", n, new(int), WithContext(ctx)).Status(); stat != nil {
					t.Error(stat)
				}
				cancel()
			}
			storm(sess, 10, 10)
			quiet(t, srv)
			quiet(t, cli)
			_ = cli.Close()
			_ = srv.Close()
			<-done
		})
	}
}

func TestRepliesAreNotHeldByPushesThatNeverEnd(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	stormRoutes(srv)
	addr := serve(t, srv)
	p := rawDial(t, addr)
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				if !p.send(message.TypePush, 1, "/note", codec.JsonId, "1") {
					return
				}
			}
		}
	})
	for seq := range int32(20) {
		if !p.send(message.TypeCall, seq, "/double", codec.JsonId, "4") {
			t.Fatal("the session has ended")
		}
		got := make(chan message.Message, 1)
		go func() { got <- p.next() }()
		if m := polltest.Receive(t, "the reply", got); m == nil || m.Seq() != seq {
			t.Fatalf("reply %v", m)
		}
	}
	close(end)
	wg.Wait()
}

// A log that goes over the very session whose reader writes a line. Not parallel: there is one log.
func TestReaderThatLogsOverItsOwnSessionKeepsNobodyWaiting(t *testing.T) {
	readRunLog(t, logger.LevelAll)
	unsolicited := make(chan *rawPeer, 1)
	addr := rawListen(t, func(p *rawPeer) {
		unsolicited <- p
		for p.next() != nil {
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	pushed := make(chan *Status, 10)
	logger.AddHandler("over the session", logFunc(func(line string) {
		if strings.Contains(line, "reply to no pending call") {
			pushed <- sess.Push("/log", line)
		}
	}))
	defer logger.RemoveHandler("over the session")
	frame := hostileFrame(t, message.WithMType(message.TypeReply))
	if _, err := polltest.Receive(t, "the connection", unsolicited).Raw().Write(append(frame, frame...)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if stat := polltest.Receive(t, "the line", pushed); stat != nil {
			t.Error(stat)
		}
	}
}

func TestCallerWhoseTimeIsOverAsTheReplyComesArrives(t *testing.T) {
	t.Parallel()
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, newPeer(t, EndpointConfig{}))).(*session)
	l := sess.link.Load()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 { // of which half find their context first
		c := sess.newCall("/x", nil, nil, nil)
		c.waiter = make(chan struct{}, 1)
		c.answer(sess.ep.getCtx(l))
		c.await(over, l)
		if c.reply == nil || comingOn(l) != 0 {
			t.Fatalf("reply %v, %d are coming", c.reply, comingOn(l))
		}
	}
}
