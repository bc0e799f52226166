package drpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto/jsonproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/clock"
	"github.com/osgochina/dmicro/internal/polltest"
)

// smallBuffers keeps the kernel from taking much for peers that do not read, which connect once it is on. A peer that
// reads would fall behind with them: the system acknowledges late what did not fill its window.
type smallBuffers struct{ on atomic.Bool }

func (*smallBuffers) Name() string { return "small buffers" }

func (b *smallBuffers) AfterAccept(sess EarlySession) *Status {
	if !b.on.Load() {
		return nil
	}
	sess.ModifySocket(func(conn net.Conn) (net.Conn, socket.ProtoFunc) {
		_ = conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
		return nil, nil
	})
	return nil
}

// audience is 99 subscribers that read, and one that does not.
type audience struct {
	t        *testing.T
	srv      Endpoint
	stalled  *rawPeer
	sessions []Session
	mu       sync.Mutex
	received map[string]int
	late     []time.Duration
	sent     int // by fill and pushWaiting
}

const readers = 99

func newAudience(t *testing.T) *audience {
	a := &audience{t: t, received: make(map[string]int)}
	small := new(smallBuffers)
	a.srv = newPeer(t, EndpointConfig{WriteTimeout: -1}, small)
	cli := newPeer(t, EndpointConfig{})
	HandlePush(cli, "/news", func(c PushCtx, sent *[]byte) *Status {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.received[c.Session().ID()]++
		a.late = append(a.late, clock.Time(binary.BigEndian.Uint64(*sent)).Since())
		return nil
	})
	addr := serve(t, a.srv)
	for range readers {
		a.sessions = append(a.sessions, dial(t, cli, addr))
	}
	polltest.Until(t, "all readers", func() bool { return a.srv.CountSession() == readers })
	small.on.Store(true)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	a.stalled = newRawPeer(t, conn)
	polltest.Until(t, "all sessions", func() bool { return a.srv.CountSession() == readers+1 })
	t.Cleanup(func() { _ = a.stalled.Close() })
	return a
}

// news is a message of some size that tells when it was sent.
func news() []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8<<10), uint64(clock.Now()))[:8<<10]
}

// have waits until each reader has received n messages.
func (a *audience) have(n int) {
	a.t.Helper()
	polltest.Until(a.t, fmt.Sprintf("all readers have %d messages", n), func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, sess := range a.sessions {
			if a.received[sess.ID()] != n {
				return false
			}
		}
		return true
	})
}

// push broadcasts once more and checks that nobody is forgotten.
func (a *audience) push(b *Broadcaster, ctx context.Context) BroadcastResult {
	a.t.Helper()
	got, stat := b.Push(ctx, "/news", news())
	if sum := got.Queued + got.Dropped + got.Closed + got.Failed; stat != nil || sum < readers {
		a.t.Fatalf("%+v, %v", got, stat)
	}
	return got
}

// catchUp makes the stalled one read.
func (a *audience) catchUp() {
	go func() { _, _ = io.Copy(io.Discard, a.stalled.Raw()) }()
}

const broadcastQueue = 64 << 10

func TestBroadcastDropsWhatOneStalledSubscriberOf100DoesNotTake(t *testing.T) {
	a := newAudience(t)
	var failed []string
	b := NewBroadcaster(a.srv, BroadcastConfig{QueueSize: broadcastQueue, OnFailure: func(sess Session, stat *Status) {
		failed = append(failed, sess.ID())
		if stat.Code() != CodeBusy || !NotExecuted(stat) {
			t.Errorf("a dropped message: %v", stat)
		}
	}})
	sent, dropped := 0, 0
	for dropped < 20 {
		got := a.push(b, context.Background())
		sent++
		if dropped += got.Dropped; got.Queued < readers || got.Dropped+got.Queued != readers+1 || sent > 10_000 {
			t.Fatalf("message %d: %+v", sent, got)
		}
		a.have(sent) // so that nobody but the stalled one is behind
	}
	if id := a.stalled.LocalAddr().String(); slices.ContainsFunc(failed, func(other string) bool { return other != id }) {
		t.Errorf("failures of %v, stalled is %s", failed, id)
	}
	if want := (BroadcastStats{Queued: uint64((readers+1)*sent - dropped), Dropped: uint64(dropped)}); b.Stats() != want {
		t.Errorf("%+v, want %+v", b.Stats(), want)
	}
	a.catchUp()
	polltest.Until(t, "the stalled one has caught up", func() bool { return a.push(b, context.Background()).Queued == readers+1 })
}

func TestBroadcastClosesOneStalledSubscriberOf100(t *testing.T) {
	log := captureLog(t)
	a := newAudience(t)
	b := NewBroadcaster(a.srv, BroadcastConfig{Policy: StallClose, QueueSize: broadcastQueue})
	sent, closed := 0, 0
	for closed == 0 && sent < 10_000 {
		closed = a.push(b, context.Background()).Closed
		sent++
		a.have(sent) // so that nobody but the stalled one is behind
	}
	if closed != 1 {
		t.Fatalf("closed %d", closed)
	}
	polltest.Until(t, "the session ends", func() bool { return a.srv.CountSession() == readers })
	if got := a.push(b, context.Background()); got != (BroadcastResult{Queued: readers}) {
		t.Errorf("the next message: %+v", got)
	}
	a.have(sent + 1)
	if !eventuallyLogged(log, a.stalled.LocalAddr().String(), socket.ErrStalled.Error()) {
		t.Error("no reason in the log")
	}
}

// fill broadcasts until the queue of the stalled one is full.
func (a *audience) fill() {
	a.t.Helper()
	b := NewBroadcaster(a.srv, BroadcastConfig{QueueSize: broadcastQueue})
	for range 10_000 {
		full := a.push(b, context.Background()).Dropped == 1
		a.sent++
		a.have(a.sent) // so that nobody but the stalled one is behind
		if full {
			return
		}
	}
	a.t.Fatal("the queue is never full")
}

// pushWaiting starts a broadcast that waits for the stalled one, and returns when the others have the message. The system
// may take something more for the stalled one just after its queue was full: then there was room, and it is filled again.
func (a *audience) pushWaiting(ctx context.Context) (result <-chan BroadcastResult) {
	a.t.Helper()
	b := NewBroadcaster(a.srv, BroadcastConfig{Policy: StallBlock, QueueSize: broadcastQueue})
	goroutines := newStackCounter()
	for range 20 {
		a.fill()
		end := make(chan BroadcastResult, 1)
		go func() {
			got, _ := b.Push(ctx, "/news", news())
			end <- got
		}()
		polltest.Until(a.t, "the broadcast waits", func() bool { return len(end) > 0 || goroutines.in("outbox).waitForSpace") == 1 })
		a.sent++
		a.have(a.sent)
		if len(end) == 0 {
			return end
		}
		if got := <-end; got != (BroadcastResult{Queued: readers + 1}) {
			a.t.Fatalf("it did not wait: %+v", got)
		}
	}
	a.t.Fatal("it never waits")
	return nil
}

func TestBroadcastWaitsForOneStalledSubscriberOf100(t *testing.T) {
	a := newAudience(t)
	end := a.pushWaiting(context.Background())
	a.catchUp()
	if got := polltest.Receive(t, "its end", end); got != (BroadcastResult{Queued: readers + 1}) {
		t.Errorf("%+v", got)
	}
}

func TestBroadcastThatWaitsEndsWithItsContext(t *testing.T) {
	a := newAudience(t)
	ctx, cancel := context.WithCancel(context.Background())
	end := a.pushWaiting(ctx)
	cancel()
	if got := polltest.Receive(t, "its end", end); got != (BroadcastResult{Queued: readers, Dropped: 1}) {
		t.Errorf("%+v", got)
	}
	b := NewBroadcaster(a.srv, BroadcastConfig{Policy: StallBlock})
	if got, stat := b.Push(ctx, "/news", nil); got != (BroadcastResult{}) || stat.Code() != CodeWriteFailed || !NotExecuted(stat) {
		t.Errorf("with a context that is over: %+v, %v", got, stat)
	}
}

// encodings counts how often it is encoded.
type encodings struct{ n *atomic.Int32 }

func (c encodings) MarshalJSON() ([]byte, error) { c.n.Add(1); return []byte(`"counted"`), nil }

func TestBroadcastEncodesItsBodyOnceForEveryProtocol(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	got := make(chan string, 10)
	cli := newPeer(t, EndpointConfig{})
	HandlePush(cli, "/news", func(c PushCtx, text *string) *Status {
		got <- *text + " " + fmt.Sprint(c.PeekMeta("from"))
		return nil
	})
	raw := serve(t, srv)
	ended := make(chan error, 1)
	go func() { ended <- srv.ListenAndServe(jsonproto.NewJSONProtoFunc()) }()
	polltest.Until(t, "the second address", func() bool { return len(srv.Addrs()) == 2 })
	for _, addr := range srv.Addrs() {
		pf := jsonproto.NewJSONProtoFunc()
		if addr.String() == raw {
			pf = nil
		}
		for range 2 {
			if _, stat := cli.Dial(addr.String(), pf); stat != nil {
				t.Fatal(stat)
			}
		}
	}
	polltest.Until(t, "all sessions", func() bool { return srv.CountSession() == 4 })
	var n atomic.Int32
	b := NewBroadcaster(srv, BroadcastConfig{})
	result, stat := b.Push(context.Background(), "/news", encodings{&n}, message.WithSetMeta("from", "us"))
	if stat != nil || result.Queued != 4 {
		t.Fatalf("%+v, %v", result, stat)
	}
	for range result.Queued {
		if text := polltest.Receive(t, "the push", got); text != "counted us" {
			t.Errorf("received %q", text)
		}
	}
	if n.Load() != 1 {
		t.Errorf("encoded %d times", n.Load())
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	polltest.Receive(t, "the end of ListenAndServe", ended)
}

// pushHooks counts the hooks of pushes and refuses those to one session.
type pushHooks struct {
	refuse        atomic.Pointer[string]
	before, after atomic.Int32
}

func (*pushHooks) Name() string { return "push hooks" }

func (h *pushHooks) BeforeWritePush(c WriteCtx) *Status {
	h.before.Add(1)
	if id := h.refuse.Load(); id != nil && c.Session().ID() == *id {
		return NewStatus(1001, "not you")
	}
	return nil
}

func (h *pushHooks) AfterWritePush(WriteCtx) *Status {
	h.after.Add(1)
	return nil
}

func TestBroadcastRunsTheHooksOfEachPush(t *testing.T) {
	t.Parallel()
	hooks := new(pushHooks)
	srv := newPeer(t, EndpointConfig{}, hooks)
	cli := newPeer(t, EndpointConfig{})
	var got atomic.Int32
	HandlePush(cli, "/news", func(PushCtx, *string) *Status { got.Add(1); return nil })
	addr := serve(t, srv)
	var refused, filtered string
	for range 5 {
		refused, filtered = filtered, dial(t, cli, addr).LocalAddr().String()
	}
	polltest.Until(t, "all sessions", func() bool { return srv.CountSession() == 5 })
	hooks.refuse.Store(&refused)
	var failures []string
	b := NewBroadcaster(srv, BroadcastConfig{
		Filter: func(sess Session) bool { return sess.ID() != filtered },
		OnFailure: func(sess Session, stat *Status) {
			failures = append(failures, fmt.Sprint(sess.ID() == refused, stat.Code()))
		},
	})
	result, stat := b.Push(context.Background(), "/news", "x")
	if stat != nil || result != (BroadcastResult{Queued: 3, Failed: 1}) {
		t.Errorf("%+v, %v", result, stat)
	}
	if !slices.Equal(failures, []string{"true 1001"}) {
		t.Errorf("failures %v", failures)
	}
	polltest.Until(t, "three pushes and their hooks", func() bool { return got.Load() == 3 && hooks.after.Load() == 3 })
	if n := hooks.before.Load(); n != 4 {
		t.Errorf("%d hooks before", n)
	}
}

func TestBroadcastWithHooksToAStalledPeerCostsABoundedNumberOfGoroutines(t *testing.T) {
	hooks := new(pushHooks)
	srv := newPeer(t, EndpointConfig{WriteTimeout: -1}, hooks)
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	if _, stat := srv.ServeConn(near); stat != nil {
		t.Fatal(stat)
	}
	b := NewBroadcaster(srv, BroadcastConfig{})
	for range 3 * maxWatched {
		if _, stat := b.Push(context.Background(), "/news", "x"); stat != nil {
			t.Fatal(stat)
		}
	}
	if st := b.Stats(); st.Queued != maxWatched || st.Dropped != 2*maxWatched {
		t.Errorf("%+v", st)
	}
	_ = far.Close()
	polltest.Until(t, "their end", func() bool { return newStackCounter().in("pushedBy") == 0 })
	if n := hooks.after.Load(); n != 0 {
		t.Errorf("%d hooks after a write that never was", n)
	}
}

// foreign is a session of somebody else.
type foreign struct{ Session }

func TestBroadcastSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	b := NewBroadcaster(srv, BroadcastConfig{})
	polltest.Until(t, "the session", func() bool { return srv.CountSession() == 1 })
	for name, body := range map[string]any{
		"no JSON":        make(chan int),
		"a panic in it":  panics{},
		"a broken codec": errors.New,
	} {
		if result, stat := b.Push(context.Background(), "/news", body); result != (BroadcastResult{}) || stat.Code() != CodeWriteFailed {
			t.Errorf("%s: %+v, %v", name, result, stat)
		}
	}
	one := func(sess Session) iter.Seq[Session] { return slices.Values([]Session{sess}) }
	if err := sess.Close(); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]Session{"closed": sess, "foreign": foreign{sess}} {
		if result, stat := b.PushTo(context.Background(), one(other), "/news", "x"); stat != nil || result != (BroadcastResult{Failed: 1}) {
			t.Errorf("%s: %+v, %v", name, result, stat)
		}
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("in the body") }

// p99 broadcasts n messages, one after the other, and returns how late the slowest hundredth of the readers got them.
func (a *audience) p99(n int) time.Duration {
	b := NewBroadcaster(a.srv, BroadcastConfig{QueueSize: broadcastQueue})
	for i := range n {
		a.push(b, context.Background())
		a.have(i + 1)
	}
	slices.Sort(a.late)
	return a.late[len(a.late)*99/100]
}

func TestOneStalledSubscriberOf100LeavesTheLatencyOfTheOthersAsItIs(t *testing.T) {
	if os.Getenv("DMICRO_SOAK") == "" {
		t.Skip("long: make soak runs it")
	}
	const messages = 3000
	free := newAudience(t)
	free.catchUp()
	without := free.p99(messages)
	with := newAudience(t).p99(messages)
	t.Logf("p99 of %d messages to 99 readers: %v without a stalled one, %v beside one", messages, without, with)
	if with > 2*without+20*time.Millisecond {
		t.Error("a stalled one slows the others down")
	}
}

func TestBroadcastsWhileSessionsComeAndGo(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{OutboxSize: 64 << 10}, new(pushHooks))
	cli := newPeer(t, EndpointConfig{})
	HandlePush(cli, "/news", func(PushCtx, *[]byte) *Status { return nil })
	addr := serve(t, srv)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var casting, coming sync.WaitGroup
	for _, policy := range []StallPolicy{StallDrop, StallClose, StallBlock} {
		b := NewBroadcaster(srv, BroadcastConfig{Policy: policy, QueueSize: 16 << 10})
		casting.Go(func() {
			for ctx.Err() == nil {
				if _, stat := b.Push(ctx, "/news", news()); stat != nil && ctx.Err() == nil {
					t.Error(stat)
				}
			}
		})
	}
	for i := range 4 {
		coming.Go(func() {
			for j := range 40 {
				if i == 0 { // one that does not read
					conn, err := net.Dial("tcp", addr)
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Millisecond)
					_ = conn.Close()
					continue
				}
				sess, stat := cli.Dial(addr)
				if stat != nil {
					t.Error(stat)
					return
				}
				for range 5 {
					_ = sess.Push("/nobody", news()) // ended by whoever closes it
				}
				if j%2 == 0 {
					_ = sess.Close()
				} else {
					sess.(*session).link.Load().die(errors.New("torn"))
				}
			}
		})
	}
	coming.Wait()
	cancel()
	casting.Wait()
	polltest.Until(t, "all sessions end", func() bool { return srv.CountSession() == 0 })
}
