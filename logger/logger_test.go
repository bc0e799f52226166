package logger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gogf/gf/v2/os/glog"
)

// The package is one log for the whole process, so these tests swap it and do not run in parallel.

// buffer is a writer that several goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// capture gives the test a log of its own that writes to the returned buffer.
func capture(t testing.TB) *buffer {
	t.Helper()
	old := std
	std = newSink()
	t.Cleanup(func() { std = old })
	b := &buffer{}
	DefaultLogger().SetWriter(b)
	SetStdoutPrint(false)
	return b
}

type line struct {
	level  int
	format string
	args   []any
}

// recorder is a handler that keeps what it was given.
type recorder struct {
	mu    sync.Mutex
	lines []line
}

func (r *recorder) Log(level int, v ...any) { r.LogF(level, "", v...) }
func (r *recorder) LogF(level int, format string, v ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line{level, format, v})
}

// functions pairs each severity with its two functions.
var functions = []struct {
	name  string
	level int
	log   func(context.Context, ...any)
	logf  func(context.Context, string, ...any)
}{
	{"", LevelNone, Print, Printf},
	{"DEBU", LevelDebug, Debug, Debugf},
	{"INFO", LevelInfo, Info, Infof},
	{"NOTI", LevelNotice, Notice, Noticef},
	{"WARN", LevelWarning, Warning, Warningf},
	{"ERRO", LevelError, Error, Errorf},
	{"CRIT", LevelCritical, Critical, Criticalf},
}

func TestLineHasTimeSeverityAndText(t *testing.T) {
	const stamp = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)`
	for _, f := range functions {
		out := capture(t)
		SetLevel(LevelAll)
		f.log(t.Context(), "a", 1)
		f.logf(t.Context(), "%s=%d", "a", 1)
		tag := ""
		if f.name != "" {
			tag = regexp.QuoteMeta(" [" + f.name + "]")
		}
		want := regexp.MustCompile(stamp + tag + " a 1\n" + stamp[1:] + tag + " a=1\n$")
		if !want.MatchString(out.String()) {
			t.Errorf("%q printed %q, want %s", f.name, out, want)
		}
	}
}

func TestPrintlnIsPrint(t *testing.T) {
	out := capture(t)
	Println(t.Context(), "x", "y")
	if !strings.HasSuffix(out.String(), " x y\n") {
		t.Errorf("printed %q", out)
	}
}

func TestLevelsHoldLinesBack(t *testing.T) {
	tests := []struct {
		name string
		set  func(t *testing.T)
		want string // the severities that come out
	}{
		{"by default all but debug", func(*testing.T) {}, "INFO NOTI WARN ERRO CRIT"},
		{"debug added", func(*testing.T) { SetDebug(true) }, "DEBU INFO NOTI WARN ERRO CRIT"},
		{"debug added and taken away", func(*testing.T) { SetDebug(true); SetDebug(false) }, "INFO NOTI WARN ERRO CRIT"},
		{"nothing leaves critical", func(*testing.T) { SetLevel(LevelNone) }, "CRIT"},
		{"a mask with a hole", func(*testing.T) { SetLevel(LevelDebug | LevelError) }, "DEBU ERRO CRIT"},
		{"by name", func(t *testing.T) { mustSetLevel(t, "product") }, "WARN ERRO CRIT"},
		{"by name, everything", func(t *testing.T) { mustSetLevel(t, "ALL") }, "DEBU INFO NOTI WARN ERRO CRIT"},
		{"by name, notice and above", func(t *testing.T) { mustSetLevel(t, "Notice") }, "NOTI WARN ERRO CRIT"},
		{"an unknown name changes nothing", func(t *testing.T) {
			if err := SetLevelStr("loud"); err == nil || !strings.Contains(err.Error(), `"loud"`) {
				t.Errorf("SetLevelStr(loud) = %v, want an error that names it", err)
			}
		}, "INFO NOTI WARN ERRO CRIT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := capture(t)
			tt.set(t)
			var enabled []string
			for _, f := range functions {
				f.logf(t.Context(), "%s", "text")
				if f.level != LevelNone && Enabled(f.level) {
					enabled = append(enabled, f.name)
				}
			}
			var got []string
			for _, m := range regexp.MustCompile(`\[(\w+)\]`).FindAllStringSubmatch(out.String(), -1) {
				got = append(got, m[1])
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("printed %s, want %s", s, tt.want)
			}
			if s := strings.Join(enabled, " "); s != tt.want {
				t.Errorf("Enabled says %s, want %s", s, tt.want)
			}
			if IsDebug() != strings.Contains(tt.want, "DEBU") {
				t.Errorf("IsDebug() = %v", IsDebug())
			}
		})
	}
}

func mustSetLevel(t *testing.T, name string) {
	t.Helper()
	if err := SetLevelStr(name); err != nil {
		t.Fatal(err)
	}
}

func TestGetLevelReturnsTheMaskWithWhatIsAlwaysOn(t *testing.T) {
	capture(t)
	SetLevel(LevelDebug)
	if want := LevelDebug | LevelCritical | LevelPanic | LevelFatal; GetLevel() != want {
		t.Errorf("GetLevel() = %d, want %d", GetLevel(), want)
	}
}

// dear is a value that must not be formatted.
type dear struct{ t *testing.T }

func (d dear) String() string {
	d.t.Error("a line whose level is off was formatted")
	return ""
}

func TestDisabledLevelFormatsNothingAndReachesNoHandler(t *testing.T) {
	out := capture(t)
	r := &recorder{}
	AddHandler("r", r)
	Debug(t.Context(), dear{t})
	Debugf(t.Context(), "%v", dear{t})
	if out.String() != "" || len(r.lines) != 0 {
		t.Errorf("printed %q, handler got %v", out, r.lines)
	}
	if n := testing.AllocsPerRun(100, func() { Enabled(LevelDebug) }); n != 0 {
		t.Errorf("Enabled allocates %v times", n)
	}
}

func TestHandlersReceiveTheArgumentsThemselves(t *testing.T) {
	for _, f := range functions {
		capture(t)
		SetLevel(LevelAll)
		r := &recorder{}
		AddHandler("r", r)
		f.log(t.Context(), "a", 2)
		f.logf(t.Context(), "%s %d", "b", 3)
		got := fmt.Sprintf("%v", r.lines)
		if want := fmt.Sprintf("[{%d  [a 2]} {%d %%s %%d [b 3]}]", f.level, f.level); got != want {
			t.Errorf("%q: handler got %s, want %s", f.name, got, want)
		}
	}
}

func TestHandlersAreReplacedAndRemovedByName(t *testing.T) {
	capture(t)
	first, second, other := &recorder{}, &recorder{}, &recorder{}
	AddHandler("a", first)
	AddHandler("b", other)
	AddHandler("a", second)
	Info(t.Context(), "1")
	RemoveHandler("a")
	RemoveHandler("never added")
	Info(t.Context(), "2")
	AddHandler("b", nil)
	Info(t.Context(), "3")
	if len(first.lines) != 0 || len(second.lines) != 1 || len(other.lines) != 2 {
		t.Errorf("lines: replaced %d, removed %d, other %d; want 0, 1, 2",
			len(first.lines), len(second.lines), len(other.lines))
	}
}

type bomb struct{}

func (bomb) Log(int, ...any)          { panic("boom") }
func (bomb) LogF(int, string, ...any) { panic("boom") }

func TestPanickingHandlerIsContainedAndReportedOnce(t *testing.T) {
	out := capture(t)
	r := &recorder{}
	AddHandler("bad", bomb{})
	AddHandler("good", r)
	Info(t.Context(), "one")
	Infof(t.Context(), "two")
	if len(r.lines) != 2 || !strings.Contains(out.String(), "one") || !strings.Contains(out.String(), "two") {
		t.Errorf("lines were lost: handler got %v, log is %q", r.lines, out)
	}
	if n := strings.Count(out.String(), `handler "bad" panicked: boom`); n != 1 {
		t.Errorf("reported %d times, want once: %q", n, out)
	}
}

func TestCallerAndStackPointAtTheCaller(t *testing.T) {
	configured := map[string]func(t *testing.T){
		"as it is": func(*testing.T) {},
		"reconfigured": func(t *testing.T) {
			if err := SetConfigWithMap(map[string]any{"stSkip": 0}); err != nil {
				t.Fatal(err)
			}
		},
		"of SetLogger": func(*testing.T) {
			l := glog.New()
			l.SetWriter(DefaultLogger().GetWriter())
			l.SetStdoutPrint(false)
			l.SetFlags(glog.F_FILE_SHORT)
			SetLogger(l)
		},
	}
	for name, configure := range configured {
		t.Run(name, func(t *testing.T) {
			out := capture(t)
			DefaultLogger().SetFlags(glog.F_FILE_SHORT)
			DefaultLogger().SetStack(true)
			configure(t)
			Info(t.Context(), "x")
			Errorf(t.Context(), "y")
			if n := strings.Count(out.String(), " logger_test.go:"); n != 2 {
				t.Errorf("the caller is not named twice: %s", out)
			}
			if !strings.Contains(out.String(), "Stack:\n1.  github.com/osgochina/dmicro/logger.TestCaller") {
				t.Errorf("the stack does not begin at the caller: %s", out)
			}
		})
	}
}

func TestErrorLinesAreOneLineByDefault(t *testing.T) {
	out := capture(t)
	Error(t.Context(), "x")
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("printed %q", out)
	}
}

func TestPanicWritesAndPanicsWithTheText(t *testing.T) {
	for name, f := range map[string]func(){
		"Panic":  func() { Panic(context.Background(), "no ", 1) },
		"Panicf": func() { Panicf(context.Background(), "no %d", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			out := capture(t)
			defer func() {
				if p := recover(); p != "no 1" {
					t.Errorf("panicked with %v, want no 1", p)
				}
				if !strings.Contains(out.String(), "[PANI] no") {
					t.Errorf("printed %q", out)
				}
			}()
			f()
		})
	}
}

// endings are what a re-executed test binary does; see TestMain.
var endings = map[string]func(context.Context){
	"Fatal":  func(ctx context.Context) { Fatal(ctx, "the", "end") },
	"Fatalf": func(ctx context.Context) { Fatalf(ctx, "the %s", "end") },
	"Async": func(ctx context.Context) {
		DefaultLogger().SetAsync(true)
		for i := range 100 {
			Info(ctx, "line", i)
		}
		Fatal(ctx, "the end")
	},
}

func TestFatalEndsTheProcess(t *testing.T) {
	t.Parallel()
	for name := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), endEnv+"="+name)
			out, err := cmd.Output()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit status 1", err)
			}
			if !strings.HasSuffix(string(out), " [FATA] the end\n") {
				t.Errorf("last words are missing: %q", out)
			}
			if name == "Async" && strings.Count(string(out), "[INFO] line") != 100 {
				t.Errorf("lines before the last were lost: %s", out)
			}
		})
	}
}

func TestEverythingMayChangeWhileOthersLog(t *testing.T) {
	out := capture(t)
	dir := t.TempDir()
	if err := SetConfigWithMap(map[string]any{"path": dir}); err != nil {
		t.Fatal(err)
	}
	var loggers, changers sync.WaitGroup
	stop := make(chan struct{})
	change := func(f func(i int)) {
		changers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	change(func(i int) { SetLevel(LevelAll &^ (i % 2 * LevelDebug)) })
	change(func(i int) { SetDebug(i%2 == 0) })
	change(func(int) { AddHandler("h", &recorder{}) })
	change(func(int) { RemoveHandler("h") })
	change(func(int) { SetStdoutPrint(false) })
	change(func(i int) {
		if err := SetConfigWithMap(map[string]any{"prefix": fmt.Sprint(i), "path": dir}); err != nil {
			t.Error(err)
		}
	})
	for range 8 {
		loggers.Go(func() {
			for i := range 100 {
				Debugf(t.Context(), "%d", i)
				Warning(t.Context(), i)
			}
		})
	}
	loggers.Wait()
	close(stop)
	changers.Wait()
	if n := strings.Count(out.String(), "[WARN]"); n != 800 {
		t.Errorf("%d warnings written, want 800", n)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.log")); len(files) == 0 {
		t.Error("no log file was written")
	}
}

func BenchmarkDisabledLevel(b *testing.B) {
	capture(b)
	b.ReportAllocs()
	for b.Loop() {
		if Enabled(LevelDebug) {
			Debugf(b.Context(), "%d", b.N)
		}
	}
}
