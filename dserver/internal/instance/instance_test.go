package instance

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/internal/porttest"
)

// envHold makes the test binary hold the pid file it names until its input ends.
const envHold = "INSTANCE_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(envHold); path != "" {
		os.Exit(hold(path))
	}
	goleak.VerifyTestMain(m)
}

func hold(path string) int {
	p, err := Lock(path)
	if err != nil {
		os.Stdout.WriteString("error: " + err.Error() + "\n")
		return 1
	}
	if lis, err := Listen(path + ".sock"); err == nil {
		defer lis.Close()
	}
	os.Stdout.WriteString("held\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	_ = p.Release()
	return 0
}

// holder is another process that holds a pid file.
type holder struct {
	*exec.Cmd
	release func()
}

func startHolder(t *testing.T, path string) *holder {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envHold+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	buf := make([]byte, 200)
	n, err := out.Read(buf)
	if err != nil || strings.TrimSpace(string(buf[:n])) != "held" {
		t.Fatalf("holder said %q, %v", buf[:n], err)
	}
	return &holder{Cmd: cmd, release: func() { in.Close() }}
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLockWritesThePidPrivately(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	p, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != strconv.Itoa(os.Getpid()) {
		t.Fatalf("pid file holds %q, %v", text, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, want 0600", info.Mode().Perm())
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("after Release: %v, want no file", err)
	}
	if err := p.Release(); err != nil {
		t.Fatalf("second Release: %v", err)
	}
}

func TestLockOfALivingHolderIsRefusedWithItsPid(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	other := startHolder(t, path)
	_, err := Lock(path)
	var held *HeldError
	if !errors.As(err, &held) || held.PID != other.Process.Pid || held.Path != path {
		t.Fatalf("got %v, want held by %d", err, other.Process.Pid)
	}
	h, err := FindHolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if gone, err := h.Gone(); gone || err != nil || h.PID != other.Process.Pid {
		t.Fatalf("holder %d: gone %v, %v", h.PID, gone, err)
	}
	other.release()
	polltest.Until(t, "the holder to be gone", func() bool {
		gone, err := h.Gone()
		return gone && err == nil
	})
}

func TestStalePidFileOfAKilledHolderIsRecovered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	other := startHolder(t, path)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the killed process left no file: %v", err)
	}
	if _, err := FindHolder(path); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("FindHolder: %v, want ErrNotRunning", err)
	}
	p, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	lis, err := Listen(path + ".sock")
	if err != nil {
		t.Fatalf("stale socket: %v", err)
	}
	lis.Close()
}

// A pid in a file that nobody locks is a number, not a process: even if a
// process has it, it is not ours to signal.
func TestUnlockedPidFileOfALivingProcessIsNotRunning(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	mustWrite(t, path, strconv.Itoa(os.Getpid()))
	if _, err := FindHolder(path); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("got %v, want ErrNotRunning", err)
	}
	p, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
}

func TestFindHolderWithoutFile(t *testing.T) {
	t.Parallel()
	if _, err := FindHolder(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("got %v, want ErrNotRunning", err)
	}
}

func TestLockLeavesWhatIsNotAPidFileAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	mustWrite(t, victim, "precious")
	tests := map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(victim, path) },
		"hard link": func(path string) error { return os.Link(victim, path) },
		"text":      func(path string) error { return os.WriteFile(path, []byte("[logger]\nlevel=1"), 0o600) },
		"long":      func(path string) error { return os.WriteFile(path, []byte(strings.Repeat(" ", 99)), 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	}
	for name, prepare := range tests {
		path := filepath.Join(dir, name)
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		if p, err := Lock(path); err == nil {
			p.Release()
			t.Errorf("%s: Lock took it", name)
		}
		if _, err := FindHolder(path); err == nil || errors.Is(err, ErrNotRunning) {
			t.Errorf("%s: FindHolder: %v, want it refused", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s: content changed to %q", name, after)
		}
	}
	if text, _ := os.ReadFile(victim); string(text) != "precious" {
		t.Fatalf("the file behind the link holds %q", text)
	}
}

func TestParsePid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		pid  int
		ok   bool
	}{
		{"", 0, true}, {" \n", 0, true}, {"1", 1, true}, {"4711\n", 4711, true},
		{"0", 0, false}, {"-5", 0, false}, {"+5", 0, false}, {"5 6", 0, false}, {"abc", 0, false},
		{"99999999999999", 0, false}, {strings.Repeat("1", 30), 0, false},
	}
	for _, tt := range tests {
		pid, err := parsePid([]byte(tt.text))
		if pid != tt.pid || (err == nil) != tt.ok {
			t.Errorf("parsePid(%q) = %d, %v", tt.text, pid, err)
		}
	}
}

func FuzzParsePid(f *testing.F) {
	for _, seed := range []string{"", "1", "4711\n", "-1", "99999999999999999999", "0x10", "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pid, err := parsePid(text)
		if pid < 0 || err != nil && pid != 0 {
			t.Fatalf("parsePid(%q) = %d, %v", text, pid, err)
		}
	})
}

func TestDirRefusesNamesThatLeaveIt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\x00b", "a\nb", strings.Repeat("x", 65)} {
		if dir, err := Dir("", name); err == nil {
			t.Errorf("Dir(%q) = %s, want an error", name, dir)
		}
	}
	dir, err := Dir("/base", "订单 service")
	if err != nil || !strings.HasPrefix(dir, "/base/订单 service") {
		t.Errorf("Dir = %s, %v", dir, err)
	}
}

func TestPrepareMakesAPrivateDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	if err := Check(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Check of nothing: %v", err)
	}
	for range 2 {
		if err := Prepare(dir); err != nil {
			t.Fatal(err)
		}
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, want 0700", info.Mode().Perm())
	}
}

func TestPrepareRefusesWhatOthersMayUse(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tests := map[string]func(path string) error{
		"open": func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o755)) },
		"link": func(path string) error { return os.Symlink(base, path) },
		"file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	}
	if os.Geteuid() == 0 {
		tests["foreign"] = func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 12345, 12345)) }
	}
	for name, prepare := range tests {
		path := filepath.Join(base, name)
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		if err := Prepare(path); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v, want ErrUnsafe", name, err)
		}
	}
}

func TestPinnedDirectoryIsLockedForCleaners(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pin, err := Pin(dir)
	if err != nil {
		t.Fatal(err)
	}
	cleaner, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer cleaner.Close()
	if err := lockFile(cleaner, true); !errors.Is(err, errLocked) {
		t.Errorf("a cleaner gets the lock: %v", err)
	}
	pin.Close()
	porttest.Released()
	if err := lockFile(cleaner, true); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// shortDir is a private directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "inst")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestListenIsPrivateAndLeavesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "a.sock")
	lis, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode()&fs.ModeSocket == 0 {
		t.Fatalf("socket: %v, %v", info.Mode(), err)
	}
	lis.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestListenNeverStealsALivingSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "a.sock")
	lis, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	if _, err := Listen(path); !errors.Is(err, ErrSocketInUse) {
		t.Fatalf("second Listen: %v, want ErrSocketInUse", err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first listener is not reached any more: %v", err)
	}
	conn.Close()
}

func TestListenNeverDeletesAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "a.sock")
	mustWrite(t, path, "precious")
	if _, err := Listen(path); !errors.Is(err, ErrUnsafe) {
		t.Fatalf("got %v, want ErrUnsafe", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Fatalf("the file holds %q", text)
	}
}

func TestListenExplainsALongPath(t *testing.T) {
	t.Parallel()
	_, err := Listen("/" + strings.Repeat("x", 200))
	if err == nil || !strings.Contains(err.Error(), EnvDir) {
		t.Fatalf("got %v, want advice", err)
	}
}

func TestCheckPeerKnowsThisUser(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "a.sock")
	lis, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := CheckPeer(conn); err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := CheckPeer(a); !errors.Is(err, ErrForeignUser) {
		t.Fatalf("a pipe: %v, want ErrForeignUser", err)
	}
}

func TestJudgePeer(t *testing.T) {
	t.Parallel()
	failed := errors.New("no credentials")
	tests := []struct {
		name  string
		uid   int
		known bool
		err   error
		want  error
	}{
		{"self", 1000, true, nil, nil},
		{"superuser", 0, true, nil, nil},
		{"other", 1001, true, nil, ErrForeignUser},
		{"unknown", 0, false, nil, nil},
		{"failed", 1000, false, failed, failed},
	}
	for _, tt := range tests {
		if err := judgePeer(tt.uid, tt.known, tt.err, 1000); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestAdoptedPidFileChangesHandsWithoutBeingFreeOrEmpty(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	p, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	unclaimed := Adopt(dup(t, p.File()), path)
	if err := unclaimed.Release(); err != nil || !p.Mine() {
		t.Fatalf("a successor that did not take over: %v, the file is ours: %v", err, p.Mine())
	}
	stop := make(chan struct{})
	read := make(chan error, 1)
	go func() { read <- neverEmpty(path, stop) }()
	for range 100 {
		next := Adopt(dup(t, p.File()), path)
		p.Leave()
		if err := errors.Join(next.Claim(), p.Release()); err != nil {
			t.Fatal(err)
		}
		if _, err := tryLock(path); err == nil {
			t.Fatal("the lock was free")
		}
		p = next
	}
	close(stop)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if !p.Mine() {
		t.Error("the file is not ours")
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// neverEmpty reads the file over and over: it must name this process every time.
func neverEmpty(path string, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if pid, err := parsePid(text); err != nil || pid != os.Getpid() {
			return errors.Join(errors.New("it held "+strconv.Quote(string(text))), err)
		}
	}
}

// lockAs locks a pid file as another living process would.
func lockAs(t *testing.T, path string, pid int) *PidFile {
	t.Helper()
	p, err := Lock(path)
	if err == nil {
		err = writePid(p.file, pid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whoever looks for the holder finds one at any time of a change of hands.
func TestHolderIsFoundAmidAChangeOfHands(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	p := lockAs(t, path, os.Getppid())
	stop, looked := make(chan struct{}), make(chan error, 1)
	var looks atomic.Int64
	go func() {
		for {
			select {
			case <-stop:
				looked <- nil
				return
			default:
			}
			h, err := FindHolder(path)
			if err != nil {
				looked <- err
				return
			}
			h.Close()
			looks.Add(1)
		}
	}()
	for range 200 {
		next := Adopt(dup(t, p.File()), path)
		p.Leave()
		if err := errors.Join(next.Claim(), p.Release(), overwritePid(next.File(), os.Getppid())); err != nil {
			t.Fatal(err)
		}
		p = next
		for before := looks.Load(); looks.Load() == before; runtime.Gosched() {
			if len(looked) > 0 {
				t.Fatal(<-looked)
			}
		}
	}
	close(stop)
	if err := <-looked; err != nil {
		t.Error(err)
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestHolderTellsItsSuccessorEvenWhenItHasEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	old := lockAs(t, path, os.Getppid())
	h, err := FindHolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.PID != os.Getppid() || h.Successor() != 0 {
		t.Errorf("process %d holds it, with successor %d", h.PID, h.Successor())
	}
	next := Adopt(dup(t, old.File()), path)
	if err := next.Claim(); err != nil {
		t.Fatal(err)
	}
	if h.Successor() != os.Getpid() {
		t.Error("the successor is not noticed")
	}
	old.Leave()
	if err := old.Release(); err != nil {
		t.Fatal(err)
	}
	porttest.Released()
	if gone, err := h.Gone(); !gone || err != nil {
		t.Errorf("the old one is gone: %v, %v", gone, err)
	}
	if h.Successor() != os.Getpid() {
		t.Error("the successor is forgotten")
	}
	if err := next.Release(); err != nil {
		t.Fatal(err)
	}
}

// Whoever starts when another one has ended is no successor, so that a command that ends the first leaves the next alone.
func TestNextStartIsNoSuccessor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	first := lockAs(t, path, os.Getppid())
	h, err := FindHolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	porttest.Released()
	second, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := h.Gone(); !gone || err != nil || h.Successor() != 0 {
		t.Errorf("gone: %v, %v, successor %d", gone, err, h.Successor())
	}
	if err := second.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestPredecessorSeesThatItsPidFileWasTakenOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.pid")
	p, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.Passed() {
		t.Error("nobody has taken it")
	}
	if err := writePid(p.file, os.Getppid()); err != nil || !p.Passed() {
		t.Errorf("another process has taken it: %v", err)
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
}
