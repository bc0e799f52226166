package process

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseSignal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]os.Signal{
		"TERM": syscall.SIGTERM, "SIGTERM": syscall.SIGTERM, " quit ": syscall.SIGQUIT, "9": syscall.SIGKILL, "sigint": syscall.SIGINT,
	} {
		if got, err := ParseSignal(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "SIG", "NONE", "0", "-1", "65", "999999999999", "TERM INT"} {
		if got, err := ParseSignal(text); err == nil || got != nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzParseSignal(f *testing.F) {
	f.Add("SIGTERM")
	f.Add("9")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseSignal(text); err == nil && (s < 1 || s > maxSignal) {
			t.Errorf("%q is %d", text, s)
		}
	})
}

func TestSplitCommand(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"/bin/app":                    {"/bin/app"},
		"  app  -a\t-b\n":             {"app", "-a", "-b"},
		`app "one arg" 'and "this"'`:  {"app", "one arg", `and "this"`},
		`app a\ b \"c "d\"e\\f\g" ''`: {"app", "a b", `"c`, `d"e\f\g`, ""},
		`app --x="a b"c`:              {"app", "--x=a bc"},
		`app $HOME * ; ls`:            {"app", "$HOME", "*", ";", "ls"},
	} {
		if got, err := SplitCommand(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, line := range []string{"", "  ", `app "x`, `app 'x`, `app \`, `"" x`} {
		if got, err := SplitCommand(line); err == nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`app "one arg" 'two' three\ four`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := SplitCommand(line)
		if err != nil {
			return
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		again, err := SplitCommand(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Errorf("%q becomes %q, then %q, %v", line, words, again, err)
		}
	})
}

func TestEveryBadOptionIsNamed(t *testing.T) {
	t.Parallel()
	o := NewProcOptions(ProcAutoReStart("maybe"), ProcHeartbeat(time.Millisecond), ProcStopSignal("NONE"),
		ProcStartSecs(2_000_000_000), ProcStdoutLog("x", "5 apples"), ProcStderrLog("x", "-1"))
	_, err := NewManager().NewProcessByOptions(o)
	if err == nil {
		t.Fatal("taken")
	}
	for _, text := range []string{"no command", "maybe", "heartbeat", "NONE", "start seconds", "5 apples", "-1"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v lacks %q", err, text)
		}
	}
}

func TestDefaultsOfOptions(t *testing.T) {
	t.Parallel()
	o := NewProcOptions()
	if !o.AutoStart || o.StartSecs != 1 || o.AutoReStart != AutoReStartTrue || o.ExitCodes != nil || o.StartRetries != 3 ||
		o.Priority != 999 || o.StdoutLogFileMaxBytes != 50<<20 || o.StdoutLogFileBackups != 10 || o.StopWaitSecs != 10 ||
		o.KillWaitSecs != 2 || o.StopSignal != nil || o.Lifeline || o.Heartbeat != 0 {
		t.Errorf("%+v", o)
	}
	p, err := newPlan(ProcOptions{Command: "x"})
	if err != nil || p.restart != AutoReStartTrue || p.starts != 1 || !slices.Equal(p.exitCodes, []int{0, 2}) ||
		!slices.Equal(p.stopSignals, []sigNum{syscall.SIGTERM}) {
		t.Errorf("%+v, %v", p, err)
	}
	if p.backoff(1) != time.Second || p.backoff(29) != 29*time.Second || p.backoff(1_000_000) != maxBackoff {
		t.Error("the pauses do not grow to their limit")
	}
}

func TestProcessesShareNoOptions(t *testing.T) {
	t.Parallel()
	o := NewProcOptions(ProcCommand("/bin/app"), ProcArgs("a"), ProcSetEnvironment("A", "1"), ProcSetExtend("k", 1))
	p := NewProcessByOptions(o)
	c, err := p.Clone()
	if err != nil {
		t.Fatal(err)
	}
	o.Args[0] = "b"
	o.Environment.Set("A", "2")
	copied := p.Options()
	copied.Args[0] = "c"
	copied.Environment.Set("A", "3")
	for _, q := range []*Process{p, c} {
		if q.GetName() != "app" || q.opts.Args[0] != "a" || q.opts.Environment.Get("A") != "1" || q.opts.Extend.Get("k") != 1 {
			t.Errorf("%+v", q.opts)
		}
	}
}
