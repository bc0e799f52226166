package proclog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/polltest"
)

func TestMain(m *testing.M) {
	// The log library has a goroutine for each file that was ever written, by design.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

func open(t *testing.T, spec string, c Config) Logger {
	t.Helper()
	l, err := Open(spec, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"0": 0, "4096": 4096, "4096B": 4096, "64k": 64 << 10, "64KB": 64 << 10, " 50 MB ": 50 << 20, "1gb": 1 << 30, "2G": 2 << 30,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.5MB", "1TB", "1BB", "5 apples", "99999999999999999999", "9999999999GB", "0x10"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("50MB")
	f.Add(" 9223372036854775807 kb")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(fmt.Sprint(n)); n < 0 || again != n || err != nil {
			t.Errorf("%q: %d, %d, %v", text, n, again, err)
		}
	})
}

func TestSyslogSpecs(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"syslog": " ", "syslog@host": "udp host:514", "syslog@host:99": "udp host:99", "syslog@tcp:host": "tcp host:514",
		"syslog@udp:10.0.0.1:5": "udp 10.0.0.1:5", "syslog@tcp:[::1]:99": "tcp [::1]:99", "syslog@[::1]": "udp [::1]:514",
	} {
		if network, address, err := parseSyslog(spec); err != nil || network+" "+address != want {
			t.Errorf("%s: %s %s, %v", spec, network, address, err)
		}
	}
	for _, spec := range []string{"syslog@", "syslog@tcp:", "syslog@host:0", "syslog@host:x", "syslog@a b", "syslog@[::1", "syslog@host:99999"} {
		if _, _, err := parseSyslog(spec); err == nil {
			t.Errorf("%s was taken", spec)
		}
	}
}

func FuzzParseSyslog(f *testing.F) {
	f.Add("syslog@tcp:host:514")
	f.Add("syslog@[::1]")
	f.Fuzz(func(t *testing.T, spec string) {
		network, address, err := parseSyslog(spec)
		if err != nil || address == "" {
			return
		}
		if _, _, err := net.SplitHostPort(address); err != nil || network != "tcp" && network != "udp" {
			t.Errorf("%q: %q %q, %v", spec, network, address, err)
		}
	})
}

func TestAFileIsMadeAndRotatedBetweenLines(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "logs", "app.log")
	l := open(t, name, Config{MaxBytes: 100, Backups: 3})
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	for i := range 60 { // three lines a file
		if _, err := fmt.Fprintf(l, "%02d %s\n", i, strings.Repeat("x", 26)); err != nil {
			t.Fatal(err)
		}
	}
	f := l.(fileLogger)
	polltest.Until(t, "old files are removed", func() bool { return len(f.backups()) == 3 })
	text, err := os.ReadFile(name)
	if err != nil || len(text) != 90 || !strings.HasPrefix(string(text), "57 ") {
		t.Errorf("%q, %v", text, err)
	}
	if old, err := os.ReadFile(f.backups()[2]); err != nil || !strings.HasPrefix(string(old), "54 ") || len(old) != 90 {
		t.Errorf("%q, %v", old, err)
	}
	if err = l.ClearAllLogFile(); err != nil || len(f.backups()) != 0 {
		t.Error(err)
	}
	if text, err := l.ReadLog(0, 0); text != "" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// All that waits for a log may come in one write.
func TestNoFileOfABacklogIsLargerThanItsLimit(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	l := open(t, name, Config{MaxBytes: 1000, Backups: 100})
	var backlog strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&backlog, "line %03d\n", i)
	}
	if n, err := io.WriteString(l, backlog.String()); n != backlog.Len() || err != nil {
		t.Fatal(n, err)
	}
	var all strings.Builder
	for _, n := range append(l.(fileLogger).backups(), name) {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 1000 {
			t.Errorf("%s has %d bytes", n, len(text))
		}
		all.Write(text)
	}
	if all.String() != backlog.String() {
		t.Errorf("of %d bytes %d are there, or they are not in order", backlog.Len(), all.Len())
	}
}

func TestALineLongerThanAFileStaysWhole(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	l := open(t, name, Config{MaxBytes: 10, Backups: 5})
	for _, piece := range []string{strings.Repeat("a", 30), "bb\n", "c\n"} {
		if n, err := io.WriteString(l, piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	f := l.(fileLogger)
	if old, err := os.ReadFile(f.backups()[0]); err != nil || string(old) != strings.Repeat("a", 30)+"bb\n" {
		t.Errorf("%q, %v", old, err)
	}
}

func TestAFullFileWithoutBackupsIsEmptied(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	l := open(t, name, Config{MaxBytes: 4})
	for range 2 {
		if _, err := io.WriteString(l, "abc\n"); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(name); string(text) != "abc\n" || len(l.(fileLogger).backups()) != 0 {
		t.Errorf("%q, %v", text, err)
	}
}

func TestLoggersOfOneFileShareItsWriter(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "app.log")
	one := open(t, name, Config{MaxBytes: 1000, Backups: 9})
	two := open(t, name, Config{})
	var wg sync.WaitGroup
	for _, l := range []Logger{one, two} {
		wg.Go(func() {
			for i := range 100 {
				fmt.Fprintf(l, "line %03d\n", i)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(one.Close(), one.Close()); err != nil {
		t.Error(err)
	}
	if _, err := io.WriteString(two, "still open\n"); err != nil {
		t.Error(err)
	}
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.WriteString(two, "closed\n"); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	names := append(two.(fileLogger).backups(), name)
	var lines int
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(text, []byte("\n"))
	}
	if lines != 201 {
		t.Errorf("%d lines in %v", lines, names)
	}
	again := open(t, name, Config{})
	if _, err := io.WriteString(again, "open again\n"); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{dir, filepath.Join(dir, "file", "below a file")} {
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(name, Config{}); err == nil {
			t.Errorf("%v was taken: %v", name, l)
		}
		if l, err := Open(filepath.Join(dir, "good")+","+name, Config{}); err == nil {
			t.Errorf("%v was taken: %v", name, l)
		}
	}
}

func TestReadingALog(t *testing.T) {
	t.Parallel()
	l := open(t, filepath.Join(t.TempDir(), "app.log"), Config{})
	if _, err := io.WriteString(l, "0123456789"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, 0, "0123456789"}, {3, 2, "34"}, {3, 0, "3456789"}, {-3, 0, "789"}, {-30, 2, "01"}, {99, 5, ""}, {8, 99, "89"}} {
		if got, err := l.ReadLog(c.offset, c.length); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, c := range []struct {
		offset, length int64
		want           string
		cut            bool
	}{{0, 99, "0123456789", false}, {0, 4, "6789", true}, {8, 4, "89", false}, {10, 4, "", false}, {99, 99, "0123456789", false}} {
		if got, next, cut, err := l.ReadTailLog(c.offset, c.length); err != nil || got != c.want || next != 10 || cut != c.cut {
			t.Errorf("%+v: %q, %d, %v, %v", c, got, next, cut, err)
		}
	}
	if _, err := l.ReadLog(0, -1); err == nil {
		t.Error("a negative length was taken")
	}
	if err := l.ClearCurLogFile(); err != nil {
		t.Error(err)
	}
	if _, err := io.WriteString(l, "new"); err != nil {
		t.Error(err)
	}
	if got, err := l.ReadLog(0, 0); got != "new" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestACompositeGoesOnWithoutTheBrokenOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	l := open(t, "/dev/null, "+a+" ,"+b, Config{})
	if err := l.(composite)[1].Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.WriteString(l, "text\n"); n != 5 || err != nil {
		t.Error(n, err)
	}
	if text, err := os.ReadFile(b); string(text) != "text\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := l.ClearAllLogFile(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(b); string(text) != "" {
		t.Errorf("%q, %v", text, err)
	}
	nothing := open(t, "/dev/null,/dev/null", Config{})
	if err := nothing.ClearCurLogFile(); !errors.Is(err, ErrNotKept) || !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if _, _, _, err := nothing.ReadTailLog(0, 1); !errors.Is(err, ErrNotKept) {
		t.Error(err)
	}
}

// memory is a logger that may be made to fail or to hang.
type memory struct {
	unkept
	mu   sync.Mutex
	text bytes.Buffer
	err  error
	hold chan struct{}
}

func (m *memory) Write(b []byte) (int, error) {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	return m.text.Write(b)
}

func (m *memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return r, w
}

func TestAPumpShowsABegunLineInTheEnd(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	m := &memory{}
	p := NewPump(r, m)
	fmt.Fprint(w, "one\ntw")
	polltest.Until(t, "the whole line", func() bool { return m.String() == "one\n" })
	if runtime.GOOS != "windows" {
		polltest.Until(t, "the begun one, after a while", func() bool { return m.String() == "one\ntw" })
	}
	fmt.Fprint(w, "o\nthree")
	w.Close()
	if !p.Finish(time.Minute) || m.String() != "one\ntwo\nthree" {
		t.Errorf("%q", m.String())
	}
}

func TestAPumpCutsALineWithoutEnd(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	m := &memory{}
	p := NewPump(r, m)
	long := strings.Repeat("z", 5*lineSize/2)
	fmt.Fprint(w, long)
	w.Close()
	if !p.Finish(time.Minute) || m.String() != long {
		t.Errorf("%d bytes", len(m.String()))
	}
}

func TestAPumpLetsGoOfAPipeThatStaysOpenAndOfALoggerThatHangs(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	m := &memory{hold: make(chan struct{})}
	p := NewPump(r, m)
	fmt.Fprintln(w, "text")
	if p.Finish(50 * time.Millisecond) {
		t.Error("it says that all is written")
	}
	close(m.hold)
	if !p.Finish(time.Minute) || m.String() != "text\n" {
		t.Errorf("%q", m.String())
	}
}

func TestWhatABrokenLoggerLostIsSaidWhenItWorksAgain(t *testing.T) {
	t.Parallel()
	r, w := pipe(t)
	m := &memory{err: errors.New("disk full")}
	p := NewPump(r, m)
	fmt.Fprintln(w, "lost")
	polltest.Until(t, "loss", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.dropped == 5 })
	m.mu.Lock()
	m.err = nil
	m.mu.Unlock()
	fmt.Fprintln(w, "kept")
	w.Close()
	if want := "kept\nsupervisor: 5 bytes of output were dropped, the log was too slow or failed\n"; !p.Finish(time.Minute) || m.String() != want {
		t.Errorf("%q", m.String())
	}
}

func TestWhatIsWrittenToOurOwnOutputIsNotKept(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]*os.File{"/dev/stdout": os.Stdout, "/dev/stderr": os.Stderr} {
		l := open(t, spec, Config{})
		if s, ok := l.(stream); !ok || s.Writer != want {
			t.Errorf("%s: %v", spec, l)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := fmt.Fprint(want, ""); err != nil {
			t.Error("closed with the logger: ", err)
		}
	}
}
