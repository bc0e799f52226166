package drpc

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

func TestCancelledCallEndsTheContextOfItsHandler(t *testing.T) {
	t.Parallel()
	for _, async := range []bool{false, true} {
		srv, cli := newPeer(t, EndpointConfig{}), newPeer(t, EndpointConfig{})
		began, ended := make(chan bool), make(chan error, 1)
		HandleCall(srv, "/wait", func(c CallCtx, _ *string) (string, *Status) {
			began <- true
			<-c.Context().Done()
			ended <- context.Cause(c.Context())
			return "nobody reads this", nil
		})
		HandleCall(srv, "/echo", func(c CallCtx, s *string) (string, *Status) { return *s, nil })
		sess := dial(t, cli, serve(t, srv))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan CallCmd, 1)
		if async {
			sess.AsyncCall("/wait", "", nil, done, WithContext(ctx))
		} else {
			go func() { done <- sess.Call("/wait", "", nil, WithContext(ctx)) }()
		}
		polltest.Receive(t, "the handler", began)
		cancel()
		wantStatus(t, polltest.Receive(t, "the call", done).Status(), CodeHandleTimeout, "canceled")
		if err := polltest.Receive(t, "the end of the handler's context", ended); !errors.Is(err, ErrCallCanceled) {
			t.Errorf("it ended with %v", err)
		}
		var got string
		if stat := sess.Call("/echo", "still there", &got).Status(); stat != nil || got != "still there" {
			t.Errorf("%v, %q", stat, got)
		}
	}
}

// burst sends messages with one write, so that the reader of the other end finds them all at once.
func (p *rawPeer) burst(messages ...*message.Msg) {
	p.t.Helper()
	var all []byte
	for _, m := range messages {
		frame, err := p.Encode(m)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, frame.B...)
	}
	if _, err := p.Write(all); err != nil {
		p.t.Error(err)
	}
}

// raw is a message whose body is sent as it is.
func raw(mtype byte, seq int32, method, body string) *message.Msg {
	m := new(message.Msg)
	m.SetMType(mtype)
	m.SetSeq(seq)
	m.SetServiceMethod(method)
	m.SetBodyCodec('j')
	m.SetBody([]byte(body))
	return m
}

func TestCallThatIsGivenUpBeforeItsHandlerBeginsIsNotRun(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	var ran atomic.Int32
	HandleCall(srv, "/x", func(CallCtx, *string) (string, *Status) {
		ran.Add(1)
		return "", nil
	})
	p := rawDial(t, serve(t, srv))
	// The reader wakes a worker when it has read all there is, and by then knows better.
	p.burst(raw(TypeCall, 5, "/x", `""`), raw(TypePush, 6, cancelPush, "5"))
	m := p.next()
	if m == nil || m.Seq() != 5 {
		t.Fatalf("reply %v", m)
	}
	wantStatus(t, m.Status(), CodeHandleTimeout, ErrCallCanceled.Error())
	if ran.Load() != 0 {
		t.Error("its handler ran")
	}
	// The number is free again.
	p.send(TypeCall, 5, "/x", 'j', `""`)
	if m = p.next(); m == nil || !m.StatusOK() || ran.Load() != 1 {
		t.Errorf("the next call of that number got %v", m)
	}
}

func TestCancelIsForgottenWhenItsNumberComesAgain(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	release, began := make(chan bool), make(chan bool)
	HandleCall(srv, "/wait", func(CallCtx, *string) (string, *Status) {
		close(began)
		<-release
		return "", nil
	})
	HandleCall(srv, "/x", func(c CallCtx, _ *string) (bool, *Status) { return c.Context().Err() == nil, nil })
	p := rawDial(t, serve(t, srv))
	p.send(TypeCall, 1, "/wait", 'j', `""`) // as long as it runs, what is given up is remembered
	polltest.Receive(t, "the handler that waits", began)
	p.burst(raw(TypePush, 2, cancelPush, "7"), raw(TypeCall, 7, "/x", `""`))
	if m := p.next(); m == nil || !m.StatusOK() || string(*m.Body().(*[]byte)) != "true" {
		t.Errorf("a call was given up by the cancel of one before it: %v", m)
	}
	p.send(TypeCall, 8, "/x", 'j', `""`)
	if m := p.next(); m == nil || !m.StatusOK() {
		t.Errorf("another call: %v", m)
	}
	close(release)
}

func TestCancelsOfNobodyAreBounded(t *testing.T) {
	t.Parallel()
	var s cancels
	for seq := range int32(10 * maxGivenUp) {
		s.giveUp(seq)
	}
	if n := len(s.recent) + len(s.older); n > maxGivenUp || n < maxGivenUp/2 {
		t.Errorf("%d are remembered", n)
	}
	var running atomic.Int32
	running.Store(1)
	if s.settled(&running); !s.givenUp(10*maxGivenUp - 1) {
		t.Error("the last one was forgotten while something runs")
	}
	running.Store(0)
	if s.settled(&running); s.some.Load() || s.givenUp(10*maxGivenUp-1) || s.recent != nil || s.older != nil {
		t.Error("something is remembered while nothing runs")
	}
}

func FuzzCancel(f *testing.F) {
	for _, body := range []string{"", "1", "-1", "2147483647", "-2147483648", "2147483648", "1.5", `"1"`, "null", "\x00", "+1"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var l link
		var m message.Msg
		m.SetEncodedBody(body)
		if l.onCancel(&m); l.cancels.some.Load() {
			t.Fatal("something is remembered while nothing is at work")
		}
		l.running.Store(1)
		l.onCancel(&m)
		for seq := range l.cancels.recent {
			if n, err := strconv.ParseInt(string(body), 10, 32); err != nil || int32(n) != seq {
				t.Errorf("%q gives up %d", body, seq)
			}
		}
	})
}
