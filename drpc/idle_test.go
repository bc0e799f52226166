package drpc

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// idlePair is two endpoints in a bubble whose sessions are the ends of a pipe; the server has an idle limit.
func idlePair(t *testing.T, limit time.Duration, setup func(srv Endpoint)) (cli, srv Session) {
	t.Helper()
	a, b := newPeer(t, EndpointConfig{FirstFrameTimeout: -1}), newPeer(t, EndpointConfig{SessionIdleTimeout: limit, FirstFrameTimeout: -1})
	if setup != nil {
		setup(b)
	}
	near, far := net.Pipe()
	cli, stat := a.ServeConn(near)
	if stat != nil {
		t.Fatal(stat)
	}
	if srv, stat = b.ServeConn(far); stat != nil {
		t.Fatal(stat)
	}
	return cli, srv
}

// ask calls without the channel that Call takes from a pool: one of this bubble must not get to another.
func ask(t *testing.T, sess Session, method, arg string) (got string) {
	t.Helper()
	if _, stat := sess.AsyncCall(method, arg, &got, nil).Reply(); stat != nil {
		t.Fatal(stat)
	}
	return got
}

func isOver(s Session) bool {
	synctest.Wait()
	select {
	case <-s.CloseNotify():
		return true
	default:
		return false
	}
}

func TestSessionThatDoesNothingIsClosedAtTheIdleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Minute
		cli, srv := idlePair(t, limit, echoes)
		time.Sleep(limit - time.Second)
		if isOver(srv) {
			t.Fatal("closed before its time")
		}
		// Whatever goes over it counts, either way.
		for range 5 {
			ask(t, cli, "/echo", "x")
			time.Sleep(limit - time.Second)
			if stat := srv.Push("/x", nil); stat != nil {
				t.Fatal(stat)
			}
			time.Sleep(limit - time.Second)
			if isOver(srv) {
				t.Fatal("closed although it was in use")
			}
		}
		time.Sleep(2 * time.Second)
		if !isOver(srv) || !isOver(cli) || !srv.(*session).IsActiveClosed() {
			t.Errorf("idle for longer than the limit, and not closed")
		}
		wantStatus(t, srv.Push("/x", nil), CodeConnClosed, "")
	})
}

func TestHandlersAndCallsKeepASessionFromBeingIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Minute
		noted := make(chan bool)
		cli, srv := idlePair(t, limit, func(srv Endpoint) {
			HandleCall(srv, "/long", func(CallCtx, *string) (string, *Status) {
				time.Sleep(10 * limit)
				return "done", nil
			})
			HandlePush(srv, "/long", func(PushCtx, *string) *Status {
				time.Sleep(10 * limit)
				close(noted)
				return nil
			})
		})
		HandleCall(cli.Endpoint(), "/long", func(CallCtx, *string) (string, *Status) {
			time.Sleep(10 * limit)
			return "done", nil
		})
		for name, sess := range map[string]Session{"a handler": cli, "a call": srv} {
			if got := ask(t, sess, "/long", ""); got != "done" {
				t.Fatalf("%s: %q", name, got)
			}
		}
		if stat := cli.Push("/long", ""); stat != nil {
			t.Fatal(stat)
		}
		<-noted
		time.Sleep(limit - time.Second) // the handler of a push sends nothing when it is done
		if isOver(srv) {
			t.Error("closed although a handler was at work just now")
		}
		time.Sleep(2 * limit)
		if !isOver(srv) {
			t.Error("not closed in the end")
		}
	})
}
