package process

import (
	"context"
	"errors"
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

// zombieOf waits until a child is dead, and returns how it is found.
func zombieOf(t *testing.T, pid int) (z zombie) {
	t.Helper()
	polltest.Until(t, "the child is dead", func() (dead bool) {
		z, dead = readStat(filepath.Join("/proc", strconv.Itoa(pid), "stat"), os.Getpid())
		return dead
	})
	return z
}

func TestAChildThatIsWaitedForLateKeepsItsExitCode(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/bin/sh", "-c", "exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hasDescriptor := cmd.Process.WithHandle(func(uintptr) {}) == nil
	if z := zombieOf(t, cmd.Process.Pid); hasDescriptor {
		reap(map[zombie]bool{z: true}) // a second look, and nobody has waited yet
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("the child ended with %v", err)
	}
	if !hasDescriptor {
		t.Skip("this system has no descriptors of processes")
	}
}

func TestADeadChildThatNobodyAwaitsIsReapedAtTheSecondLook(t *testing.T) {
	t.Parallel()
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	z := zombieOf(t, pid)
	if dead := reap(nil); !dead[z] {
		t.Errorf("the first look does not find %v in %v", z, dead)
	}
	reap(map[zombie]bool{z: true})
	if _, err = syscall.Wait4(pid, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("after the second look it is still there: %v", err)
	}
}

func TestPidOfADescriptor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1059\nPid:\t17\nNSpid:\t17\n": 17,
		"Pid:\t-1\n":            0, // it is no more
		"pos:\t0\nflags:\t02\n": 0,
		"Pid:":                  0,
		"":                      0,
	} {
		if pid, ok := parsePidfd([]byte(text)); ok != (want > 0) || ok && pid != want {
			t.Errorf("%q: %d, %v, want %d", text, pid, ok, want)
		}
	}
}

func FuzzParsePidfd(f *testing.F) {
	f.Add([]byte("pos:\t0\nPid:\t17\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if pid, ok := parsePidfd(text); ok && pid < 1 {
			t.Errorf("%q: %d", text, pid)
		}
	})
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
