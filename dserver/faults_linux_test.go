package dserver

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/osgochina/dmicro/internal/polltest"
)

// traitInit makes a netApp mount the /proc of its pid namespace, as it is in a container.
const traitInit = "init"

// refusesEarly reports whether this system can refuse connections to a socket that is still open: an older kernel wants a
// privilege for it.
func refusesEarly(t *testing.T) bool {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, math.MaxInt32)
	})
	c, err := net.Dial("tcp", ln.Addr().String())
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// mountProc mounts the /proc of this process's pid namespace, in a mount namespace of its own.
func mountProc() {
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		fmt.Println("no /proc:", err)
		os.Exit(codeFailed)
	}
}

// beginAsInit starts the application as process 1 of a pid namespace of its own.
func (e *testEnv) beginAsInit(t *testing.T) *process {
	t.Helper()
	cmd := e.command("start")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{capSysAdmin}, // or a user other than root had lost it with the start of the program
	}
	p, err := e.tryBegin(cmd)
	if err != nil {
		t.Skip("namespaces are not allowed here: ", err)
	}
	polltest.Until(t, "a word of the application", func() bool { return strings.Contains(p.out.String(), "\n") })
	if strings.Contains(p.out.String(), "no /proc:") {
		t.Skip(p.out.String())
	}
	return p
}

// capSysAdmin is the capability to mount.
const capSysAdmin = 21

// Orphans come to process 1, and to the master of several processes. Neither leaves them as zombies.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T) (*testEnv, *process){
		"process 1, single": func(t *testing.T) (*testEnv, *process) {
			e := newPortsEnv(t, "tcponly,"+traitInit)
			return e, e.beginAsInit(t)
		},
		"process 1, multi": func(t *testing.T) (*testEnv, *process) {
			e := newPortsEnv(t, "tcponly,multi,"+traitInit)
			return e, e.beginAsInit(t)
		},
		"master": func(t *testing.T) (*testEnv, *process) {
			e := newMultiEnv(t, "tcponly", true)
			return e, e.serve()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := begin(t)
			p.waitOutput("started, pid")
			c := dialApp(t, "tcp", e.addr("tcp"))
			if _, stat := c.do("/work/orphan", ""); !stat.OK() {
				t.Fatal(stat)
			}
			orphan := 0
			polltest.Until(t, "the orphan to have another parent", func() bool {
				orphan = childNamed(p.Process.Pid, "sleep")
				return orphan != 0
			})
			if err := syscall.Kill(orphan, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			polltest.Until(t, "the orphan to be reaped", func() bool { return !listed(orphan) })
			if _, stat := c.do("/work/do", "x"); !stat.OK() {
				t.Error("after that:", stat)
			}
			p.signal(syscall.SIGTERM)
			if code := p.wait(); code != codeOK {
				t.Errorf("exit code %d\n%s", code, p.out.String())
			}
		})
	}
}

// childNamed finds a child of a process by the name of its program, seen from outside of all namespaces.
func childNamed(parent int, program string) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	for field := range strings.FieldsSeq(string(text)) {
		name, _ := os.ReadFile(filepath.Join("/proc", field, "comm"))
		if pid, err := strconv.Atoi(field); err == nil && strings.TrimSpace(string(name)) == program {
			return pid
		}
	}
	return 0
}
