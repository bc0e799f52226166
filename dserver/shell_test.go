//go:build !windows

package dserver

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/osgochina/dmicro/internal/polltest"
)

// terminal is a shell in a real terminal.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	out  syncBuffer
	seen int // how much of the output has been waited for
	done chan struct{}
}

// openShell runs "ctl" in a terminal and waits for the prompt.
func openShell(t *testing.T, e *testEnv) *terminal {
	t.Helper()
	cmd := e.command("ctl")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, cmd: cmd, tty: tty, done: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&term.out, tty) // ends with an error when the terminal closes
	}()
	go func() {
		defer close(term.done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-term.done
		_ = tty.Close()
		<-read
	})
	term.expect("TestApp » ")
	return term
}

// expect waits for text to appear after what was waited for before.
func (term *terminal) expect(text string) {
	term.t.Helper()
	var out string
	shown := func() bool {
		out = term.out.String()
		i := strings.Index(out[term.seen:], text)
		if i >= 0 {
			term.seen += i + len(text)
		}
		return i >= 0
	}
	for deadline := time.Now().Add(polltest.Patience); !shown(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			how := "the shell runs"
			select {
			case <-term.done:
				how = term.cmd.ProcessState.String()
			default:
			}
			term.t.Fatalf("the terminal does not show %q (%s):\n%q", text, how, out[term.seen:])
		}
	}
}

func (term *terminal) typed(text string) {
	term.t.Helper()
	if _, err := term.tty.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
}

func (term *terminal) wait() int {
	term.t.Helper()
	select {
	case <-term.done:
	case <-time.After(polltest.Patience):
		term.t.Fatalf("the shell does not end:\n%q", term.out.String())
	}
	return term.cmd.ProcessState.ExitCode()
}

const ctrlC = "\x03"

func TestShellInATerminal(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=chatty")
	e.serve()
	term := openShell(t, e)
	if out := term.out.String(); !strings.Contains(out, "/_____/") || !strings.Contains(out, "Authors:         team@example.com") {
		t.Errorf("no banner:\n%s", out)
	}
	term.typed("ps\r")
	term.expect("┌─────────────┬")
	term.expect("│ UserBox     │ user        │ \x1b[32mRunning\x1b[0m │")
	term.expect("TestApp » ")
	term.typed("bogus\r")
	term.expect(`unknown command "bogus"`)
	term.expect("Usage:")
	term.expect("TestApp » ")
	term.typed("help\r")
	term.expect("ps|info|status")
	term.expect("leave the shell")
	term.expect("TestApp » ")
	term.typed("sto\t")
	term.expect("» stop")
	term.typed(" User\t")
	term.expect("UserBox")
	term.typed("\r")
	term.expect("service stopped")
	term.expect("TestApp » ")
	term.typed("start userbox\r")
	term.expect("service started")
	term.expect("TestApp » ")
	term.typed("log -l warn\r")
	term.expect("printing the server's log")
	term.expect("[WARN] chat 1")
	term.typed(ctrlC)
	term.expect("end of the log")
	term.expect("TestApp » ")
	term.typed("exit\r")
	if code := term.wait(); code != codeOK {
		t.Errorf("exit code %d", code)
	}
	history := filepath.Join(e.dir, ".TestApp.hist")
	if info, err := os.Stat(history); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("history: %v, %v", info, err)
	}
	if text, _ := os.ReadFile(history); !strings.Contains(string(text), "log -l warn") {
		t.Errorf("history: %q", text)
	}
}

func TestShellLeavesAtTheSecondCtrlC(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	e.serve()
	term := openShell(t, e)
	term.typed(ctrlC)
	term.expect("press Ctrl-C once more")
	term.expect("TestApp » ")
	term.typed("ps\r") // a command in between: the count begins anew
	term.expect("└──")
	term.expect("TestApp » ")
	term.typed(ctrlC)
	term.expect("press Ctrl-C once more")
	term.expect("TestApp » ")
	term.typed(ctrlC)
	term.expect("exit success!!!")
	if code := term.wait(); code != codeFailed {
		t.Errorf("exit code %d", code)
	}
}

func TestShellLeavesAtTheEndOfInput(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	e.serve()
	term := openShell(t, e)
	term.typed("\x04")
	if code := term.wait(); code != codeOK {
		t.Errorf("exit code %d", code)
	}
}

func TestShellSaysThatTheServerHasGone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	p := e.serve()
	term := openShell(t, e)
	p.signal(syscall.SIGKILL)
	term.expect("the connection to the service is lost")
	if code := term.wait(); code != codeFailed {
		t.Errorf("exit code %d", code)
	}
}

func TestTopIsRedrawnInPlaceUntilCtrlC(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "user=serve")
	callsUntil(t, caller(t, e.serve()))
	term := openShell(t, e)
	term.typed("top -i 100ms\r")
	term.expect(enterScreen + toTop + "TestApp  ")
	for range 3 {
		term.expect("│ /echo ")
		term.expect(clearBelow + toTop) // the next frame over this one
	}
	term.typed(ctrlC)
	term.expect(leaveScreen)
	term.expect("TestApp » ")
	term.typed("exit\r")
	if code := term.wait(); code != codeOK {
		t.Errorf("exit code %d", code)
	}
}

func TestShellCompletesArguments(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "")
	e.serve()
	term := openShell(t, e)
	for typed, completed := range map[string]string{"stop Adm": "inBox", "help sess": "ions", "debug clo": "se"} {
		term.typed(typed + "\t")
		term.expect(completed)
		term.typed("\x15") // Ctrl-U: the line is given up
	}
}
