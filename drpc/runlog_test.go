package drpc

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/logger"
)

// runLines collects the lines of the run log; everything else is none of it.
type runLines struct {
	mu    sync.Mutex
	lines []string
}

var runLine = regexp.MustCompile(`^(CALL|PUSH)(->|<-) `)

func (l *runLines) Log(level int, v ...any) { l.add(level, fmt.Sprint(v...)) }

func (l *runLines) LogF(level int, format string, v ...any) { l.add(level, fmt.Sprintf(format, v...)) }

func (l *runLines) add(level int, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if level == logger.LevelDebug && runLine.MatchString(line) {
		l.lines = append(l.lines, line)
	}
}

// find waits for the one line that begins like that and names the method.
func (l *runLines) find(t *testing.T, begin, method string) (line string) {
	t.Helper()
	polltest.Until(t, begin+" "+method, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		var found []string
		for _, s := range l.lines {
			if strings.HasPrefix(s, begin) && strings.Contains(s, ` "`+method+`" `) {
				found = append(found, s)
			}
		}
		if len(found) > 1 {
			t.Fatalf("lines of one message: %q", found)
		}
		if len(found) == 1 {
			line = found[0]
		}
		return line != ""
	})
	return line
}

// readRunLog gives the test the run log at a level. Such a test must not be parallel: there is one log.
func readRunLog(t *testing.T, level int) *runLines {
	lines := new(runLines)
	before := logger.GetLevel()
	logger.SetStdoutPrint(false)
	logger.AddHandler(t.Name(), lines)
	logger.SetLevel(level)
	t.Cleanup(func() {
		logger.SetLevel(before)
		logger.RemoveHandler(t.Name())
		logger.SetStdoutPrint(true)
	})
	return lines
}

// confession counts how often somebody looks at it.
type confession struct{ looks *atomic.Int32 }

func (c confession) MarshalJSON() ([]byte, error) {
	c.looks.Add(1)
	return []byte(`"secret"`), nil
}

// runMessages sends one message of each kind and returns where to.
func runMessages(t *testing.T, cfg EndpointConfig, arg any) (addr string) {
	srv := newPeer(t, cfg)
	seen := make(chan bool, 1)
	HandleCall(srv, "/call", func(c CallCtx, s *string) (string, *Status) {
		c.SetMeta("back", "home")
		return "re:" + *s, nil
	})
	HandleCall(srv, "/fail", func(CallCtx, *string) (string, *Status) { return "", NewStatus(1001, "no", "why") })
	HandlePush(srv, "/push", func(PushCtx, *string) *Status { seen <- true; return nil })
	sess := dial(t, newPeer(t, cfg), serve(t, srv))
	var got string
	if stat := sess.Call("/call", arg, &got, WithSetMeta("k", "v")).Status(); stat != nil {
		t.Fatal(stat)
	}
	wantStatus(t, sess.Call("/fail", arg, nil, WithRealIP("192.0.2.7")).Status(), 1001, "")
	if stat := sess.Push("/push", arg); stat != nil {
		t.Fatal(stat)
	}
	polltest.Receive(t, "the push", seen)
	return sess.RemoteAddr().String()
}

func TestRunLogLines(t *testing.T) {
	for _, detail := range []bool{false, true} {
		t.Run(fmt.Sprintf("detail %v", detail), func(t *testing.T) {
			lines := readRunLog(t, logger.LevelAll)
			looks := new(atomic.Int32)
			addr := regexp.QuoteMeta(runMessages(t, EndpointConfig{PrintDetail: detail}, confession{looks}))
			const (
				cost = `[0-9.]+[mnµ]?s\(fast\)`
				ok   = `,"status":\{"code":0,"msg":"","cause":""\}`
				fail = `,"status":\{"code":1001,"msg":"no","cause":"why"\}`
				size = `\{"size":[1-9][0-9]*`
			)
			meta, body := func(string) string { return "" }, func(string) string { return "" }
			if detail {
				meta = func(s string) string { return `,"meta":` + regexp.QuoteMeta(s) }
				body = func(s string) string { return `,"body":` + regexp.QuoteMeta(s) }
			}
			for _, tt := range []struct{ begin, method, want string }{
				{"CALL->", "/call", addr + `\(real:same\) ` + cost + ` "/call" SEND\(` + size + meta(`{"k":"v"}`) + body(`"secret"`) + `\}\) RECV\(` + size + ok + meta(`{"back":"home"}`) + body(`"re:secret"`) + `\}\)`},
				{"CALL<-", "/call", `127\.0\.0\.1:\d+\(real:same\) ` + cost + ` "/call" RECV\(` + size + ok + meta(`{"k":"v"}`) + body(`"secret"`) + `\}\) SEND\(` + size + meta(`{"back":"home"}`) + body(`"re:secret"`) + `\}\)`},
				{"CALL->", "/fail", addr + `\(real:192\.0\.2\.7\) ` + cost + ` "/fail" SEND\(` + size + meta(`{"X-Real-IP":"192.0.2.7"}`) + body(`"secret"`) + `\}\) RECV\(` + size + fail + `\}\)`},
				{"CALL<-", "/fail", `127\.0\.0\.1:\d+\(real:192\.0\.2\.7\) ` + cost + ` "/fail" RECV\(` + size + ok + meta(`{"X-Real-IP":"192.0.2.7"}`) + body(`"secret"`) + `\}\) SEND\(` + size + fail + `\}\)`},
				{"PUSH->", "/push", addr + `\(real:same\) ` + cost + ` "/push" SEND\(` + size + body(`"secret"`) + `\}\)`},
				{"PUSH<-", "/push", `127\.0\.0\.1:\d+\(real:same\) ` + cost + ` "/push" RECV\(` + size + ok + body(`"secret"`) + `\}\)`},
			} {
				if line := lines.find(t, tt.begin, tt.method); !regexp.MustCompile("^" + tt.begin + " " + tt.want + "$").MatchString(line) {
					t.Errorf("line\n%s\nis not like\n%s %s", line, tt.begin, tt.want)
				}
			}
			if !detail && looks.Load() != 3 { // once to encode each message
				t.Errorf("the arguments of 3 messages were encoded %d times", looks.Load())
			}
		})
	}
}

func TestRunLogIsOfDebugLevelOnly(t *testing.T) {
	lines := readRunLog(t, logger.LevelAll&^logger.LevelDebug)
	looks := new(atomic.Int32)
	runMessages(t, EndpointConfig{PrintDetail: true}, confession{looks})
	if n := looks.Load(); n != 3 {
		t.Errorf("the arguments of 3 messages were encoded %d times: something was formatted for nobody", n)
	}
	lines.mu.Lock()
	defer lines.mu.Unlock()
	if len(lines.lines) != 0 {
		t.Errorf("lines %q", lines.lines)
	}
}

func TestRunLogTellsSlowMessages(t *testing.T) {
	lines := readRunLog(t, logger.LevelAll)
	runMessages(t, EndpointConfig{SlowCometDuration: time.Nanosecond}, "x")
	for _, begin := range []string{"CALL->", "CALL<-"} {
		if line := lines.find(t, begin, "/call"); !strings.Contains(line, "s(slow) ") {
			t.Errorf("line %s", line)
		}
	}
}

func TestRunLogTellsCallsWithoutReply(t *testing.T) {
	lines := readRunLog(t, logger.LevelAll)
	addr, arrived := silentPeer(t)
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	ctx, pass := newLimit()
	cmd := sess.AsyncCall("/lost", "x", nil, nil, WithContext(ctx))
	polltest.Receive(t, "the call at the peer", arrived)
	pass()
	polltest.Receive(t, "the call", cmd.Done())
	wantStatus(t, cmd.Status(), CodeHandleTimeout, "")
	cmd = sess.AsyncCall("/unsent", make(chan int), nil, nil)
	polltest.Receive(t, "the call", cmd.Done())
	for method, code := range map[string]string{"/lost": `{"size":0,"status":{"code":408,`, "/unsent": `{"size":0,"status":{"code":104,`} {
		if line := lines.find(t, "CALL->", method); !strings.Contains(line, "RECV("+code) {
			t.Errorf("line %s", line)
		}
	}
}

func TestLateReplyIsLoggedWithoutItsBody(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	readRunLog(t, logger.LevelAll)
	logger.AddHandler("late", logFunc(func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}))
	defer logger.RemoveHandler("late")
	addr := rawListen(t, func(p *rawPeer) {
		for m := p.next(); m != nil; m = p.next() {
			p.send(message.TypeReply, m.Seq()+77, "", 'j', `"secret"`, WithSetMeta("token", "secret"))
			p.reply(m, "1")
		}
	})
	sess := dial(t, newPeer(t, EndpointConfig{}), addr)
	if stat := sess.Call("/x", nil, nil).Status(); stat != nil {
		t.Fatal(stat)
	}
	mu.Lock()
	defer mu.Unlock()
	if all := strings.Join(lines, "\n"); !strings.Contains(all, "reply to no pending call") || strings.Contains(all, "secret") {
		t.Errorf("log:\n%s", all)
	}
}

// logFunc is a handler of log lines.
type logFunc func(line string)

func (f logFunc) Log(_ int, v ...any)                 { f(fmt.Sprint(v...)) }
func (f logFunc) LogF(_ int, format string, v ...any) { f(fmt.Sprintf(format, v...)) }
