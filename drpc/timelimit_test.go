package drpc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// waitRoute is a handler that waits for the end of its context, and says on ended why it came.
func waitRoute(e Endpoint, path string) (ended <-chan error) {
	causes := make(chan error, 100)
	HandleCall(e, path, func(c CallCtx, _ *string) (string, *Status) {
		<-c.Context().Done()
		causes <- context.Cause(c.Context())
		return "too late", nil
	})
	return causes
}

func TestTightestLimitEndsTheHandlerAndTheStatusSaysWhich(t *testing.T) {
	t.Parallel()
	const soon = 20 * time.Millisecond
	for name, tt := range map[string]struct {
		cfg     EndpointConfig
		timeout string
		want    error
	}{
		"the caller's deadline alone":     {EndpointConfig{}, "20", ErrCallerDeadline},
		"the caller's deadline":           {EndpointConfig{DefaultContextAge: time.Hour, HandleTimeout: time.Hour}, "20", ErrCallerDeadline},
		"the context age alone":           {EndpointConfig{DefaultContextAge: soon}, "", ErrContextAge},
		"the context age":                 {EndpointConfig{DefaultContextAge: soon, HandleTimeout: time.Hour}, "3600000", ErrContextAge},
		"the handle timeout alone":        {EndpointConfig{HandleTimeout: soon}, "", ErrHandleTimeout},
		"the handle timeout":              {EndpointConfig{DefaultContextAge: time.Hour, HandleTimeout: soon}, "3600000", ErrHandleTimeout},
		"the handle timeout, odd timeout": {EndpointConfig{HandleTimeout: soon}, "-5", ErrHandleTimeout},
		"the context age, huge timeout":   {EndpointConfig{DefaultContextAge: soon}, "9223372036854775807", ErrContextAge},
		"the caller's, of a millisecond":  {EndpointConfig{}, "1", ErrCallerDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newPeer(t, tt.cfg)
			ended := waitRoute(srv, "/wait")
			p := rawDial(t, serve(t, srv))
			p.send(TypeCall, 1, "/wait", 'j', `""`, message.WithSetMeta(MetaTimeout, tt.timeout))
			m := p.next()
			if m == nil {
				t.Fatal("the connection was closed")
			}
			wantStatus(t, m.Status(), CodeHandleTimeout, tt.want.Error())
			select {
			case err := <-ended:
				if err != tt.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the handler's context ended with %v", err)
				}
			default: // its time was over before it began
			}
		})
	}
}

func TestCallerThatSaysNothingSensibleOfItsTimeSetsNoLimit(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	HandleCall(srv, "/limited", func(c CallCtx, _ *string) (bool, *Status) {
		_, limited := c.Context().Deadline()
		return limited, nil
	})
	p := rawDial(t, serve(t, srv))
	for i, timeout := range []string{"", "0", "-1", "abc", "1.5", "99999999999999999999999", "9223372036854775807", "\x00", "1 ", "0x1"} {
		p.send(TypeCall, int32(i), "/limited", 'j', `""`, message.WithSetMeta(MetaTimeout, timeout))
		if m := p.next(); m == nil || !m.StatusOK() || string(*m.Body().(*[]byte)) != "false" {
			t.Errorf("%q: %v", timeout, m)
		}
	}
}

func TestCallSaysHowLongItsCallerWaits(t *testing.T) {
	t.Parallel()
	calls := make(chan message.Message, 10)
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			calls <- m
			if m.MType() == TypeCall {
				p.reply(m, `""`)
			}
		}
	})
	bounded, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	plain, aged := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{DefaultContextAge: 40 * time.Second})
	for name, tt := range map[string]struct {
		e        Endpoint
		settings []message.MsgSetting
		longest  time.Duration
	}{
		"no limit":                   {plain, nil, 0},
		"a context without deadline": {plain, []message.MsgSetting{WithContext(context.WithValue(t.Context(), calls, 1))}, 0},
		"a deadline":                 {plain, []message.MsgSetting{WithContext(bounded)}, time.Minute},
		"one said by hand":           {plain, []message.MsgSetting{WithContext(bounded), WithSetMeta(MetaTimeout, "99999999")}, time.Minute},
		"the context age":            {aged, nil, 40 * time.Second},
		"both":                       {aged, []message.MsgSetting{WithContext(bounded)}, 40 * time.Second},
	} {
		if stat := dial(t, tt.e, addr).Call("/x", "", nil, tt.settings...).Status(); stat != nil {
			t.Fatalf("%s: %v", name, stat)
		}
		m := polltest.Receive(t, "the call", calls)
		said, _ := m.Meta().Get(MetaTimeout).(string)
		ms, _ := strconv.Atoi(said)
		if d := time.Duration(ms) * time.Millisecond; d > tt.longest || tt.longest > 0 && d < tt.longest/2 {
			t.Errorf("%s: %q", name, said)
		}
	}
}

// A peer of an older version gets nothing but one key of the meta and one push that it has no handler for.
func TestOlderPeerOfACallerThatGivesUpGetsAnUnknownPush(t *testing.T) {
	t.Parallel()
	addr, arrived := silentPeer(t)
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		call := sess.AsyncCall("/x", "", nil, nil, WithContext(ctx))
		m := polltest.Receive(t, "the call", arrived)
		cancel()
		polltest.Receive(t, "the end of the call", call.Done())
		push := polltest.Receive(t, "the push", arrived)
		body := string(*push.Body().(*[]byte))
		if push.MType() != TypePush || push.ServiceMethod() != "/drpc/cancel" || push.Seq() == m.Seq() ||
			push.BodyCodec() != 'j' || body != fmt.Sprint(m.Seq()) || push.Meta().Size() != 0 {
			t.Errorf("%v with %q, for the call %d", push, body, m.Seq())
		}
	}
	// Where its time was over the peer knows by itself, and where it answered there is nothing to give up.
	ctx, pass := newLimit()
	call := sess.AsyncCall("/x", "", nil, nil, WithContext(ctx))
	polltest.Receive(t, "the call", arrived)
	pass()
	polltest.Receive(t, "the end of the call", call.Done())
	wantStatus(t, call.Status(), CodeHandleTimeout, "deadline")
	if stat := sess.Push("/mark", nil); stat != nil {
		t.Fatal(stat)
	}
	if m := polltest.Receive(t, "the mark", arrived); m.ServiceMethod() != "/mark" {
		t.Errorf("%v was sent", m)
	}
}

// chain is three endpoints, each calling the next: the handler "/b" of b calls "/c" of c with its own context.
func chain(t *testing.T) (toB Session, c Endpoint) {
	a, b, c := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
	toC := dial(t, b, serve(t, c))
	HandleCall(b, "/b", func(ctx CallCtx, arg *string) (string, *Status) {
		var got string
		stat := toC.Call("/c", *arg, &got, WithContext(ctx.Context())).Status()
		return got, stat
	})
	return dial(t, a, serve(t, b)), c
}

func TestDeadlineOfTheFirstReachesTheThird(t *testing.T) {
	t.Parallel()
	toB, c := chain(t)
	left := make(chan time.Duration, 1)
	ended := make(chan error, 1)
	HandleCall(c, "/c", func(ctx CallCtx, _ *string) (string, *Status) {
		end, _ := ctx.Context().Deadline()
		left <- time.Until(end)
		<-ctx.Context().Done()
		ended <- context.Cause(ctx.Context())
		return "", nil
	})
	for limit := 300 * time.Millisecond; limit < 20*time.Second; limit *= 2 { // on a busy machine it may be over on the way
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		stat := toB.Call("/b", "", nil, WithContext(ctx)).Status()
		cancel()
		if tooShort(limit, stat) {
			continue
		}
		wantStatus(t, stat, CodeHandleTimeout, "")
		select {
		case d := <-left:
			if d > limit {
				t.Errorf("the third has %v, the first had %v", d, limit)
			}
			if err := polltest.Receive(t, "the end of the third", ended); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the third ended with %v", err)
			}
			return
		default:
		}
	}
	t.Error("no call arrived in time")
}

func TestCancelAtTheFirstEndsTheThird(t *testing.T) {
	t.Parallel()
	toB, c := chain(t)
	began := make(chan bool)
	ended := make(chan time.Time, 1)
	causes := make(chan error, 1)
	HandleCall(c, "/c", func(ctx CallCtx, _ *string) (string, *Status) {
		began <- true
		<-ctx.Context().Done()
		ended <- time.Now()
		causes <- context.Cause(ctx.Context())
		return "", nil
	})
	HandleCall(c, "/echo", func(ctx CallCtx, s *string) (string, *Status) { return *s, nil })
	var quickest time.Duration
	for i := range 20 { // a busy machine may keep anybody waiting now and then, but not every time
		ctx, cancel := context.WithCancel(context.Background())
		call := toB.AsyncCall("/b", "", nil, nil, WithContext(ctx))
		polltest.Receive(t, "the third to begin", began)
		at := time.Now()
		cancel()
		took := polltest.Receive(t, "the end of the third", ended).Sub(at)
		if err := <-causes; !errors.Is(err, ErrCallCanceled) {
			t.Fatalf("the third ended with %v", err)
		}
		polltest.Receive(t, "the call", call.Done())
		if quickest = min(quickest, took); i == 0 {
			quickest = took
		}
		if quickest <= 50*time.Millisecond {
			return
		}
	}
	t.Errorf("the third ended %v after the first gave up, at best", quickest)
}

// endRoutes are handlers that end their goroutine.
func endRoutes(e Endpoint) {
	HandleCall(e, "/exit", func(c CallCtx, _ *string) (string, *Status) {
		c.SetMeta("half", "done")
		runtime.Goexit()
		return "", nil
	})
	HandlePush(e, "/exit", func(PushCtx, *string) *Status {
		runtime.Goexit()
		return nil
	})
	echoes(e)
}

func TestHandlerThatEndsItsGoroutineIsAnsweredFor(t *testing.T) {
	t.Parallel()
	for _, inline := range []bool{false, true} {
		t.Run(fmt.Sprintf("inline %v", inline), func(t *testing.T) {
			t.Parallel()
			srv := newPeer(t, EndpointConfig{MaxRequests: 2})
			endRoutes(srv)
			if inline {
				quick(t, srv, "/exit")
			}
			sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
			for range 50 { // far more than may be at work at once
				if stat := sess.Push("/exit", ""); stat != nil {
					t.Fatal(stat)
				}
				polltest.Until(t, "room for a call", func() bool {
					cmd := patientCall(t, sess, "/exit")
					if cmd.Status().Code() == CodeBusy {
						return false
					}
					wantStatus(t, cmd.Status(), CodeInternalServerError, "ended its goroutine")
					if cmd.InputMeta().Contains("half") {
						t.Error("the reply has what the handler had begun")
					}
					return true
				})
			}
			nothingAtWork(t, onlySession(t, srv))
			if stat := patientCall(t, sess, "/echo").Status(); stat != nil {
				t.Error(stat)
			}
		})
	}
}

// patientCall is a call that fails the test where it is never answered.
func patientCall(t *testing.T, sess Session, method string) CallCmd {
	t.Helper()
	cmd := sess.AsyncCall(method, "", nil, nil)
	polltest.Receive(t, "an answer of "+method, cmd.Done())
	return cmd
}

// nothingAtWork waits until sess has nothing to wait for.
func nothingAtWork(t *testing.T, sess Session) {
	t.Helper()
	s := sess.(*session)
	polltest.Until(t, "nothing to be at work", func() bool {
		return s.link.Load().running.Load() == 0 && s.work.Load() == 0 && s.ep.load.requests.Load() == 0
	})
}

// Wherever a hook ends its goroutine, the caller gets a status, nothing stays occupied, and the endpoint serves on. On
// the goroutine that reads, that costs the connection.
func TestHookThatEndsItsGoroutineLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for kind, onReader := range map[hookKind]bool{
		hookBeforeReadHeader: true, hookAfterReadCallHeader: true, hookBeforeReadCallBody: true, hookAfterReadCallBody: false,
		hookBeforeWriteReply: false, hookAfterWriteReply: false,
	} {
		for _, inline := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, inline %v", kind, inline), func(t *testing.T) {
				t.Parallel()
				var armed atomic.Bool
				srv := newPeer(t, EndpointConfig{}, &probe{name: "exiting", on: func(k hookKind, _ string) *Status {
					if k == kind && armed.Load() {
						runtime.Goexit()
					}
					return nil
				}})
				echoes(srv)
				if inline {
					quick(t, srv, "/echo")
				}
				addr := serve(t, srv)
				cli := newPeer(t, EndpointConfig{})
				for range 5 {
					sess := dial(t, cli, addr)
					if stat := patientCall(t, sess, "/echo").Status(); stat != nil {
						t.Fatal(stat)
					}
					accepted := onlySession(t, srv)
					armed.Store(true)
					for range 5 {
						switch code := patientCall(t, sess, "/echo").Status().Code(); {
						case code == CodeInternalServerError, code == CodeConnClosed && onReader, code == CodeOK && kind >= hookAfterWriteReply:
						default:
							t.Errorf("code %d", code)
						}
					}
					if !onReader {
						armed.Store(false)
						nothingAtWork(t, accepted)
						if stat := patientCall(t, sess, "/echo").Status(); stat != nil {
							t.Error(stat)
						}
					}
					within(t, "the close", func() { _ = sess.Close() })
					polltest.Receive(t, "the end of the session", accepted.CloseNotify())
					armed.Store(false)
					nothingAtWork(t, accepted)
					polltest.Until(t, "no session", func() bool { return srv.CountSession() == 0 })
				}
			})
		}
	}
}

// The context of a handler ends with its connection. What it calls back over that one then ended for that reason, not
// because the time was over; what it calls over another one did not.
func TestCallWithAContextThatTheConnectionEndedIsClosed(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	other := dial(t, newPeer(t, EndpointConfig{}), serve(t, newPeer(t, EndpointConfig{})))
	type outcome struct{ pending, own, push, other *Status }
	outcomes := make(chan outcome, 1)
	began := make(chan bool)
	HandleCall(srv, "/work", func(c CallCtx, _ *string) (string, *Status) {
		ctx := WithContext(c.Context())
		var o outcome
		close(began)
		o.pending = c.Session().Call("/never", "", nil, ctx).Status()
		<-c.Context().Done()
		o.own = c.Session().Call("/never", "", nil, ctx).Status()
		o.push = c.Session().Push("/never", "", ctx)
		o.other = other.Call("/never", "", nil, ctx).Status()
		outcomes <- o
		return "", nil
	})
	p := rawDial(t, serve(t, srv))
	p.send(TypeCall, 1, "/work", 'j', `""`)
	polltest.Receive(t, "the handler", began)
	if m := p.next(); m == nil || m.ServiceMethod() != "/never" {
		t.Fatalf("%v came", m)
	}
	_ = p.Close()
	o := polltest.Receive(t, "the outcome", outcomes)
	for name, stat := range map[string]*Status{"pending": o.pending, "call": o.own, "push": o.push} {
		if stat.Code() != CodeConnClosed || !IsConnError(stat) {
			t.Errorf("%s: %v", name, stat)
		}
	}
	if IsConnError(o.other) || o.other.OK() {
		t.Errorf("over a connection that is up: %v", o.other)
	}
}

func TestContextOfAHandlerEndsWhenItHasReturned(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	kept := make(chan context.Context, 1)
	HandleCall(srv, "/x", func(c CallCtx, _ *string) (string, *Status) {
		kept <- c.Context()
		return "", c2status(c.Context().Err())
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	if stat := sess.Call("/x", "", nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	ctx := <-kept
	polltest.Receive(t, "the end of the context", ctx.Done())
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Errorf("it ended with %v", context.Cause(ctx))
	}
	l := onlySession(t, srv).(*session).link.Load()
	l.cancels.mu.Lock()
	defer l.cancels.mu.Unlock()
	if n := len(l.cancels.running); n != 0 {
		t.Errorf("%d handlers are remembered that have returned", n)
	}
}

func c2status(err error) *Status {
	if err == nil {
		return nil
	}
	return NewStatus(1001, err.Error())
}
