package dserver

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/internal/polltest"
)

// caller is a client of the sandbox with the trait "serve".
func caller(t *testing.T, p *process) drpc.Session {
	t.Helper()
	p.waitOutput("serving at ")
	addr := regexp.MustCompile(`serving at (\S+);`)
	polltest.Until(t, "the address", func() bool { return addr.MatchString(p.out.String()) })
	ep, err := drpc.New(drpc.EndpointConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ep.Close() })
	sess, stat := ep.Dial(addr.FindStringSubmatch(p.out.String())[1])
	if !stat.OK() {
		t.Fatal(stat)
	}
	return sess
}

func TestSessionsAndRoutesOfTheApplicationAreListed(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=serve")
	p := e.serve()
	sess := caller(t, p)
	var reply string
	if stat := sess.Call("/echo", "hello", &reply).Status(); !stat.OK() || reply != "hello" {
		t.Fatal(stat, reply)
	}
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan drpc.CallCmd, 1)
	sess.AsyncCall("/wait", "", nil, waiting, message.WithContext(ctx))
	defer func() {
		cancel()
		<-waiting
	}()
	me := sess.LocalAddr().String()
	var sessions ctlSessions
	polltest.Until(t, "the call to be at work", func() bool {
		r := e.run("ctl", "sessions", "--json")
		if err := json.Unmarshal([]byte(r.out), &sessions); err != nil {
			t.Fatalf("%v: %s", err, r.out+r.err)
		}
		return len(sessions.List) == 1 && sessions.List[0].Serving == 1
	})
	if s := sessions.List[0]; sessions.Total != 1 || s.Remote != me || s.PID != p.Process.Pid || s.BytesIn == 0 || s.BytesOut == 0 || s.Dialed {
		t.Errorf("%+v", sessions)
	}
	e.run("ctl", "sessions").want(t, codeOK, "│ Id ", me, "1 of 1")
	e.run("ctl", "sessions", "-n", "x").want(t, codeUsage, "--limit")

	var routes ctlRoutes
	r := e.run("ctl", "routes", "--json")
	if err := json.Unmarshal([]byte(r.out), &routes); err != nil {
		t.Fatal(err)
	}
	if routes.Total != 2 || routes.List[0] != (ctlRoute{Kind: "CALL", Path: "/echo", Arg: "string", Reply: "string"}) {
		t.Errorf("%+v", routes)
	}
	e.run("ctl", "routes").want(t, codeOK, "│ /wait  │ CALL │", "2 of 2")
}

// callsUntil calls and fails in turn until the test ends.
func callsUntil(t *testing.T, sess drpc.Session) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			sess.Call("/echo", "hello", nil)
			sess.Call("/echo", "", nil)
			time.Sleep(time.Millisecond) // a load, not a race
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func TestTopShowsCallsFailuresAndLatency(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=serve")
	p := e.serve()
	callsUntil(t, caller(t, p))
	r := e.run("ctl", "top", "--json", "-n", "3", "-i", "200ms")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.code != codeOK || len(lines) != 3 {
		t.Fatalf("%d: %s%s", r.code, r.out, r.err)
	}
	var f topFrame
	look := func(line string) {
		t.Helper()
		f = topFrame{}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if len(f.Processes) != 1 || len(f.Methods) != 1 {
			t.Fatalf("%+v", f)
		}
	}
	look(lines[2])
	polltest.Until(t, "a frame with calls of both kinds", func() bool { // the caller, too, may have to wait for its turn
		if m := f.Methods[0]; m.Errors > 0 && m.Calls > m.Errors {
			return true
		}
		look(e.run("ctl", "top", "--json", "-n", "1", "-i", "200ms").out)
		return false
	})
	if own := f.Processes[0]; own.PID != p.Process.Pid || own.Generation != 1 || own.Sessions != 1 || own.Calls <= 0 || own.InRate <= 0 || own.Memory == 0 {
		t.Errorf("%+v", own)
	}
	if m := f.Methods[0]; m.Path != "/echo" || m.P50 <= 0 || m.P99 < m.P50 {
		t.Errorf("%+v", m)
	}
	// Where there is no terminal it prints one frame, without sequences for one.
	r = e.run("ctl", "top", "-i", "200ms")
	r.want(t, codeOK, "│ Method ", "│ /echo", "│ Pid ")
	if strings.Contains(r.out, "\x1b") || strings.Count(r.out, "│ Method ") != 1 {
		t.Errorf("%q", r.out)
	}
	e.run("ctl", "top", "-i", "1ms").want(t, codeUsage, "at least 100ms")
}
