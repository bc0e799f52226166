//go:build !windows

package graceful

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeSystem is an operating system without processes: a "process" is an Upgrader of the same test that gets
// duplicates of the files it would inherit.
type fakeSystem struct {
	t *testing.T

	mu    sync.Mutex
	pid   int
	env   map[string]string
	fds   map[int]*os.File
	exits []int
	told  []error // complaints
	terms []int   // processes that were asked to end

	// born is what a started process does. It gets its Upgrader, or the error of making it.
	born func(c *fakeChild)
	// next is the pid of the next process.
	next int
}

func newFake(t *testing.T) *fakeSystem {
	f := &fakeSystem{t: t, pid: 100, next: 101, env: make(map[string]string), fds: make(map[int]*os.File)}
	t.Cleanup(func() {
		for _, file := range f.fds {
			_ = file.Close()
		}
	})
	return f
}

func (f *fakeSystem) system() system {
	return system{
		supported: true,
		pid:       func() int { return f.pid },
		parent:    func() int { return f.pid - 1 },
		lookupEnv: func(name string) (string, bool) {
			f.mu.Lock()
			defer f.mu.Unlock()
			v, ok := f.env[name]
			return v, ok
		},
		unsetEnv: func(name string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.env, name)
			return nil
		},
		setEnv: func(name, value string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.env[name] = value
			return nil
		},
		environ: func() []string {
			f.mu.Lock()
			defer f.mu.Unlock()
			var list []string
			for name, value := range f.env {
				list = append(list, name+"="+value)
			}
			return list
		},
		identify: func(fd int) (string, error) {
			if f.fds[fd] == nil {
				return "", errors.New("no such descriptor")
			}
			return fileIdentity(f.fds[fd])
		},
		socketAt: func(fd int) (network, address string, err error) {
			if f.fds[fd] == nil {
				return "", "", errors.New("no such descriptor")
			}
			raw, err := f.fds[fd].SyscallConn()
			if err != nil {
				return "", "", err
			}
			_ = raw.Control(func(fd uintptr) { network, address, err = socketAt(int(fd)) })
			return network, address, err
		},
		adopt: func(fd int, _ string) *os.File {
			file := f.fds[fd]
			delete(f.fds, fd)
			return file
		},
		setStderr: func(*os.File) error { return nil },
		start:     f.start,
		terminate: func(pid int) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.terms = append(f.terms, pid)
			return nil
		},
		exit: func(code int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.exits = append(f.exits, code)
		},
		complain: func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.told = append(f.told, err)
		},
	}
}

// setEnv fills the environment from "name=value" texts.
func (f *fakeSystem) setEnv(list []string) {
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		f.env[name] = value
	}
}

// fakeChild is a process that start made.
type fakeChild struct {
	sys  *fakeSystem
	cmd  command
	u    *Upgrader
	err  error
	once sync.Once
	done chan struct{}
	how  string
}

func (f *fakeSystem) start(c command) (child, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := newFake(f.t)
	next.pid, next.next, next.born = f.next, f.next+1, f.born
	f.next++
	next.setEnv(c.env)
	for i, file := range c.files {
		dup, err := dupFile(file, file.Name())
		if err != nil {
			return nil, err
		}
		next.fds[firstFD+i] = dup
	}
	p := &fakeChild{sys: next, cmd: c, done: make(chan struct{})}
	p.u, p.err = newUpgrader(next.system())
	if p.u != nil {
		f.t.Cleanup(func() { _ = p.u.Stop() })
	}
	go f.born(p)
	return p, nil
}

func (c *fakeChild) pid() int                { return c.sys.pid }
func (c *fakeChild) exited() <-chan struct{} { return c.done }
func (c *fakeChild) state() string           { return c.how }
func (c *fakeChild) end()                    { c.die("signal: killed") }

// die ends the process as the kernel does: its descriptors are closed.
func (c *fakeChild) die(how string) {
	c.once.Do(func() {
		c.how = how
		if c.u != nil {
			_ = c.u.Stop()
		}
		for _, file := range c.sys.fds {
			_ = file.Close()
		}
		close(c.done)
	})
}

// first returns a first generation on a fake system.
func first(t *testing.T, born func(c *fakeChild)) (*Upgrader, *fakeSystem) {
	t.Helper()
	f := newFake(t)
	f.born = born
	u, err := newUpgrader(f.system())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Stop() })
	return u, f
}

// ready returns a first generation that serves.
func ready(t *testing.T, born func(c *fakeChild)) (*Upgrader, *fakeSystem) {
	t.Helper()
	u, f := first(t, born)
	if err := u.Ready(); err != nil {
		t.Fatal(err)
	}
	return u, f
}

func mustListen(t *testing.T, u *Upgrader, network, address string) net.Listener {
	t.Helper()
	ln, err := u.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// quick is a successor that must be ready soon.
var quick = Successor{ReadyTimeout: time.Minute}

// serve answers every connection with name.
func serve(ln net.Listener, name string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte(name))
		_ = c.Close()
	}
}

// ask returns what a new connection is answered.
func ask(t *testing.T, network, address string) string {
	t.Helper()
	c, err := net.DialTimeout(network, address, time.Minute)
	if err != nil {
		return "refused: " + err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 64)
	n, err := c.Read(b)
	if err != nil {
		return "cut: " + err.Error()
	}
	return string(b[:n])
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if list, err := os.ReadDir(dir); err == nil {
			return len(list)
		}
	}
	t.Skip("descriptors cannot be counted here")
	return 0
}
