package drpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// world is two endpoints that a program acts on: a server, and a client with some sessions at most of which a program
// dials, uses, renames, breaks and closes, from either side and from many goroutines at once.
type world struct {
	t        testing.TB
	srv, cli Endpoint
	addr     string

	mu       sync.Mutex
	sessions []Session // that were dialled, whatever became of them
}

const (
	worldSessions = 12 // that a program remembers
	worldNames    = 3  // so few that they are fought for
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	// Few and quick attempts: sessions are to be given up, too, and brought back by calls.
	w.cli = newPeer(t, EndpointConfig{RedialTimes: 2, RedialInterval: time.Millisecond, LocalIP: "127.0.0.1"})
	w.srv = newPeer(t, EndpointConfig{LocalIP: "127.0.0.1", MaxRequests: 50})
	for _, e := range []Endpoint{w.srv, w.cli} {
		HandleCall(e, "/double", func(_ CallCtx, s *string) (string, *Status) { return *s + *s, nil })
		HandleCall(e, "/wait", func(c CallCtx, _ *string) (string, *Status) {
			pause(c.Context(), 3*time.Millisecond)
			return "", nil
		})
		HandleCall(e, "/back", func(c CallCtx, s *string) (string, *Status) {
			var got string
			ctx, cancel := context.WithTimeout(c.Context(), 20*time.Millisecond)
			defer cancel()
			stat := c.Session().Call("/double", *s, &got, WithContext(ctx)).Status()
			return got, stat
		})
		HandleCall(e, "/close", func(c CallCtx, s *string) (string, *Status) {
			_ = c.Session().(Session).Close()
			return *s, nil
		})
		HandleCall(e, "/exit", func(CallCtx, *string) (string, *Status) { runtime.Goexit(); return "", nil })
		HandlePush(e, "/note", func(PushCtx, *string) *Status { return nil })
	}
	w.addr = serve(t, w.srv)
	return w
}

// check fails the test for a status that no operation may have here.
func (w *world) check(op string, stat *Status) {
	switch stat.Code() {
	case CodeOK, CodeConnClosed, CodeWriteFailed, CodeDialFailed, CodeHandleTimeout, CodeBusy:
	case CodeInternalServerError:
		if op != "exit" {
			w.t.Errorf("%s: %v", op, stat)
		}
	default:
		w.t.Errorf("%s: %v", op, stat)
	}
	if strings.Contains(stat.String(), "panic") {
		w.t.Errorf("%s: %v", op, stat)
	}
}

// call calls and holds what comes back against what was sent.
func (w *world) call(sess Session, op string, arg byte, settings ...message.MsgSetting) {
	text, got := fmt.Sprint("arg ", arg), ""
	cmd := sess.AsyncCall("/"+op, text, &got, nil, settings...)
	select {
	case <-cmd.Done():
	case <-time.After(30 * time.Second):
		w.t.Errorf("%s: never done", op)
		return
	}
	w.check(op, cmd.Status())
	if cmd.StatusOK() && (op == "double" || op == "back") && got != text+text {
		w.t.Errorf("%s of %q is %q", op, text, got)
	}
}

func (w *world) dial() {
	sess, stat := w.cli.Dial(w.addr)
	w.check("dial", stat)
	if stat != nil {
		return
	}
	w.mu.Lock()
	var old Session
	if w.sessions = append(w.sessions, sess); len(w.sessions) > worldSessions {
		old, w.sessions = w.sessions[0], w.sessions[1:]
	}
	w.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// pick returns a dialled session, or an accepted one, nil if there is none.
func (w *world) pick(n byte, accepted bool) (sess Session) {
	if accepted {
		skip := int(n) % max(1, w.srv.CountSession())
		w.srv.RangeSession(func(s Session) bool {
			sess = s
			skip--
			return skip >= 0
		})
		return sess
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) == 0 {
		return nil
	}
	return w.sessions[int(n)%len(w.sessions)]
}

// operation is one step of a program.
type operation struct {
	name string
	run  func(w *world, sess Session, arg byte)
}

// operations are what programs are made of; a byte chooses one.
var operations = []operation{
	{"dial", func(w *world, _ Session, _ byte) { w.dial() }},
	{"call", func(w *world, s Session, arg byte) { w.call(s, "double", arg) }},
	{"call back", func(w *world, s Session, arg byte) { w.call(s, "back", arg) }},
	{"call with deadline", func(w *world, s Session, arg byte) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(arg)*50*time.Microsecond)
		defer cancel()
		w.call(s, "wait", arg, WithContext(ctx))
	}},
	{"call given up", func(w *world, s Session, arg byte) {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			pause(context.Background(), time.Duration(arg)*20*time.Microsecond)
			cancel()
		}()
		w.call(s, "wait", arg, WithContext(ctx))
		cancel()
	}},
	{"call that fails fast", func(w *world, s Session, arg byte) { w.call(s, "double", arg, WithFailFast()) }},
	{"exit", func(w *world, s Session, arg byte) { w.call(s, "exit", arg) }},
	{"push", func(w *world, s Session, arg byte) { w.check("push", s.Push("/note", fmt.Sprint(arg))) }},
	{"set id", func(_ *world, s Session, arg byte) { s.SetID("name " + string('a'+arg%worldNames)) }},
	{"kill", func(_ *world, s Session, _ byte) {
		if l := s.(*session).link.Load(); l != nil {
			_ = l.sock.Raw().Close()
		}
	}},
	{"goaway", func(_ *world, s Session, _ byte) {
		if l := s.(*session).link.Load(); l != nil {
			l.sendReserved(goawayPush, "1")
		}
	}},
	{"age", func(_ *world, s Session, arg byte) {
		s.(EarlySession).SetSessionAge(time.Duration(arg) * 100 * time.Microsecond) // 0 is for ever
	}},
	{"look", func(w *world, s Session, arg byte) {
		_, _ = s.Health(), s.ID()
		select {
		case <-s.CloseNotify():
		default:
		}
		s.Swap().Set("arg", arg)
		w.cli.RangeSession(func(s Session) bool { _, ok := w.cli.GetSession(s.ID()); return ok })
	}},
	{"close in a handler", func(w *world, s Session, arg byte) {
		if arg%4 == 0 {
			w.call(s, "close", arg)
		}
	}},
	{"close", func(_ *world, s Session, arg byte) {
		if arg%4 == 0 {
			_ = s.Close()
		}
	}},
}

// step runs one operation of three bytes.
func (w *world) step(program []byte) {
	op := operations[int(program[0])%len(operations)]
	accepted := program[1] >= 128
	sess := w.pick(program[1], accepted)
	if sess == nil {
		w.dial()
		return
	}
	op.run(w, sess, program[2])
}

// run runs the programs at the same time.
func (w *world) run(programs [][]byte) {
	var wg sync.WaitGroup
	for _, program := range programs {
		wg.Go(func() {
			for ; len(program) >= 3 && !w.t.Failed(); program = program[3:] {
				w.step(program)
			}
		})
	}
	wg.Wait()
}

// end closes everything and checks that nothing is left.
func (w *world) end() {
	t := w.t
	t.Helper()
	checkHub(t, w.cli)
	checkHub(t, w.srv)
	w.mu.Lock()
	sessions := w.sessions
	w.mu.Unlock()
	var accepted []Session
	w.srv.RangeSession(func(s Session) bool { accepted = append(accepted, s); return true })
	within(t, "the end of both endpoints", func() {
		var wg sync.WaitGroup
		for _, e := range []Endpoint{w.cli, w.srv} {
			wg.Go(func() {
				if err := e.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		}
		wg.Wait()
	})
	for _, sess := range append(accepted, sessions...) {
		s := sess.(*session)
		l := s.link.Load()
		if n := pendingCalls(sess); n != 0 || s.work.Load() != 0 || l.running.Load() != 0 || sess.Health() {
			t.Errorf("session %s is in state %d with %d calls, %d at work and %d requests",
				s.ID(), s.getState(), n, s.work.Load(), l.running.Load())
		}
		polltest.Receive(t, "the end of a session", sess.CloseNotify())
		w.check("call after the end", sess.Call("/double", "x", nil).Status())
	}
	for name, e := range map[string]*endpoint{"client": w.cli.(*endpoint), "server": w.srv.(*endpoint)} {
		e.mu.Lock()
		if len(e.sessions) != 0 || e.running != 0 || e.hub.len() != 0 || e.load.requests.Load() != 0 || e.load.bytes.Load() != 0 {
			t.Errorf("%s: %d sessions, %d in the hub, %d goroutines and %d requests are left",
				name, len(e.sessions), e.hub.len(), e.running, e.load.requests.Load())
		}
		e.mu.Unlock()
	}
}

// Whatever happens to sessions at the same time, from both sides: every operation ends with a status that has a meaning,
// every reply is that of its call, and nothing is left over.
func TestSessionsSurviveAnything(t *testing.T) {
	const goroutines, round = 16, 300
	long := os.Getenv("DMICRO_SOAK") != ""
	end := time.Now().Add(time.Second)
	if long {
		end = time.Now().Add(time.Minute)
	}
	steps := 0
	for first := true; (first || time.Now().Before(end)) && !t.Failed(); first = false {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		programs := make([][]byte, goroutines)
		for i := range programs {
			programs[i] = make([]byte, 3*round)
			for j := range programs[i] {
				programs[i][j] = byte(random.Uint32())
			}
		}
		w := newWorld(t)
		w.run(programs)
		w.end()
		if steps += goroutines * round; t.Failed() {
			t.Logf("with the seed %d", seed)
		}
	}
	if long {
		t.Logf("%d operations", steps)
	}
}

func FuzzSessions(f *testing.F) {
	every := []byte{}
	for op := range operations {
		every = append(every, byte(op), byte(op*37), byte(op*11))
	}
	f.Add(every, every)
	f.Add([]byte("\x00\x00\x00\x08\x00\x00\x09\x00\x00\x01\x00\x01\x0a\x80\x00\x01\x00\x02"), every)
	f.Add([]byte("\x0e\x00\x00\x01\x00\x00"), []byte("\x00\x00\x00\x01\x80\x00\x0e\x80\x00"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		const most = 90 // operations, or a program takes longer than it finds
		w := newWorld(t)
		w.run([][]byte{a[:min(len(a), most)], b[:min(len(b), most)], a[:min(len(a), most)]})
		w.end()
	})
}
