package drpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// departures is how many connections of sess are on their way out.
func departures(sess Session) int {
	s := sess.(*session)
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.departing)
}

func TestPendingCallKeepsTheReplacedConnection(t *testing.T) {
	t.Parallel()
	entered, release := make(chan bool), make(chan bool)
	srv := newSuccession(t, func(e Endpoint) {
		HandleCall(e, "/wait", func(c CallCtx, _ *string) (string, *Status) {
			entered <- true
			<-release
			var got string // the handler may ask its caller over the connection that the call came from
			if stat := c.Session().Call("/ask", "x", &got).Status(); stat != nil || got != "x of the client" {
				t.Errorf("asking the caller: %q, %v", got, stat)
			}
			return "late", nil
		})
	})
	cli := newPeer(t, EndpointConfig{})
	HandleCall(cli, "/ask", func(_ CallCtx, s *string) (string, *Status) { return *s + " of the client", nil })
	sess := dial(t, cli, srv.addr())
	var got string
	late := sess.AsyncCall("/wait", nil, &got, nil)
	polltest.Receive(t, "the handler to run", entered)

	done := srv.drain(time.Minute)
	srv.next()
	polltest.Until(t, "the session to move", func() bool { return departures(sess) == 1 })
	var now string
	if stat := sess.Call("/count", "a call", &now).Status(); stat != nil || now != "a call" {
		t.Errorf("a call over the next connection: %q, %v", now, stat)
	}
	select {
	case err := <-done:
		t.Fatalf("the server has left with a call under way: %v", err)
	case <-late.Done():
		t.Fatalf("the call has ended: %v", late.Status())
	default:
	}
	close(release)
	polltest.Receive(t, "the call to be answered", late.Done())
	if late.Status() != nil || got != "late" {
		t.Errorf("%q, %v", got, late.Status())
	}
	if err := polltest.Receive(t, "the drain", done); err != nil {
		t.Error(err)
	}
	polltest.Until(t, "the replaced connection to close", func() bool { return departures(sess) == 0 })
	srv.once(map[string]bool{"a call": true})
}

func TestSessionStaysWhereItIsWhileNobodyElseListens(t *testing.T) {
	t.Parallel()
	srv := newSuccession(t, nil)
	for _, times := range []int{0, 2, -1} {
		log := new(dialLog)
		sess := dial(t, newPeer(t, redialling(times), log), srv.addr())
		srv.accepted(1)
		ctx, cancel := context.WithCancel(context.Background())
		drained := make(chan error, 1)
		leaving := srv.now
		go func() { drained <- leaving.Drain(ctx) }()
		polltest.Until(t, "the first attempt to move", func() bool { return log.before.Load() == 2 })
		polltest.Until(t, "more attempts than a redial may make", func() bool {
			b := &sess.(*session).backoff
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.n > 3
		})
		ids := make(map[string]bool)
		for i := range 100 {
			id := fmt.Sprint(times, " ", i)
			if stat := sess.Call("/count", id, nil).Status(); stat != nil {
				t.Fatalf("call %d: %v", i, stat)
			}
			ids[id] = true
		}
		if log.redials.Load() != 0 || log.fails.Load() != 0 {
			t.Errorf("%d connections, and the session was given up %d times", log.redials.Load(), log.fails.Load())
		}
		polltest.Until(t, "the handler of the last call to return", func() bool { return leaving.(*endpoint).Stats().Serving == 0 })
		old := sess.(*session).link.Load()
		cancel()
		if err := polltest.Receive(t, "the drain", drained); err != nil {
			t.Errorf("nothing was under way: %v", err)
		}
		polltest.Receive(t, "the loss", old.gone) // or the next call could still go that way
		if times == 2 {
			polltest.Receive(t, "the session to be given up", sess.CloseNotify())
			s := sess.(*session)
			s.mu.Lock()
			failure := s.failure
			s.mu.Unlock()
			if errors.Is(failure, errFlapping) {
				t.Errorf("the attempts to move were taken for those of a redial: %v", failure)
			}
		}
		if times == 0 { // before there is a next server, which an attempt under way might reach
			polltest.Receive(t, "the session to end", sess.CloseNotify())
			wantStatus(t, sess.Call("/count", "x", nil).Status(), CodeConnClosed, "")
			srv.next()
			continue
		}
		srv.next()
		if stat := sess.Call("/count", "the next", nil).Status(); stat != nil {
			t.Errorf("after a redial: %v", stat)
		}
		_ = sess.Close()
		srv.accepted(0) // or this one would be taken for the next, and the server leave before it has accepted that
	}
}

func TestConnectionLostWhileTheNextIsPrepared(t *testing.T) {
	t.Parallel()
	for _, times := range []int{0, 3, -1} {
		t.Run(fmt.Sprint("redials ", times), func(t *testing.T) {
			t.Parallel()
			srv := newSuccession(t, nil)
			preparing, release := make(chan bool), make(chan bool)
			log := &dialLog{afterDial: func(_ EarlySession, isRedial bool) *Status {
				if isRedial {
					close(preparing) // a second time would be one too many
					<-release
				}
				return nil
			}}
			sess := dial(t, newPeer(t, redialling(times), log), srv.addr())
			old := sess.(*session).link.Load()
			srv.accepted(1)
			done := srv.drain(time.Minute)
			srv.next()
			polltest.Receive(t, "the next connection", preparing)
			if stat := sess.Call("/count", "over the old one", nil).Status(); stat != nil {
				t.Error(stat)
			}
			_ = old.sock.Raw().Close()
			polltest.Until(t, "the loss", func() bool { return !sess.Health() })
			var calls []CallCmd
			for i := range 10 {
				calls = append(calls, sess.AsyncCall("/count", fmt.Sprint(i), nil, nil))
			}
			close(release)
			for i, cmd := range calls {
				if polltest.Receive(t, "the call", cmd.Done()); cmd.Status() != nil {
					t.Errorf("call %d: %v", i, cmd.Status())
				}
			}
			if n := log.redials.Load(); n != 1 || srv.now.CountSession() != 1 {
				t.Errorf("%d connections were made, %d sessions are there", n, srv.now.CountSession())
			}
			select {
			case <-sess.CloseNotify():
				t.Error("the session was closed")
			default:
			}
			if err := polltest.Receive(t, "the drain", done); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAddressesAreThoseOfTheConnectionInUseUntilTheNextOneIsReady(t *testing.T) {
	t.Parallel()
	srv := newSuccession(t, nil)
	preparing, release := make(chan string), make(chan bool)
	sess := dial(t, newPeer(t, redialling(-1), &dialLog{afterDial: func(s EarlySession, isRedial bool) *Status {
		if isRedial {
			preparing <- s.LocalAddr().String()
			<-release
		}
		return nil
	}}), srv.addr())
	srv.accepted(1)
	first := sess.LocalAddr().String()
	done := srv.drain(time.Minute)
	srv.next()
	next := polltest.Receive(t, "the hook of the next connection", preparing)
	if next == first {
		t.Errorf("the hook is shown %s, where the old connection is", next)
	}
	if got, stats := sess.LocalAddr().String(), sess.Stats().Local; got != first || stats != first {
		t.Errorf("while the next connection is prepared: %s and %s, not %s", got, stats, first)
	}
	close(release)
	polltest.Until(t, "the addresses of the next connection", func() bool { return sess.LocalAddr().String() == next })
	if got := sess.Stats().Local; got != next {
		t.Errorf("stats show %s, not %s", got, next)
	}
	if err := polltest.Receive(t, "the drain", done); err != nil {
		t.Error(err)
	}
}

func TestCloseWhileTheNextConnectionIsPrepared(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"session", "endpoint"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			srv := newSuccession(t, nil)
			entered := make(chan bool, 1)
			log := &dialLog{afterDial: func(s EarlySession, isRedial bool) *Status {
				if !isRedial {
					return nil
				}
				entered <- true
				return s.EarlyReceive(nil).Status() // of a server that says nothing
			}}
			cli := newPeer(t, redialling(-1), log)
			sess := dial(t, cli, srv.addr())
			srv.accepted(1)
			done := srv.drain(time.Minute)
			srv.next()
			polltest.Receive(t, "the hook", entered)
			within(t, "Close", func() {
				c := sess.Close
				if who == "endpoint" {
					c = cli.Close
				}
				if err := c(); err != nil {
					t.Error(err)
				}
			})
			if !sess.(*session).IsActiveClosed() {
				t.Errorf("state %d", sess.(*session).getState())
			}
			if err := polltest.Receive(t, "the drain", done); err != nil {
				t.Error(err)
			}
		})
	}
}

// sender is a server that sends every connection away after some messages. It counts the connections that did not begin
// with a login.
type sender struct {
	t          testing.TB
	after      int // messages
	answers    bool
	connected  atomic.Int32
	intruders  atomic.Int32
	open, most atomic.Int32
}

func (c *sender) serve(p *rawPeer) {
	c.connected.Add(1)
	n := c.open.Add(1)
	defer c.open.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	if c.after == 0 {
		p.send(message.TypePush, 1, goawayPush, 'j', "0")
	}
	for n := 1; ; n++ {
		m := p.next()
		if m == nil {
			return
		}
		if n == 1 && c.after > 0 && m.ServiceMethod() != "/login" {
			c.intruders.Add(1)
		}
		if m.MType() == message.TypeCall {
			p.reply(m, "1")
		}
		if m.ServiceMethod() == movedPush && c.answers {
			p.send(message.TypePush, 2, movedPush, 'j', "0")
		}
		if n == c.after {
			p.send(message.TypePush, 1, goawayPush, 'j', "0")
		}
	}
}

func TestHookOfAMoveComesBeforeCalls(t *testing.T) {
	t.Parallel()
	srv := &sender{t: t, after: 5, answers: true}
	addr := rawListen(t, srv.serve)
	log := &dialLog{afterDial: func(s EarlySession, _ bool) *Status { return s.EarlyCall("/login", nil, nil) }}
	sess := dial(t, newPeer(t, redialling(0), log), addr)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for log.redials.Load() < 8 {
				if stat := sess.Call("/x", nil, nil).Status(); stat != nil {
					t.Errorf("status %v", stat)
				}
			}
		})
	}
	wg.Wait()
	if n := srv.intruders.Load(); n != 0 {
		t.Errorf("%d connections began with something other than the login", n)
	}
}

func TestPeerThatSendsEverybodyAwayIsNotFollowedForEver(t *testing.T) {
	t.Parallel()
	srv := &sender{t: t} // and never lets go of a connection
	addr := rawListen(t, srv.serve)
	log := new(dialLog)
	sess := dial(t, newPeer(t, redialling(-1), log), addr)
	polltest.Until(t, "as many connections as are kept", func() bool { return departures(sess) == maxDeparting })
	if stat := sess.Call("/x", nil, nil).Status(); stat != nil {
		t.Errorf("the last connection: %v", stat)
	}
	// They are kept for departTimeout, and only then may another one follow.
	if n := srv.most.Load(); n > maxDeparting+2 {
		t.Errorf("%d connections at the same time", n)
	}
}

func TestWhatAPeerMaySayAboutMoving(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	echoes(srv)
	addr := serve(t, srv)
	t.Run("goaway of one that has dialled", func(t *testing.T) {
		t.Parallel()
		p := rawDial(t, addr)
		for range 3 {
			p.send(message.TypePush, 1, goawayPush, 'j', "1")
		}
		p.send(message.TypeCall, 2, "/echo", 'j', `"x"`)
		if m := p.next(); m == nil || m.Seq() != 2 {
			t.Errorf("instead of a reply came %v", m)
		}
	})
	t.Run("moved, and then more calls", func(t *testing.T) {
		t.Parallel()
		p := rawDial(t, addr)
		p.send(message.TypeCall, 1, "/echo", 'j', `"x"`)
		_ = p.next()
		id := p.LocalAddr().String()
		sess, ok := srv.GetSession(id)
		if !ok {
			t.Fatal("no session")
		}
		p.send(message.TypePush, 2, movedPush, 'j', "0")
		p.send(message.TypePush, 3, movedPush, 'j', "0")
		if m := p.next(); m == nil || m.ServiceMethod() != movedPush {
			t.Fatalf("instead of the answer came %v", m)
		}
		if _, ok = srv.GetSession(id); ok || sess.Health() {
			t.Error("a session whose peer has moved is in the hub")
		}
		p.send(message.TypeCall, 4, "/echo", 'j', `"x"`)
		if m := p.next(); m == nil || m.Seq() != 4 || m.Status().Code() != CodeBusy {
			t.Errorf("instead of a refusal came %v", m)
		}
		stat := sess.Call("/x", nil, nil).Status()
		if stat.Code() != CodeConnClosed || !NotExecuted(stat) {
			t.Errorf("a call of the server: %v", stat)
		}
		_ = p.Close()
		polltest.Receive(t, "the session to end", sess.CloseNotify())
	})
	t.Run("moved of one that was dialled", func(t *testing.T) {
		t.Parallel()
		addr := rawListen(t, func(p *rawPeer) {
			p.send(message.TypePush, 1, movedPush, 'j', "0")
			for m := p.next(); m != nil; m = p.next() {
				p.reply(m, "1")
			}
		})
		sess := dial(t, newPeer(t, EndpointConfig{}), addr)
		for range 3 {
			if stat := sess.Call("/x", nil, nil).Status(); stat != nil {
				t.Error(stat)
			}
		}
	})
}

func TestSpreadOfAGoaway(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]time.Duration{
		"0": 0, "1": time.Millisecond, "1500": 1500 * time.Millisecond, "30000": maxSpread, "4294967295": maxSpread,
		"": time.Second, "-1": time.Second, "null": time.Second, "1e3": time.Second, "99999999999999999999": time.Second,
		" 1": time.Second, "\x00\xff": time.Second,
	} {
		if got := spreadOf([]byte(body), time.Second); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}
	if got := spreadOf(nil, time.Hour); got != maxSpread {
		t.Errorf("an interval of an hour: %v", got)
	}
}

func FuzzSpreadOfAGoaway(f *testing.F) {
	for _, seed := range []string{"0", "250", "30001", "-5", "null", "", "18446744073709551616"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if d := spreadOf(body, time.Second); d < 0 || d > maxSpread {
			t.Errorf("%q: %v", body, d)
		}
	})
}

func TestPeerThatHasEndedItsSendingIsAnswered(t *testing.T) {
	t.Parallel()
	srv := newPeer(t, EndpointConfig{})
	release, ended := make(chan bool), make(chan bool, 10)
	HandleCall(srv, "/wait", func(c CallCtx, s *string) (string, *Status) {
		<-c.Context().Done() // a peer that is gone for good looks no different
		ended <- true
		<-release
		return *s, nil
	})
	addr := serve(t, srv)
	p := rawDial(t, addr)
	for i := range int32(10) {
		p.send(message.TypeCall, i, "/wait", 'j', fmt.Sprintf(`"%d"`, i))
	}
	if err := p.Raw().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		polltest.Receive(t, "the context of a handler to end", ended)
	}
	polltest.Until(t, "the session to leave", func() bool { return srv.CountSession() == 0 })
	close(release)
	seen := make(map[int32]bool)
	for range 10 {
		m := p.next()
		if m == nil || seen[m.Seq()] || string(*m.Body().(*[]byte)) != fmt.Sprintf(`"%d"`, m.Seq()) {
			t.Fatalf("instead of a reply came %v", m)
		}
		seen[m.Seq()] = true
	}
	if m := p.next(); m != nil {
		t.Errorf("after the replies came %v", m)
	}
}

func TestMovesWhileConnectionsBreak(t *testing.T) {
	t.Parallel()
	srv := newSuccession(t, nil)
	cli := newPeer(t, redialling(-1))
	const sessions = 10
	all := make([]Session, sessions)
	for i := range all {
		all[i] = dial(t, cli, srv.addr())
		all[i].SetID(fmt.Sprint("mine ", i))
	}
	srv.accepted(sessions)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var sent atomic.Int64
	for i, sess := range all {
		for j := range 3 {
			wg.Go(func() {
				for n := 0; ; n++ {
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
					stat := sess.Call("/count", fmt.Sprint(i, j, n), nil, WithContext(ctx)).Status()
					cancel()
					if code := stat.Code(); stat != nil && code != CodeConnClosed && code != CodeHandleTimeout && !NotExecuted(stat) {
						t.Errorf("status %v", stat)
					}
					sent.Add(1)
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
	}
	wg.Go(func() { // breaks connections, those that are being made or on their way out as well
		for n := 0; ; n++ {
			for _, l := range all[n%sessions].(*session).links() {
				if (n+int(l.sess.seq.Load()))%2 == 0 {
					_ = l.sock.Raw().Close()
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	for range 4 {
		done := srv.drain(20 * time.Second)
		srv.next()
		var cut *DrainError
		if err := polltest.Receive(t, "the drain", done); err != nil && !errors.As(err, &cut) {
			t.Error(err)
		}
		n := sent.Load()
		polltest.Until(t, "calls at the next server", func() bool { return sent.Load() > n+100 })
	}
	close(stop)
	wg.Wait()
	for i, sess := range all {
		if stat := sess.Call("/count", fmt.Sprint("last ", i), nil).Status(); stat != nil && stat.Code() != CodeConnClosed {
			t.Errorf("session %d: %v", i, stat)
		}
		polltest.Until(t, "the session to be in order", func() bool {
			found, ok := cli.GetSession(fmt.Sprint("mine ", i))
			return ok && found == sess && sess.Health() && departures(sess) == 0
		})
		if stat := sess.Call("/count", fmt.Sprint("very last ", i), nil).Status(); stat != nil {
			t.Errorf("session %d: %v", i, stat)
		}
		if n := pendingCalls(sess); n != 0 {
			t.Errorf("session %d: %d calls are left in the table", i, n)
		}
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for id, n := range srv.executed {
		if n != 1 {
			t.Errorf("%s was executed %d times", id, n)
		}
	}
}
