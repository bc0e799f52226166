package drpc

import (
	"io"
	"testing"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// A hook on the reader is what keeps the session from noticing that its connection is lost.
func TestHookOnTheReaderDoesNotWaitForItself(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(Session) *Status{
		"push": func(s Session) *Status { return s.Push("/x", "1") },
		"call": func(s Session) *Status { return s.Call("/x", "1", nil).Status() },
	} {
		t.Run("accepted, "+name, func(t *testing.T) {
			t.Parallel()
			got := make(chan *Status, 1)
			addr := serve(t, newPeer(t, EndpointConfig{}, headerHook(func(c ReadCtx) *Status {
				c.(*handlerCtx).link.die(io.EOF)
				got <- send(c.(*handlerCtx).sess)
				return nil
			})))
			rawDial(t, addr).send(message.TypeCall, 1, "/x", 'j', "1")
			wantUnsent(t, polltest.Receive(t, "the hook", got))
		})
		t.Run("dialled, "+name, func(t *testing.T) {
			t.Parallel()
			addr := rawListen(t, func(p *rawPeer) {
				p.send(message.TypeCall, 1, "/x", 'j', "1")
				for p.next() != nil {
				}
			})
			got := make(chan *Status, 1)
			dial(t, newPeer(t, redialling(-1), headerHook(func(c ReadCtx) *Status {
				c.(*handlerCtx).link.die(io.EOF)
				select {
				case got <- send(c.(*handlerCtx).sess):
				default:
				}
				return nil
			})), addr)
			wantUnsent(t, polltest.Receive(t, "the hook", got))
		})
		t.Run("redialling, "+name, func(t *testing.T) {
			t.Parallel()
			addr := rawListen(t, func(p *rawPeer) { p.next() }) // hangs up behind the first message
			got := make(chan *Status, 1)
			log := &dialLog{afterDial: func(s EarlySession, isRedial bool) *Status {
				if isRedial {
					select {
					case got <- send(s.(*session)):
					default:
					}
				}
				return nil
			}}
			sess := dial(t, newPeer(t, redialling(-1), log), addr)
			_ = sess.Push("/x", "1")
			wantUnsent(t, polltest.Receive(t, "the hook", got))
		})
	}
}

func wantUnsent(t *testing.T, stat *Status) {
	t.Helper()
	if stat.Code() != CodeConnClosed || !NotExecuted(stat) {
		t.Errorf("status %v", stat)
	}
}

func TestRawPushDoesNotOvertakeTheHooksOfTheNextConnection(t *testing.T) {
	t.Parallel()
	srv := &sender{t: t, after: 1, answers: true}
	addr := rawListen(t, srv.serve)
	entered, gate := make(chan struct{}, 1), make(chan struct{})
	log := &dialLog{afterDial: func(s EarlySession, isRedial bool) *Status {
		if isRedial {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-gate
		}
		return s.EarlyCall("/login", nil, nil)
	}}
	sess := dial(t, newPeer(t, redialling(-1), log), addr)
	polltest.Receive(t, "the session to move", entered)
	stat := sess.(EarlySession).RawPush("/x", "1")
	close(gate)
	if stat != nil {
		t.Errorf("the last connection still serves, and the push ended with %v", stat)
	}
	polltest.Until(t, "the connection after that", func() bool { return srv.connected.Load() > 2 })
	if n := srv.intruders.Load(); n != 0 {
		t.Errorf("%d connections began with something other than the login", n)
	}
}

// headerHook is a plugin with a hook on the reader.
type headerHook func(ReadCtx) *Status

func (headerHook) Name() string { return "header hook" }

func (h headerHook) AfterReadCallHeader(c ReadCtx) *Status { return h(c) }
