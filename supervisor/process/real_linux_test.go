package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/osgochina/dmicro/internal/polltest"
)

const hasDeathSignal = true

// initProcess adopts orphans. As process 1 of a namespace it mounts its own /proc first.
func initProcess(string) {
	if os.Getpid() == 1 {
		if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			note("cannot")
			return
		}
	}
	ReapZombie()
	ReapZombie() // once is enough, and a second time does no harm
	// The shell starts two background programs and ends; both are orphans, one ends at once, one in a session of its own.
	shell := exec.Command("/bin/sh", "-c", "sleep 0.1 & echo $! > $PROCESS_TEST_DIR/one.new; mv $PROCESS_TEST_DIR/one.new $PROCESS_TEST_DIR/one; "+
		"(setsid sh -c 'echo $$ > $PROCESS_TEST_DIR/two.new; mv $PROCESS_TEST_DIR/two.new $PROCESS_TEST_DIR/two; exec sleep 0.2' &) ; exit 7")
	err := shell.Run()
	if shell.ProcessState.ExitCode() != 7 {
		_, _ = os.Stderr.WriteString(err.Error())
		note("stolen")
		return
	}
	note("ready")
	if _, err = os.Stdin.Read(make([]byte, 1)); err == nil {
		forever()
	}
}

func TestOrphansAreAdoptedAndReaped(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]uintptr{
		"subreaper": 0,
		"process 1": syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			cmd, err := p.program("init").CreateCommand()
			if err != nil {
				t.Fatal(err)
			}
			if flags != 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags:  flags,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
					GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
				}
			}
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err = cmd.Start(); err != nil && flags != 0 {
				t.Skip("namespaces are not allowed here: ", err)
			} else if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close(); _ = cmd.Wait() }()
			polltest.Until(p, "the init process", func() bool {
				_, ready := os.Stat(filepath.Join(p.dir, "ready"))
				_, cannot := os.Stat(filepath.Join(p.dir, "cannot"))
				if _, stolen := os.Stat(filepath.Join(p.dir, "stolen")); stolen == nil {
					t.Fatal("the exit code of a child was stolen")
				}
				if cannot == nil {
					t.Skip("/proc cannot be mounted here")
				}
				return ready == nil
			})
			children := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "task", strconv.Itoa(cmd.Process.Pid), "children")
			p.pid("two")
			polltest.Until(p, "no child is left", func() bool {
				left, err := os.ReadFile(children)
				return err == nil && len(left) == 0
			})
		})
	}
}

func TestReapOrphansEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ReapOrphans(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStatOfANameWithParentheses(t *testing.T) {
	t.Parallel()
	line := "17 (a) Z 1 (b) Z 5 17 17 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 1 0 987 0 0\n"
	if z, dead := parseStat([]byte(line), 5); !dead || z.pid != 17 || z.started != "987" {
		t.Errorf("%+v, %v", z, dead)
	}
	if _, dead := parseStat([]byte(line), 1); dead {
		t.Error("another's child")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("17 (a) Z 5 17 17 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 1 0 987 0 0\n"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, text []byte) {
		if z, dead := parseStat(text, 5); dead && (z.pid < 1 || z.started == "") {
			t.Errorf("%q: %+v", text, z)
		}
	})
}
