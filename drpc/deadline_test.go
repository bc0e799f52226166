package drpc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/internal/polltest"
)

var errLeftHome = errors.New("the user has left")

// silentPeer accepts calls and never answers; each is announced.
func silentPeer(t testing.TB) (addr string, arrived <-chan message.Message) {
	calls := make(chan message.Message, 100)
	return rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			calls <- m
		}
	}), calls
}

// limit is a context whose deadline passes when a test says so.
type limit struct {
	context.Context
	over chan struct{}
}

func newLimit() (ctx *limit, pass func()) {
	ctx = &limit{context.Background(), make(chan struct{})}
	return ctx, sync.OnceFunc(func() { close(ctx.over) })
}

func (l *limit) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }
func (l *limit) Done() <-chan struct{}       { return l.over }

func (l *limit) Err() error {
	select {
	case <-l.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// tooShort reports whether the time for a call was over before it was sent, which a machine that is busy with something
// else can do to any time that is short enough to be waited for. The call is to be made again, with twice the time.
func tooShort(time time.Duration, stat *Status) bool {
	return stat.Code() == CodeWriteFailed && NotExecuted(stat) && time > 0 && time < 20e9
}

func TestCallWhoseContextIsOverIsNotSent(t *testing.T) {
	t.Parallel()
	addr, arrived := silentPeer(t)
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	over, cancel := context.WithCancelCause(context.Background())
	cancel(errLeftHome)
	wantStatus(t, sess.Call("/x", nil, nil, WithContext(over)).Status(), CodeWriteFailed, errLeftHome.Error())
	wantStatus(t, sess.Push("/x", nil, WithContext(over)), CodeWriteFailed, errLeftHome.Error())
	cmd := sess.AsyncCall("/x", nil, nil, nil, WithContext(over))
	polltest.Receive(t, "the asynchronous call to end", cmd.Done())
	wantStatus(t, cmd.Status(), CodeWriteFailed, errLeftHome.Error())
	if stat := sess.Push("/mark", nil); stat != nil {
		t.Fatal(stat)
	}
	if m := polltest.Receive(t, "the push", arrived); m.ServiceMethod() != "/mark" {
		t.Errorf("%s was sent", m.ServiceMethod())
	}
}

func TestContextEndsCallThatWaitsForItsReply(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		age   time.Duration
		bound func() (context.Context, func())
		cause error
	}{
		{"by cancel", 0, func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return ctx, func() { cancel(errLeftHome) }
		}, errLeftHome},
		{"by deadline", 0, func() (context.Context, func()) { return newLimit() }, context.DeadlineExceeded},
		{"by the context age", 20 * time.Millisecond, func() (context.Context, func()) {
			return context.Background(), func() {}
		}, context.DeadlineExceeded},
		{"by the context age before the deadline", 20 * time.Millisecond, func() (context.Context, func()) {
			ctx, _ := newLimit()
			return ctx, func() {}
		}, context.DeadlineExceeded},
	} {
		for _, async := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: ", asynchronous"}[async], func(t *testing.T) {
				t.Parallel()
				addr, arrived := silentPeer(t) // of its own, or a call that is never sent would leave another without its end
				sess := dial(t, newPeer(t, EndpointConfig{}), addr)
				ctx, end := tt.bound()
				go func() {
					select {
					case <-arrived:
					case <-t.Context().Done():
					}
					end()
				}()
				call := func() *Status {
					if !async {
						return sess.Call("/x", nil, nil, WithContext(ctx)).Status()
					}
					results := make(chan CallCmd, 1)
					cmd := sess.AsyncCall("/x", nil, nil, results, WithContext(ctx))
					if got := polltest.Receive(t, "the call on the channel", results); got != cmd {
						t.Error("another call came on the channel")
					}
					polltest.Receive(t, "the call to be done", cmd.Done())
					return cmd.Status()
				}
				sess.(EarlySession).SetContextAge(tt.age)
				stat := call()
				for age := tt.age; tooShort(age, stat); stat = call() {
					age *= 2
					sess.(EarlySession).SetContextAge(age)
				}
				wantStatus(t, stat, CodeHandleTimeout, "")
				if stat.Msg() != "Handle Timeout" || !errors.Is(stat.Cause(), tt.cause) {
					t.Errorf("%v, want the cause %v", stat, tt.cause)
				}
				if n := pendingCalls(sess); n != 0 {
					t.Errorf("%d calls are left in the table", n)
				}
				if err := sess.Close(); err != nil { // with nothing to wait for
					t.Error(err)
				}
			})
		}
	}
}

func TestHandlerOverItsContextAgeIsAnsweredWithTimeout(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{DefaultContextAge: 20 * time.Millisecond})
	HandleCall(srv, "/wait", func(c CallCtx, _ *string) (string, *Status) {
		<-c.Context().Done()
		if !errors.Is(c.Context().Err(), context.DeadlineExceeded) {
			t.Errorf("handler's context: %v", c.Context().Err())
		}
		return "too late", nil
	})
	HandleCall(srv, "/own", func(c CallCtx, _ *string) (string, *Status) {
		<-c.Context().Done()
		return "", NewStatus(1001, "gave up")
	})
	HandleCall(srv, "/quick", func(CallCtx, *string) (string, *Status) { return "in time", nil })
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	var got string
	wantStatus(t, sess.Call("/wait", nil, &got).Status(), CodeHandleTimeout, "longer than the context age")
	wantStatus(t, sess.Call("/own", nil, &got).Status(), 1001, "")
	onlySession(t, srv).(EarlySession).SetContextAge(time.Minute)
	if stat := sess.Call("/quick", nil, &got).Status(); stat != nil || got != "in time" {
		t.Errorf("%v, %q", stat, got)
	}
}

// chunky is the raw protocol without its fast path, reading in pieces larger than the buffer of a connection.
type chunky struct{ proto.Proto }

func newChunky(rw proto.IOWithReadBuffer) proto.Proto {
	return chunky{rawproto.RawProtoFunc(struct {
		io.Reader
		io.Writer
	}{bufio.NewReaderSize(rw, 1<<16), rw})}
}

func TestContextAgeCountsFromTheArrivalOverAnyProtocol(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{DefaultContextAge: time.Minute})
	HandleCall(srv, "/age", func(c CallCtx, _ *string) (bool, *Status) {
		return c.Context().Err() == nil && c.CostTime() < time.Minute, nil
	})
	near, far := net.Pipe()
	if _, stat := srv.ServeConn(near, newChunky); stat != nil {
		t.Fatal(stat)
	}
	p := newRawPeer(t, far)
	p.send(message.TypeCall, 1, "/age", 'j', `""`)
	m := p.next()
	if m == nil || !m.StatusOK() || string(*m.Body().(*[]byte)) != "true" {
		t.Errorf("reply %v", m)
	}
}

func TestHandlersContextEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	began, ended := make(chan bool), make(chan error, 1)
	HandleCall(srv, "/wait", func(c CallCtx, _ *string) (string, *Status) {
		close(began)
		<-c.Context().Done()
		ended <- context.Cause(c.Context())
		return "", nil
	})
	p := rawDial(t, serve(t, srv))
	p.send(message.TypeCall, 1, "/wait", 'j', `""`)
	polltest.Receive(t, "the handler", began)
	_ = p.Close()
	if err := polltest.Receive(t, "the end of its context", ended); err == nil {
		t.Error("no cause")
	}
}

func TestDeadlineHoldsWhileThePeerDoesNotRead(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := rawListen(t, func(*rawPeer) { <-release })
	defer close(release)
	sess := dial(t, newPeer(t, EndpointConfig{OutboxSize: 1 << 20}), addr)
	big := strings.Repeat("x", 1<<20)
	var wg sync.WaitGroup
	for i := range 24 { // far more than the kernel takes and the outbox holds
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			var stat *Status
			switch i % 3 {
			case 0:
				stat = sess.Call("/x", big, nil, WithContext(ctx)).Status()
			case 1:
				cmd := sess.AsyncCall("/x", big, nil, nil, WithContext(ctx))
				<-cmd.Done()
				stat = cmd.Status()
			case 2:
				if stat = sess.Push("/x", big, WithContext(ctx)); stat == nil {
					return // an early one, which the kernel took
				}
			}
			if code := stat.Code(); code != CodeHandleTimeout && code != CodeWriteFailed || !errors.Is(stat.Cause(), context.DeadlineExceeded) {
				t.Errorf("status %v", stat)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("the call ended after %v", d)
			}
		})
	}
	wg.Wait()
	if n := pendingCalls(sess); n != 0 {
		t.Errorf("%d calls are left in the table", n)
	}
}

func TestPeerThatDoesNotReadIsDroppedAfterTheWriteTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := rawListen(t, func(*rawPeer) { <-release })
	defer close(release)
	sess := dial(t, newPeer(t, EndpointConfig{WriteTimeout: 50 * time.Millisecond}), addr)
	var stat *Status
	for stat == nil {
		stat = sess.Push("/x", strings.Repeat("x", 1<<20))
	}
	wantStatus(t, stat, CodeConnClosed, "does not read")
	polltest.Receive(t, "the session to end", sess.CloseNotify())
}

func TestLateReplyNeverLandsInAnotherCall(t *testing.T) {
	t.Parallel()
	srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	// Each call asks for a body of its own pattern, and the handler takes about as long as the caller waits.
	HandleCall(srv, "/fill", func(c CallCtx, arg *[]int) ([]byte, *Status) {
		pause(c.Context(), time.Duration((*arg)[1])*time.Microsecond)
		return bytes.Repeat([]byte{byte((*arg)[0])}, 600+(*arg)[0]), nil
	})
	sess := dial(t, cli, serve(t, srv))
	var inTime, late atomic.Int32
	var wg sync.WaitGroup
	for w := range 16 {
		rnd := rand.New(rand.NewPCG(uint64(w), 7))
		wg.Go(func() {
			type outcome struct {
				result *[]byte
				want   []byte // nil: none
			}
			var outcomes []outcome
			for i := range 150 {
				n := (w*16 + i) % 256
				patience := time.Duration(rnd.IntN(2000)) * time.Microsecond
				if i%50 == 0 {
					patience = 20 * time.Second // some are in time on a busy machine, too
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				o := outcome{result: new([]byte)}
				stat := sess.Call("/fill", []int{n, rnd.IntN(2000)}, o.result, WithContext(ctx)).Status()
				cancel()
				switch stat.Code() {
				case CodeOK:
					inTime.Add(1)
					o.want = bytes.Repeat([]byte{byte(n)}, 600+n)
				case CodeHandleTimeout, CodeWriteFailed:
					late.Add(1)
				default:
					t.Errorf("status %v", stat)
				}
				outcomes = append(outcomes, o)
			}
			// Looked at in the end, when what should not have come had the time to.
			for _, o := range outcomes {
				if !bytes.Equal(*o.result, o.want) {
					t.Errorf("result %.40q, want %.40q", *o.result, o.want)
				}
			}
		})
	}
	wg.Wait()
	if inTime.Load() == 0 || late.Load() == 0 {
		t.Errorf("%d calls were in time and %d late: nothing was tried", inTime.Load(), late.Load())
	}
	if n := pendingCalls(sess); n != 0 {
		t.Errorf("%d calls are left in the table", n)
	}
}

// pause waits at most d.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

func TestSessionAgeEndsTheSession(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	addr := serve(t, srv)
	sess := dial(t, newPeer(t, EndpointConfig{DefaultSessionAge: 100 * time.Millisecond}), addr)
	polltest.Receive(t, "the session to end", sess.CloseNotify())
	wantStatus(t, sess.Call("/echo", "x", nil).Status(), CodeConnClosed, "")

	sess = dial(t, newPeer(t, EndpointConfig{}), addr)
	early := sess.(EarlySession)
	early.SetSessionAge(time.Hour)
	if stat := sess.Call("/echo", "x", nil).Status(); stat != nil || sess.SessionAge() != time.Hour {
		t.Errorf("%v, age %v", stat, sess.SessionAge())
	}
	early.SetSessionAge(0)
	if stat := sess.Call("/echo", "x", nil).Status(); stat != nil {
		t.Error(stat)
	}
	early.SetSessionAge(20 * time.Millisecond)
	polltest.Receive(t, "the session to end", sess.CloseNotify())
	early.SetContextAge(time.Second)
	if sess.ContextAge() != time.Second {
		t.Errorf("context age %v", sess.ContextAge())
	}
}

func TestHandlersKnowWhenTheSessionAgeEnds(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{DefaultSessionAge: time.Hour})
	HandleCall(srv, "/left", func(c CallCtx, _ *string) (int64, *Status) {
		end, ok := c.Context().Deadline()
		if !ok {
			return 0, nil
		}
		return int64(time.Until(end)), nil
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	left := func() time.Duration {
		t.Helper()
		var ns int64
		if stat := sess.Call("/left", "", &ns).Status(); stat != nil {
			t.Fatal(stat)
		}
		return time.Duration(ns)
	}
	if d := left(); d <= 59*time.Minute || d > time.Hour {
		t.Errorf("a handler has %v of an hour", d)
	}
	accepted := onlySession(t, srv).(EarlySession)
	if accepted.SetSessionAge(2 * time.Hour); left() <= 119*time.Minute {
		t.Errorf("a handler has %v of two hours", left())
	}
	if accepted.SetSessionAge(1<<63 - 1); left() <= time.Hour {
		t.Errorf("a handler has %v of a session with the longest age there is", left())
	}
	if accepted.SetSessionAge(0); left() != 0 {
		t.Errorf("a handler has %v of a session without an age", left())
	}
}
