//go:build unix

package lifeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// envRole makes the test binary a program on a life-line.
const envRole = "LIFELINE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(envRole) != "" {
		program()
		return
	}
	goleak.VerifyTestMain(m)
}

// program says what it sees and ends with the supervisor.
func program() {
	gone, err := Join(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, again := Join(context.Background())
	fmt.Println("joined", errors.Is(again, ErrNotSupervised), os.Getenv(Variable) == "")
	<-gone
	fmt.Println("left")
}

func start(t *testing.T, l *Line, environ string) (out *strings.Builder, wait func()) {
	t.Helper()
	out = new(strings.Builder)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envRole+"=1", environ, "GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles = []*os.File{l.ChildFile()}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.Started()
	return out, func() {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func newLine(t *testing.T) *Line {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAProgramBeatsAndLeavesWithItsSupervisor(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	out, wait := start(t, l, Environ(3, 5*time.Millisecond))
	for range 5 {
		select {
		case <-l.Beats():
		case <-time.After(time.Minute):
			t.Fatal("no beat")
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	wait()
	if want := "joined true true\nleft\n"; out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestADescriptorThatIsNoLifelineIsRefused(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		Variable + "=2,0s":  "bad",
		Variable + "=99,0s": "descriptor 99",
		Variable + "=x":     "bad",
	} {
		l := newLine(t)
		out, wait := start(t, l, environ)
		wait()
		if err := l.Close(); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s, %v", environ, out, err)
		}
	}
}

func TestALineThatWasNeverUsedCanBeClosed(t *testing.T) {
	t.Parallel()
	if err := newLine(t).Close(); err != nil {
		t.Error(err)
	}
}

func TestJoinWithoutALine(t *testing.T) {
	if gone, err := Join(context.Background()); gone != nil || err != ErrNotSupervised {
		t.Error(gone, err)
	}
}

func TestJoinEndsWithItsContext(t *testing.T) {
	l := newLine(t)
	defer l.Close()
	fd, err := unix.Dup(int(l.ChildFile().Fd())) // Join closes it
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(Variable, strings.SplitN(Environ(fd, time.Millisecond), "=", 2)[1])
	ctx, cancel := context.WithCancel(context.Background())
	gone, err := Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-gone:
		t.Error("the supervisor is not gone")
	default:
	}
}

func FuzzParse(f *testing.F) {
	f.Add("3,250ms")
	f.Add("3")
	f.Fuzz(func(t *testing.T, text string) {
		fd, every, err := parse(text)
		if err != nil {
			return
		}
		_, value, _ := strings.Cut(Environ(fd, every), "=")
		if fd2, every2, err := parse(value); fd < 3 || fd2 != fd || every2 != every || err != nil {
			t.Errorf("%q: %d %v, then %d %v, %v", text, fd, every, fd2, every2, err)
		}
	})
}
