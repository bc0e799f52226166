package drpc

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/internal/polltest"
)

// early is a plugin whose hooks of a new connection are functions.
type early struct {
	accept func(EarlySession) *Status
	dial   func(EarlySession, bool) *Status
}

func (*early) Name() string { return "early" }

func (p *early) AfterAccept(s EarlySession) *Status {
	if p.accept == nil {
		return nil
	}
	return p.accept(s)
}

func (p *early) AfterDial(s EarlySession, isRedial bool) *Status {
	if p.dial == nil {
		return nil
	}
	return p.dial(s, isRedial)
}

func intoString(message.Header) any { return new(string) }

func TestEarlyCallMeetsEarlyReceiveAndEarlyReply(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{}, &early{accept: func(s EarlySession) *Status {
		for range 2 {
			in := s.EarlyReceive(intoString)
			if stat := in.Status(); !stat.OK() {
				return stat
			}
			var refusal *Status
			if in.ServiceMethod() == "/no" {
				refusal = NewStatus(1001, "no", "because")
			}
			if stat := s.EarlyReply(in, "re:"+*in.Body().(*string), refusal, WithSetMeta("k", "v")); stat != nil {
				return stat
			}
		}
		return nil
	}})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	var reply string
	cli := newPeer(t, EndpointConfig{}, &early{dial: func(s EarlySession, _ bool) *Status {
		if stat := s.EarlyCall("/hello", "me", &reply); stat != nil || reply != "re:me" {
			t.Errorf("%v, %q", stat, reply)
		}
		wantStatus(t, s.EarlyCall("/no", "me", nil), 1001, "because")
		return nil
	}})
	sess := dial(t, cli, serve(t, srv))
	if stat := sess.Call("/echo", "x", &reply).Status(); stat != nil || reply != "x" {
		t.Errorf("afterwards: %v, %q", stat, reply)
	}
}

func TestEarlySendCarriesAnyType(t *testing.T) {
	t.Parallel()
	got := make(chan message.Message, 1)
	srv := newPeer(t, EndpointConfig{}, &early{accept: func(s EarlySession) *Status {
		in := s.EarlyReceive(intoString)
		got <- in
		return s.EarlyReply(in, nil, nil)
	}})
	answer := make(chan message.Message, 1)
	cli := newPeer(t, EndpointConfig{}, &early{dial: func(s EarlySession, _ bool) *Status {
		stat := s.EarlySend(TypeAuthCall, "/auth", "secret", NewStatus(7, "seven"), WithSetMeta("k", "v"))
		answer <- s.EarlyReceive(nil, context.Background())
		return stat
	}})
	dial(t, cli, serve(t, srv))
	in := polltest.Receive(t, "the message", got)
	if in.MType() != TypeAuthCall || in.Seq() != 1 || in.ServiceMethod() != "/auth" || in.Status().Code() != 7 ||
		in.Meta().Get("k") != "v" || *in.Body().(*string) != "secret" {
		t.Errorf("got %v", in)
	}
	if out := polltest.Receive(t, "the answer", answer); out.MType() != TypeAuthReply || out.Seq() != 1 {
		t.Errorf("answer %v", out)
	}
}

func TestEarlyMethodsWorkOnlyEarly(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	got := make(chan string, 1)
	HandlePush(srv, "/note", func(_ PushCtx, s *string) *Status { got <- *s; return nil })
	dialled := dial(t, newPeer(t, EndpointConfig{}), serve(t, srv))
	for _, sess := range []Session{dialled, onlySession(t, srv)} {
		s := sess.(EarlySession)
		const cause = "Cannot be called during the Non-PostDial and Non-PostAccept phase"
		wantStatus(t, s.EarlySend(TypeCall, "/x", nil, nil), CodeInvalidOp, cause)
		wantStatus(t, s.EarlyReceive(nil).Status(), CodeInvalidOp, cause)
		wantStatus(t, s.EarlyCall("/x", nil, nil), CodeInvalidOp, cause)
		wantStatus(t, s.EarlyReply(message.NewMessage(), nil, nil), CodeInvalidOp, cause)
		s.ModifySocket(func(net.Conn) (net.Conn, proto.ProtoFunc) {
			t.Error("ModifySocket of a session that is up")
			return nil, nil
		})
		if err := s.ControlFD(func(fd uintptr) {
			if fd == 0 {
				t.Error("no descriptor")
			}
		}); err != nil {
			t.Error(err)
		}
	}
	if stat := dialled.(EarlySession).RawPush("/note", "any time"); stat != nil || polltest.Receive(t, "the push", got) != "any time" {
		t.Error(stat)
	}
	_ = dialled.Close()
	wantStatus(t, dialled.(EarlySession).RawPush("/note", "never"), CodeConnClosed, "")
}

func TestEarlyReadLimitEndsWhenTheSessionIsUp(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 5000)
	received := make(chan *Status, 4)
	srv := newPeer(t, EndpointConfig{}, &early{accept: func(s EarlySession) (stat *Status) {
		s.SetEarlyReadLimit(1000)
		for range 2 {
			in := s.EarlyReceive(func(message.Header) any { return new(string) })
			if !in.StatusOK() {
				stat = in.Status()
			}
			received <- stat
		}
		return stat
	}})
	HandleCall(srv, "/len", func(_ CallCtx, s *string) (int, *Status) { return len(*s), nil })
	addr := serve(t, srv)
	introduce := func(second string) *early {
		return &early{dial: func(s EarlySession, _ bool) *Status {
			if stat := s.EarlySend(TypePush, "/first", "small", nil); stat != nil {
				return stat
			}
			return s.EarlySend(TypePush, "/second", second, nil)
		}}
	}
	sess := dial(t, newPeer(t, EndpointConfig{}, introduce("small")), addr)
	for range 2 {
		if stat := <-received; stat != nil {
			t.Errorf("below the limit: %v", stat)
		}
	}
	var n int
	if stat := sess.Call("/len", big, &n).Status(); stat != nil || n != len(big) {
		t.Errorf("a call over the limit of before: %d, %v", n, stat)
	}
	srv.RangeSession(func(s Session) bool {
		s.(EarlySession).SetEarlyReadLimit(1) // too late
		return true
	})
	if stat := sess.Call("/len", big, &n).Status(); stat != nil || n != len(big) {
		t.Errorf("a limit for a session that is up: %d, %v", n, stat)
	}

	_, _ = newPeer(t, EndpointConfig{}, introduce(big)).Dial(addr) // whose writes may succeed or not
	if stat := polltest.Receive(t, "the first message", received); stat != nil {
		t.Errorf("below the limit: %v", stat)
	}
	got := polltest.Receive(t, "the second message", received)
	wantStatus(t, got, CodeConnClosed, "")
	if !errors.Is(got.Cause(), message.ErrExceedMessageSizeLimit) {
		t.Errorf("cause %v", got.Cause())
	}
}

// written makes a call with more and more time, until that was not over before the call was written: on a busy machine it
// may be.
func written(call func(limit time.Duration) *Status) (stat *Status) {
	for limit := 20 * time.Millisecond; limit < 20*time.Second; limit *= 2 {
		if stat = call(limit); stat.Code() != CodeWriteFailed {
			break
		}
	}
	return stat
}

func TestEarlyFailures(t *testing.T) {
	t.Parallel()
	addr := rawListen(t, func(p *rawPeer) {
		m := p.next()
		if m == nil {
			return
		}
		switch m.ServiceMethod() {
		case "/push":
			p.send(TypePush, 1, "/x", codec.JsonId, "1")
		case "/garbage":
			p.reply(m, "{")
		case "/silent":
			for p.next() != nil {
			}
		}
	})
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for _, tt := range []struct {
		name  string
		act   func(EarlySession) *Status
		code  int32
		cause string
	}{
		{"a call answered by a push", func(s EarlySession) *Status { return s.EarlyCall("/push", nil, nil) }, CodeMTypeNotAllowed, "expected a REPLY, but received: PUSH"},
		{"a call answered by garbage", func(s EarlySession) *Status { return s.EarlyCall("/garbage", nil, new(int)) }, CodeConnClosed, ""},
		{"a call answered by the end", func(s EarlySession) *Status { return s.EarlyCall("/end", nil, nil) }, CodeConnClosed, "EOF"},
		{"a call never answered, with a context", func(s EarlySession) *Status {
			return written(func(limit time.Duration) *Status {
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				return s.EarlyCall("/silent", nil, nil, WithContext(ctx))
			})
		}, CodeConnClosed, "deadline exceeded"},
		{"a call never answered, with a context age", func(s EarlySession) *Status {
			return written(func(age time.Duration) *Status {
				s.SetContextAge(age)
				return s.EarlyCall("/silent", nil, nil)
			})
		}, CodeConnClosed, "deadline exceeded"},
		{"nothing to receive, with a context", func(s EarlySession) *Status {
			return s.EarlyReceive(nil, soon()).Status()
		}, CodeConnClosed, "deadline exceeded"},
		{"nothing to receive, with a context age", func(s EarlySession) *Status {
			s.SetContextAge(20 * time.Millisecond)
			return s.EarlyReceive(nil).Status()
		}, CodeConnClosed, "deadline exceeded"},
		{"a panic of the caller's function", func(s EarlySession) *Status {
			s.EarlySend(TypeCall, "/push", nil, nil)
			return s.EarlyReceive(func(message.Header) any { panic("oh no") }).Status()
		}, CodeBadMessage, "oh no"},
		{"what does not encode", func(s EarlySession) *Status {
			return s.EarlySend(TypeCall, "/x", make(chan int), nil)
		}, CodeWriteFailed, "unsupported type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got *Status
			cli := newPeer(t, EndpointConfig{}, &early{dial: func(s EarlySession, _ bool) *Status {
				got = tt.act(s)
				return got
			}})
			_, stat := cli.Dial(addr)
			wantStatus(t, stat, CodeDialFailed, "")
			wantStatus(t, got, tt.code, tt.cause)
		})
	}
}

// named is a protocol under another name, without the fast path.
type named struct {
	proto.Proto
	name string
}

func (n named) Version() (byte, string) { return 200, n.name }

func newNamed(name string) proto.ProtoFunc {
	return func(rw proto.IOWithReadBuffer) proto.Proto { return named{rawproto.RawProtoFunc(rw), name} }
}

func nameOf(pf proto.ProtoFunc) string {
	_, name := pf(nil).Version()
	return name
}

// scrambled flips bits on the way and counts what went through it.
type scrambled struct {
	net.Conn
	n *atomic.Int64
}

func (c scrambled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	flip(b[:n])
	return n, err
}

func (c scrambled) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	own := append([]byte(nil), b...)
	flip(own)
	return c.Conn.Write(own)
}

func flip(b []byte) {
	for i := range b {
		b[i] ^= 0x55
	}
}

func TestModifySocketWrapsConnectionAndChangesProtocol(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		wrap, swap bool
	}{
		{"nothing", false, false}, {"the connection", true, false}, {"the protocol", false, true}, {"both", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var written atomic.Int64
			var mu sync.Mutex
			var found []string
			modify := func(s EarlySession) *Status {
				mu.Lock()
				found = append(found, nameOf(s.GetProtoFunc()))
				mu.Unlock()
				s.SetID("kept")
				s.Swap().Set("k", "v")
				s.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) {
					var pf proto.ProtoFunc
					if tt.swap {
						pf = newNamed("second")
					}
					if !tt.wrap {
						return nil, pf
					}
					return scrambled{conn, &written}, pf
				})
				want := "first"
				if tt.swap {
					want = "second"
				}
				if got := nameOf(s.GetProtoFunc()); got != want || s.Swap().Get("k") != "v" || s.(Session).ID() != "kept" {
					t.Errorf("protocol %s, swap %v, id %s", got, s.Swap(), s.(Session).ID())
				}
				return nil
			}
			srv := newPeer(t, EndpointConfig{}, &early{accept: modify})
			HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
			listener := []socket.ProtoFunc{newNamed("first")}
			done := make(chan error, 1)
			go func() { done <- srv.ListenAndServe(listener...) }()
			t.Cleanup(func() { _ = srv.Close(); <-done })
			polltest.Until(t, "listening", func() bool { return len(srv.Addrs()) > 0 })

			dialler := []socket.ProtoFunc{newNamed("first")}
			cli := newPeer(t, redialling(-1), &early{dial: func(s EarlySession, _ bool) *Status { return modify(s) }})
			sess, stat := cli.Dial(srv.Addrs()[0].String(), dialler...)
			if stat != nil {
				t.Fatal(stat)
			}
			for range 3 { // and twice more over new connections, which begin as the first one did
				var got string
				polltest.Until(t, "a call that is answered", func() bool {
					stat := sess.Call("/echo", "x", &got).Status()
					if stat != nil && stat.Code() != CodeConnClosed {
						t.Fatal(stat)
					}
					return stat == nil
				})
				if got != "x" || sess.ID() != "kept" {
					t.Errorf("%q, id %s", got, sess.ID())
				}
				_ = sess.(*session).link.Load().sock.Raw().Close()
			}
			if tt.wrap == (written.Load() == 0) {
				t.Errorf("%d bytes went through the wrapper", written.Load())
			}
			_ = cli.Close()
			_ = srv.Close()
			mu.Lock()
			defer mu.Unlock()
			for _, name := range append(found, nameOf(listener[0]), nameOf(dialler[0])) {
				if name != "first" {
					t.Errorf("a connection began with the protocol %s", name)
				}
			}
		})
	}
}

func TestModifySocketLosesNothingThatWasReadAhead(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	srv := newPeer(t, EndpointConfig{}, &early{accept: func(s EarlySession) *Status {
		if stat := s.EarlyReceive(intoString).Status(); !stat.OK() {
			return stat
		}
		s.ModifySocket(func(conn net.Conn) (net.Conn, proto.ProtoFunc) { return counted{conn, &written}, nil })
		return nil
	}})
	HandleCall(srv, "/echo", func(_ CallCtx, s *string) (string, *Status) { return *s, nil })
	p := rawDial(t, serve(t, srv))
	var both []byte
	for i, mtype := range []byte{TypeAuthCall, TypeCall} {
		m := message.NewMessage(message.WithMType(mtype), message.WithServiceMethod("/echo"), message.WithBody([]byte(`"x"`)))
		m.SetSeq(int32(i + 1))
		m.SetBodyCodec(codec.JsonId)
		frame, err := p.Encode(message.From(m))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, frame.B...)
	}
	if _, err := p.Write(both); err != nil { // in one piece, so that the second is read with the first
		t.Fatal(err)
	}
	if m := p.next(); m == nil || m.Seq() != 2 || written.Load() == 0 {
		t.Errorf("reply %v, %d bytes through the wrapper", m, written.Load())
	}
}

// counted counts what is written through it.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.Conn.Write(b)
}
