//go:build unix

package process

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/supervisor/lifeline"
)

// envRole makes the test binary a program of that role; envDir is where it leaves notes.
const (
	envRole = "PROCESS_TEST_ROLE"
	envDir  = "PROCESS_TEST_DIR"
)

func TestMain(m *testing.M) {
	role, arg, _ := strings.Cut(os.Getenv(envRole), ":")
	if play, ok := roles[role]; ok {
		play(arg)
		return
	}
	// The log library has a goroutine for each file that was ever written, by design.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
		goleak.IgnoreCurrent()) // GoFrame has goroutines of its own from the start
}

// roles are what the test binary does as a program.
var roles map[string]func(arg string)

func init() { // roles refer to programs, which refer to roles
	roles = map[string]func(arg string){
		"sleep":    func(string) { note("up"); forever() },
		"exit":     func(code string) { n, _ := strconv.Atoi(code); os.Exit(n) },
		"stubborn": func(string) { signal.Ignore(syscall.SIGTERM); note("up"); forever() },
		"family":   family,
		"lines":    lines,
		"flood":    flood,
		"environ":  func(string) { fmt.Println(strings.Join(os.Environ(), "\n")); forever() },
		"joined":   joined,
		"crash":    func(delay string) { d, _ := time.ParseDuration(delay); time.Sleep(d); os.Exit(1) },
	}
	roles["supervisor"], roles["init"] = supervisor, initProcess
}

func forever() {
	time.Sleep(time.Hour)
	os.Exit(3)
}

// note leaves the pid in a file, complete from the moment that it exists.
func note(name string) {
	file := filepath.Join(os.Getenv(envDir), name)
	_ = os.WriteFile(file+".new", []byte(strconv.Itoa(os.Getpid())), 0o600)
	_ = os.Rename(file+".new", file)
}

// family has a child, in its own process group, that does not end by itself.
func family(childRole string) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), envRole+"="+childRole)
	if err := child.Start(); err != nil {
		os.Exit(4)
	}
	go func() { _ = child.Wait() }()
	forever()
}

// lines writes so many numbered lines, ten every millisecond.
func lines(count string) {
	n, _ := strconv.Atoi(count)
	out := bufio.NewWriter(os.Stdout)
	tick := time.NewTicker(time.Millisecond)
	for i := 0; i < n; {
		<-tick.C
		for range 10 {
			fmt.Fprintf(out, "line %08d %s\n", i, strings.Repeat("x", 40))
			i++
		}
		out.Flush()
	}
	note("up")
	forever()
}

// flood writes 20 MiB as fast as it can.
func flood(string) {
	line := []byte(strings.Repeat("y", 1023) + "\n")
	for range 20 << 10 {
		if _, err := os.Stdout.Write(line); err != nil {
			os.Exit(5)
		}
	}
	note("up")
	forever()
}

// joined hangs on its life-line.
func joined(name string) {
	gone, err := lifeline.Join(context.Background())
	if err != nil {
		os.Exit(6)
	}
	note(name)
	<-gone
	note(name + "-left")
}

// place is a directory for the notes of the programs of one test.
type place struct {
	*testing.T
	dir string
}

func newPlace(t *testing.T) place { return place{t, t.TempDir()} }

// program returns the options of the test binary in a role.
func (p place) program(role string, opts ...ProcOption) ProcOptions {
	own := []ProcOption{
		ProcCommand(os.Args[0]), ProcName(strings.NewReplacer(":", "-").Replace(role)), ProcStartSecs(0),
		ProcSetEnvironment(envRole, role), ProcSetEnvironment(envDir, p.dir), ProcSetEnvironment("GORACE", "atexit_sleep_ms=0"),
		ProcSetEnvironment("GOCOVERDIR", p.dir),
	}
	return NewProcOptions(append(own, opts...)...)
}

// start starts a program that is stopped at the end of the test.
func (p place) start(role string, opts ...ProcOption) *Process {
	p.Helper()
	proc := NewProcessByOptions(p.program(role, opts...))
	p.Cleanup(func() { proc.Stop(true) })
	proc.Start(true)
	return proc
}

// pid waits for a note and returns the pid in it.
func (p place) pid(name string) int {
	p.Helper()
	var text []byte
	polltest.Until(p, "note "+name, func() (ok bool) {
		var err error
		text, err = os.ReadFile(filepath.Join(p.dir, name))
		return err == nil
	})
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// untilPrompt is polltest.Until for what has to happen within a limit. The limit itself is for the long tests, which have the
// machine to themselves.
func (p place) untilPrompt(limit time.Duration, what string, cond func() bool) {
	p.Helper()
	began := time.Now()
	polltest.Until(p.T, what, cond)
	if took := time.Since(began); took > limit && os.Getenv("DMICRO_SOAK") != "" {
		p.Errorf("%s: took %v, the limit is %v", what, took, limit)
	}
}
