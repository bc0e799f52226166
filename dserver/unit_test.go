package dserver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/internal/polltest"
)

// fakeSandbox is a sandbox made of functions.
type fakeSandbox struct {
	BaseSandbox
	name     string
	setup    func(s *fakeSandbox) error
	shutdown func(s *fakeSandbox) error
}

func (f *fakeSandbox) Name() string { return f.name }

func (f *fakeSandbox) Setup() error {
	if f.setup == nil {
		return nil
	}
	return f.setup(f)
}

func (f *fakeSandbox) Shutdown() error {
	if f.shutdown == nil {
		return nil
	}
	return f.shutdown(f)
}

// untilDone is a Setup that blocks for as long as the sandbox lives.
func untilDone(f *fakeSandbox) error {
	<-f.Context.Done()
	return errors.New("listener is closed")
}

// serverWith makes a server with started sandboxes.
func serverWith(t *testing.T, boxes ...*fakeSandbox) *DServer {
	t.Helper()
	s := newServer()
	for _, b := range boxes {
		if err := s.AddSandBox(b); err != nil {
			t.Fatal(err)
		}
		if err := s.startUnit(s.unit(b.name)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestSandboxIsRunningWhileSetupBlocksAndAfterItReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serverWith(t, &fakeSandbox{name: "blocks", setup: untilDone}, &fakeSandbox{name: "returns"})
		synctest.Wait()
		for _, name := range []string{"blocks", "returns"} {
			u := s.unit(name)
			if got := u.status().state; got != StateRunning {
				t.Errorf("%s is %s", name, got)
			}
			if err := u.stop(t.Context()); err != nil {
				t.Errorf("%s: stop: %v", name, err)
			}
			if got := u.status(); got.state != StateStopped || got.reason != "" {
				t.Errorf("%s after stop: %+v", name, got)
			}
		}
	})
}

func TestNothingIsLeftWhenAllHaveFailedUnlessSomebodyLooksAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaks := func(*fakeSandbox) error { return errors.New("no database") }
		box := &fakeSandbox{name: "b", setup: breaks}
		s := serverWith(t, box)
		u := s.unit("b")
		synctest.Wait()
		if !s.nothingLeft() || s.allFailed().Error() != "every sandbox has failed: b (no database)" {
			t.Errorf("after its failure: nothing left %v, %v", s.nothingLeft(), s.allFailed())
		}
		if err := s.model.start(t.Context(), "b"); err == nil || s.nothingLeft() {
			t.Errorf("a start by hand that failed: %v, nothing left %v", err, s.nothingLeft())
		}
		box.setup = untilDone
		if err := s.model.start(t.Context(), "b"); err != nil || s.nothingLeft() {
			t.Errorf("a start by hand that succeeded: %v, nothing left %v", err, s.nothingLeft())
		}
		if u.fail(StateStopped, errors.New("no database any more")); !s.nothingLeft() {
			t.Error("a failure after a start by hand that had succeeded does not count")
		}
		u.cancel()
		synctest.Wait()
		if err := errors.Join(s.model.start(t.Context(), "b"), s.model.stop(t.Context(), "b")); err != nil || s.nothingLeft() {
			t.Errorf("stopped by hand: %v, nothing left %v", err, s.nothingLeft())
		}
	})
}

func TestFailedSetup(t *testing.T) {
	tests := []struct {
		name  string
		setup func(*fakeSandbox) error
		want  State
		says  string
	}{
		{"error", func(*fakeSandbox) error { return errors.New("no database") }, StateStopped, "no database"},
		{"panic", func(*fakeSandbox) error { panic("boom") }, StateFatal, "panic in Setup: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			box := &fakeSandbox{name: "b", setup: tt.setup}
			s := serverWith(t, box)
			u := s.unit("b")
			var failure error
			polltest.Until(t, "Setup to return", func() (done bool) { done, failure = u.settledNow(); return done })
			if failure == nil || failure.Error() != tt.says {
				t.Fatalf("outcome %v, want %q", failure, tt.says)
			}
			if got := u.status(); got.state != tt.want || got.reason != tt.says {
				t.Fatalf("%+v, want %s", got, tt.want)
			}
			if box.Context.Err() == nil {
				t.Error("the context goes on after a failed Setup")
			}
			if err := u.stop(t.Context()); !errors.Is(err, errNotRunning) {
				t.Errorf("stop: %v, want errNotRunning", err)
			}
			box.setup = nil
			if err := s.startUnit(u); err != nil {
				t.Fatalf("start again: %v", err)
			}
			if got := u.status(); got.state != StateRunning || got.reason != "" {
				t.Errorf("after the second start: %+v", got)
			}
			if err := u.stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSandboxIsSetUpAgainWithAFreshContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var contexts []context.Context
		box := &fakeSandbox{name: "b", setup: func(f *fakeSandbox) error {
			contexts = append(contexts, f.Context)
			return untilDone(f)
		}}
		s := serverWith(t, box)
		u := s.unit("b")
		synctest.Wait()
		if err := s.startUnit(u); !errors.Is(err, errRunning) {
			t.Fatalf("start of a running one: %v", err)
		}
		if err := u.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.startUnit(u); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(contexts) != 2 || contexts[0].Err() == nil || contexts[1].Err() != nil {
			t.Fatalf("contexts: %v", contexts)
		}
		if err := u.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStopThatOverrunsEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := &fakeSandbox{name: "b", setup: untilDone, shutdown: func(*fakeSandbox) error {
			time.Sleep(time.Minute)
			return nil
		}}
		s := serverWith(t, box)
		u := s.unit("b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := u.stop(ctx); !errors.Is(err, errOverran) {
			t.Fatalf("stop: %v, want errOverran", err)
		}
		if err := s.startUnit(u); !errors.Is(err, errRunning) {
			t.Fatalf("start beside a Shutdown: %v", err)
		}
		if err := u.stop(t.Context()); err != nil {
			t.Fatalf("stop of one that is stopping waits: %v", err)
		}
		if got := u.status().state; got != StateStopped {
			t.Fatalf("state %s", got)
		}
	})
}

func TestPanicInShutdownIsContained(t *testing.T) {
	t.Parallel()
	s := serverWith(t, &fakeSandbox{name: "b", shutdown: func(*fakeSandbox) error { panic("boom") }})
	err := s.unit("b").stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "panic in Shutdown: boom") {
		t.Fatalf("got %v", err)
	}
	if got := s.unit("b").status().state; got != StateStopped {
		t.Fatalf("state %s", got)
	}
}

func TestStopGoesInTurnTheLastStartedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		note := func(f *fakeSandbox) error {
			order = append(order, f.name)
			return nil
		}
		s := serverWith(t, &fakeSandbox{name: "a", shutdown: note}, &fakeSandbox{name: "c", shutdown: note}, &fakeSandbox{name: "b", shutdown: note})
		if out := s.stop(time.Second); out.code() != codeOK || strings.Join(order, "") != "cba" {
			t.Fatalf("order %v, outcome %+v", order, out)
		}
		if err := s.startUnit(s.unit("a")); !errors.Is(err, errStopping) {
			t.Fatalf("start after the stop: %v", err)
		}
	})
}

// One that hangs uses its own share of the time, not that of the others.
func TestStopCutsOnlyWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var stopped []string
		note := func(f *fakeSandbox) error {
			stopped = append(stopped, f.name)
			return nil
		}
		hang := func(*fakeSandbox) error { <-release; return nil }
		s := serverWith(t, &fakeSandbox{name: "a", shutdown: note}, &fakeSandbox{name: "b", shutdown: note}, &fakeSandbox{name: "c", shutdown: hang})
		began := time.Now()
		out := s.stop(15 * time.Second)
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("took %v, want 15s", took)
		}
		if strings.Join(out.cut, ",") != "c" || out.code() != codeFailed || strings.Join(stopped, "") != "ba" {
			t.Errorf("cut %v, stopped %v, code %d", out.cut, stopped, out.code())
		}
		close(release)
		synctest.Wait()
	})
}

func TestBeforeStop(t *testing.T) {
	tests := []struct {
		name    string
		ask     StopFunc
		refused bool
	}{
		{"none", nil, false},
		{"true", func(*DServer) bool { return true }, false},
		{"false", func(*DServer) bool { return false }, true},
		{"panic", func(*DServer) bool { panic("boom") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serverWith(t, &fakeSandbox{name: "b"})
			s.BeforeStop(tt.ask)
			if out := s.stop(time.Second); out.refused != tt.refused {
				t.Fatalf("%+v", out)
			}
			if state := s.unit("b").status().state; (state == StateRunning) != tt.refused {
				t.Fatalf("state %s", state)
			}
		})
	}
}

// A successor that started before the pid files were its predecessor's would find them locked by a stranger.
func TestReloadWaitsForThePidFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serverWith(t)
		s.BeforeStop(func(*DServer) bool { return false }) // as far as it gets
		s.filed = make(chan struct{})
		done := make(chan error, 1)
		begin := func(ctx context.Context) { done <- s.reload(ctx) }
		go begin(t.Context())
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		close(s.filed)
		if err := <-done; !errors.Is(err, errVetoed) {
			t.Errorf("once they are: %v", err)
		}
		s.filed = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.reload(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("for nobody any more: %v", err)
		}
		s.cancel()
		if err := s.reload(t.Context()); !errors.Is(err, errStopping) {
			t.Errorf("by a server that ends: %v", err)
		}
	})
}

func TestUptime(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second:                "0:00:00",
		2 * time.Second:             "0:00:02",
		time.Hour + 61*time.Second:  "1:01:01",
		24*time.Hour - time.Second:  "23:59:59",
		24 * time.Hour:              "1 days, 0:00:00",
		3*24*time.Hour + time.Hour:  "3 days, 1:00:00",
		1500 * time.Millisecond:     "0:00:01",
		100*24*time.Hour + 59*1e9:   "100 days, 0:00:59",
		11*time.Hour + 10*time.Hour: "21:00:00",
	} {
		if got := uptime(d); got != want {
			t.Errorf("uptime(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	tests := []struct {
		st   status
		want string
	}{
		{status{state: StateStopped, since: now}, ""},
		{status{state: StateFatal, since: now}, "2026-11-21 12:00:00"},
		{status{state: StateStopping, since: now}, "2026-11-21 12:00:00"},
	}
	for _, tt := range tests {
		if got := tt.st.describe(now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.st.state, got, tt.want)
		}
	}
	running := status{state: StateRunning, since: now.Add(-2 * time.Second)}.describe(now)
	if !strings.HasPrefix(running, "pid ") || !strings.HasSuffix(running, ", uptime 0:00:02") {
		t.Errorf("running: %q", running)
	}
}
