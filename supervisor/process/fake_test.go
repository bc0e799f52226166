//go:build unix

package process

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeChild is a program without a process, in the time of synctest.
type fakeChild struct {
	mu      sync.Mutex
	ended   chan struct{}
	exit    exit
	got     []string // signals
	ends    map[sigNum]bool
	beat    chan struct{}
	leaves  bool // has more in its group that ends with TERM
	ignores bool // has more in its group that ends with KILL only
	freed   bool
	slow    time.Duration // of release
	file    fs.FileInfo
}

func (c *fakeChild) pid() int                { return 4711 }
func (c *fakeChild) exited() <-chan struct{} { return c.ended }
func (c *fakeChild) result() exit            { return c.exit }
func (c *fakeChild) beats() <-chan struct{}  { return c.beat }

func (c *fakeChild) end(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endAs(exit{code, fmt.Sprintf("exit status %d", code)})
}

func (c *fakeChild) endAs(e exit) {
	select {
	case <-c.ended:
	default:
		c.exit = e
		close(c.ended)
	}
}

func (c *fakeChild) take(s sigNum, to string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, to+s.String())
	if c.ends[s] {
		c.endAs(exit{-1, "signal: " + s.String()})
	}
	return nil
}

func (c *fakeChild) signal(s sigNum) error { return c.take(s, "") }

func (c *fakeChild) signalGroup(s sigNum) error {
	if s == syscall.SIGTERM {
		c.leaves = false
	}
	if s == syscall.SIGKILL {
		c.leaves, c.ignores = false, false
	}
	return c.take(s, "group ")
}

func (c *fakeChild) groupAlive() bool { return c.leaves || c.ignores }
func (c *fakeChild) release()         { time.Sleep(c.slow); c.freed = true }
func (c *fakeChild) binary() (os.FileInfo, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file, nil
}

// stage is a process whose programs are fake; script makes the n-th one, from 1, or an error.
type stage struct {
	*Process
	mu       sync.Mutex
	began    time.Time
	trace    []string // "1s Running"
	children []*fakeChild
}

func newStage(script func(n int, c *fakeChild) error, opts ...ProcOption) *stage {
	s := &stage{began: time.Now()}
	note := ProcOnChange(func(i *Info) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.trace = append(s.trace, time.Since(s.began).String()+" "+i.StateName)
	})
	s.Process = NewProcess(append([]ProcOption{ProcCommand("/bin/fake"), note}, opts...)...)
	s.launch = func(ProcOptions, outputs) (child, error) {
		c := &fakeChild{ended: make(chan struct{}), beat: make(chan struct{}, 1),
			ends: map[sigNum]bool{syscall.SIGTERM: true, syscall.SIGKILL: true}}
		s.children = append(s.children, c)
		if err := script(len(s.children), c); err != nil {
			return nil, err
		}
		return c, nil
	}
	return s
}

func (s *stage) want(t *testing.T, trace ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.trace, trace) {
		t.Errorf("got  %s\nwant %s", strings.Join(s.trace, ", "), strings.Join(trace, ", "))
	}
	for i, c := range s.children {
		if waitFor(c.ended, 0) != c.freed {
			t.Errorf("child %d: ended and given back are not the same", i+1)
		}
	}
}

// after ends the program with a code after a time.
func after(c *fakeChild, d time.Duration, code int) { time.AfterFunc(d, func() { c.end(code) }) }

func TestAProcessGoesThroughTheStates(t *testing.T) {
	t.Parallel()
	fine := func(int, *fakeChild) error { return nil }
	for name, c := range map[string]struct {
		script func(n int, c *fakeChild) error
		opts   []ProcOption
		run    time.Duration
		want   string
	}{
		"up after the start seconds": {script: fine, opts: []ProcOption{ProcStartSecs(3)}, run: time.Minute,
			want: "0s Starting, 3s Running"},
		"no start seconds": {script: fine, opts: []ProcOption{ProcStartSecs(0)}, run: time.Minute,
			want: "0s Starting, 0s Running"},
		"ends too early, three times": {script: func(_ int, c *fakeChild) error { after(c, 500*time.Millisecond, 0); return nil },
			run: time.Minute, want: "0s Starting, 500ms Backoff, 1.5s Starting, 2s Backoff, 4s Starting, 4.5s Backoff, 4.5s Fatal"},
		"cannot be started, with a pause": {script: func(int, *fakeChild) error { return os.ErrNotExist },
			opts: []ProcOption{ProcRestartPause(5), ProcStartRetries(2)}, run: time.Minute,
			want: "0s Starting, 0s Backoff, 5s Starting, 5s Backoff, 5s Fatal"},
		"no retries still means one start": {script: func(int, *fakeChild) error { return os.ErrNotExist },
			opts: []ProcOption{ProcStartRetries(0)}, run: time.Minute, want: "0s Starting, 0s Backoff, 0s Fatal"},
		"comes up at the second try": {script: func(n int, c *fakeChild) error {
			if n == 1 {
				after(c, time.Millisecond, 1)
			}
			return nil
		}, run: time.Minute, want: "0s Starting, 1ms Backoff, 1.001s Starting, 2.001s Running"},
		"restarted at once after a long life": {script: func(n int, c *fakeChild) error {
			if n == 1 {
				after(c, 10*time.Second, 0)
			}
			return nil
		}, run: time.Minute, want: "0s Starting, 1s Running, 10s Exited, 10s Starting, 11s Running"},
		"restarted after three seconds after a short life": {script: func(n int, c *fakeChild) error {
			if n == 1 {
				after(c, 2*time.Second, 0)
			}
			return nil
		}, run: 7 * time.Second, want: "0s Starting, 1s Running, 2s Exited, 5s Starting, 6s Running"},
		"never restarted": {script: func(_ int, c *fakeChild) error { after(c, 5*time.Second, 1); return nil },
			opts: []ProcOption{ProcAutoReStart(AutoReStartFalse)}, run: time.Minute, want: "0s Starting, 1s Running, 5s Exited"},
		"an expected code": {script: func(_ int, c *fakeChild) error { after(c, 5*time.Second, 2); return nil },
			opts: []ProcOption{ProcAutoReStart(AutoReStartUnexpected)}, run: time.Minute, want: "0s Starting, 1s Running, 5s Exited"},
		"an unexpected code": {script: func(_ int, c *fakeChild) error { after(c, 5*time.Second, 2); return nil },
			opts: []ProcOption{ProcAutoReStart(AutoReStartUnexpected), ProcExitCodes(0)}, run: 7 * time.Second,
			want: "0s Starting, 1s Running, 5s Exited, 5s Starting, 6s Running"},
		"a heartbeat that stops": {script: func(n int, c *fakeChild) error {
			for i := range 20 {
				if n == 1 || i > 10 {
					time.AfterFunc(time.Duration(i)*time.Second, func() { c.beat <- struct{}{} })
				}
			}
			return nil
		}, opts: []ProcOption{ProcHeartbeat(4 * time.Second), ProcAutoReStart(AutoReStartUnexpected)}, run: 26 * time.Second,
			want: "0s Starting, 1s Running, 24s Exited, 24s Starting, 25s Running"},
		"a heartbeat that never begins": {script: func(int, *fakeChild) error { return nil },
			opts: []ProcOption{ProcHeartbeat(400 * time.Millisecond), ProcStartRetries(1)}, run: time.Minute,
			want: "0s Starting, 500ms Backoff, 500ms Fatal"},
		"a bad option": {script: fine, opts: []ProcOption{ProcStopSignal("NONE")}, run: time.Minute,
			want: "0s Starting, 0s Backoff, 0s Fatal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(c.script, c.opts...)
				s.Start(false)
				time.Sleep(c.run)
				synctest.Wait()
				s.want(t, strings.Split(c.want, ", ")...)
				s.Stop(true)
			})
		})
	}
}

func TestStopGoesThroughSignalsAndKill(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ends    []sigNum
		leaves  bool
		ignores bool
		opts    []ProcOption
		signals string
		trace   string
	}{
		"TERM unless told otherwise": {ends: []sigNum{syscall.SIGTERM}, signals: "terminated",
			trace: "10s Stopping, 10s Stopped"},
		"the next signal after its time": {ends: []sigNum{syscall.SIGTERM},
			opts:    []ProcOption{ProcStopSignal("QUIT", "TERM"), ProcStopWaitSecs(15)},
			signals: "quit, terminated", trace: "10s Stopping, 25s Stopped"},
		"killed with its group": {ends: []sigNum{syscall.SIGKILL}, signals: "terminated, group killed",
			trace: "10s Stopping, 20s Stopped"},
		"the group at once": {ends: []sigNum{syscall.SIGTERM}, opts: []ProcOption{ProcStopAsGroup(true)},
			signals: "group terminated", trace: "10s Stopping, 10s Stopped"},
		"the rest of the group": {ends: []sigNum{syscall.SIGTERM}, leaves: true,
			signals: "terminated, group terminated, group killed", trace: "10s Stopping, 10s Stopped"},
		"a stubborn rest of the group": {ends: []sigNum{syscall.SIGTERM}, ignores: true, opts: []ProcOption{ProcStopWaitSecs(1)},
			signals: "terminated, group terminated, group killed", trace: "10s Stopping, 11s Stopped"},
		"not to be killed": {signals: "terminated, group killed", trace: "10s Stopping, 22s Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(func(_ int, f *fakeChild) error {
					f.ends, f.leaves, f.ignores = map[sigNum]bool{}, c.leaves, c.ignores
					for _, sig := range c.ends {
						f.ends[sig] = true
					}
					return nil
				}, c.opts...)
				s.Start(true)
				time.Sleep(9 * time.Second)
				s.Stop(true)
				s.want(t, strings.Split("0s Starting, 1s Running, "+c.trace, ", ")...)
				f := s.children[0]
				f.mu.Lock()
				got := strings.Join(f.got, ", ")
				f.mu.Unlock()
				if got != c.signals {
					t.Errorf("signals %s, want %s", got, c.signals)
				}
				if s.GetState() == Unknown {
					if r := s.begin(); r != nil {
						t.Error("a program that cannot be killed was started again")
					}
					f.end(0)
					synctest.Wait()
					if s.GetState() != Stopped {
						t.Errorf("%v after it has gone", s.GetState())
					}
				}
			})
		})
	}
}

func TestStopEndsRestarts(t *testing.T) {
	t.Parallel()
	quick := func(_ int, c *fakeChild) error { after(c, 100*time.Millisecond, 1); return nil }
	for name, c := range map[string]struct {
		opts []ProcOption
		at   time.Duration
		want string
	}{
		"while it starts":                {at: 50 * time.Millisecond, want: "0s Starting, 50ms Stopping, 50ms Stopped"},
		"between two tries":              {at: 200 * time.Millisecond, want: "0s Starting, 100ms Backoff, 200ms Stopped"},
		"between end and restart":        {opts: []ProcOption{ProcStartSecs(0)}, at: time.Second, want: "0s Starting, 0s Running, 100ms Exited, 1s Stopped"},
		"at once":                        {want: "0s Starting, 0s Stopped"},
		"when it is over nothing is new": {opts: []ProcOption{ProcStartRetries(1)}, at: time.Hour, want: "0s Starting, 100ms Backoff, 100ms Fatal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(quick, c.opts...)
				if c.at == 0 { // before the goroutine has begun
					r := newRun(s.Process)
					r.halt()
					s.Process.run = r
					s.move(Starting, "")
					go r.loop()
				} else {
					s.Start(false)
					time.Sleep(c.at)
				}
				s.Stop(true)
				time.Sleep(time.Hour)
				synctest.Wait()
				s.want(t, strings.Split(c.want, ", ")...)
			})
		})
	}
}

func TestStopOfAProcessThatWasNeverStarted(t *testing.T) {
	t.Parallel()
	p := NewProcess(ProcCommand("/bin/fake"))
	p.Stop(true)
	if p.GetState() != Stopped || p.Pid() != 0 || p.GetStatus() != "" || p.GetDescription() != "" {
		t.Errorf("%+v, status %q", p.GetProcessInfo(), p.GetStatus())
	}
	if err := p.Signal(syscall.SIGTERM, true); err != os.ErrProcessDone {
		t.Error(err)
	}
}

func TestStartDuringAStopWaitsForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(func(n int, c *fakeChild) error {
			c.ends = map[sigNum]bool{syscall.SIGKILL: true}
			return nil
		}, ProcStopWaitSecs(2))
		s.Start(true)
		s.Stop(false)
		s.Start(true)
		s.want(t, "0s Starting", "1s Running", "1s Stopping", "3s Stopped", "3s Starting", "4s Running")
		s.Start(true) // it runs
		s.Stop(true)
		s.Stop(true) // it is stopped
	})
}

func TestDescription(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(func(int, *fakeChild) error { return nil }, ProcName("app"), ProcAutoReStart(AutoReStartFalse))
		s.Start(true)
		time.Sleep(time.Second)
		check := func(want string) {
			t.Helper()
			if got := s.GetDescription(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		check("pid 4711, uptime 0:00:02")
		time.Sleep(3*24*time.Hour + 11*time.Hour)
		check("pid 4711, uptime 3 days, 11:00:02")
		s.children[0].end(7)
		synctest.Wait()
		check(time.Now().Format("2006-01-02 15:04:05"))
		if i := s.GetProcessInfo(); i.ExitStatus != 7 || i.StateName != "Exited" || i.Pid != 0 || i.Stop != int(time.Now().Unix()) {
			t.Errorf("%+v", i)
		}
		if s.GetStatus() != "exit status 7" {
			t.Error(s.GetStatus())
		}
	})
}

func TestANewBinaryIsStartedWhenItIsWhole(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "app")
	look := func(text string) fs.FileInfo {
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first, half, whole := look("1"), look("12"), look("123")
	synctest.Test(t, func(t *testing.T) {
		s := newStage(func(n int, c *fakeChild) error {
			if c.file = whole; n > 1 {
				return nil
			}
			c.file = first
			for d, info := range map[time.Duration]fs.FileInfo{5500 * time.Millisecond: half, 6500 * time.Millisecond: whole} {
				time.AfterFunc(d, func() { c.mu.Lock(); c.file = info; c.mu.Unlock() })
			}
			return nil
		}, ProcRestartWhenBinaryChanged(true), ProcStartSecs(0))
		s.Start(true)
		time.Sleep(time.Minute)
		s.want(t, "0s Starting", "0s Running", "8s Stopping", "8s Stopped", "8s Starting", "8s Running")
		s.Stop(true)
	})
}

func TestEveryStateHasItsNumberAndName(t *testing.T) {
	t.Parallel()
	want := map[State]string{
		0: "Stopped", 10: "Starting", 20: "Running", 30: "Backoff", 40: "Stopping", 100: "Exited", 200: "Fatal", 1000: "Unknown",
		7: "Unknown",
	}
	for s, name := range want {
		if s.String() != name {
			t.Errorf("%d is %s, want %s", s, s, name)
		}
	}
	if len(states) != len(want)-1 {
		t.Errorf("%d states", len(states))
	}
	p := NewProcess(ProcCommand("x"))
	if p.move(Running, ""); p.GetState() != Unknown {
		t.Errorf("a step that is not in the table led to %v", p.GetState())
	}
}

func TestAStartRightAfterTheEndIsNotLost(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]bool{"waiting": true, "not waiting": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(func(_ int, c *fakeChild) error { c.slow = time.Second; return nil }, ProcStartSecs(0), ProcAutoReStart(AutoReStartFalse))
				s.Start(true)
				s.children[0].end(0)
				synctest.Wait() // Exited, and what it had is still given back
				s.Start(wait)
				time.Sleep(2 * time.Second)
				if got := s.GetState(); got != Running || len(s.children) != 2 {
					t.Errorf("state %v, %d programs", got, len(s.children))
				}
				s.Stop(true)
			})
		})
	}
}

func TestAStartFromOnChangeWaitsForNobody(t *testing.T) {
	t.Parallel()
	for state, end := range map[State]func(*stage){
		Stopped: func(s *stage) { s.Stop(true) },
		Exited:  func(s *stage) { s.children[0].end(0) },
	} {
		t.Run(state.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s *stage
				again := true
				s = newStage(func(int, *fakeChild) error { return nil }, ProcStartSecs(0), ProcAutoReStart(AutoReStartFalse),
					ProcOnChange(func(i *Info) {
						if again && i.StateName == state.String() {
							again = false
							s.Start(false)
						}
					}))
				s.Start(true)
				end(s)
				time.Sleep(2 * time.Second)
				if got := s.GetState(); got != Running || len(s.children) != 2 {
					t.Errorf("state %v, %d programs", got, len(s.children))
				}
				s.Stop(true)
			})
		})
	}
}

func TestAStopTakesBackAStartThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(func(_ int, c *fakeChild) error { c.slow = time.Second; return nil }, ProcStartSecs(0))
		s.Start(true)
		s.Stop(false)
		synctest.Wait()
		s.Start(false)
		s.Stop(true)
		time.Sleep(2 * time.Second)
		if got := s.GetState(); got != Stopped || len(s.children) != 1 {
			t.Errorf("state %v, %d programs", got, len(s.children))
		}
	})
}

func TestAStopWaitsForAProgramThatFollowsOneThatCouldNotBeKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(func(n int, c *fakeChild) error {
			c.ends = map[sigNum]bool{}
			if n == 1 {
				after(c, time.Minute, 0)
			} else {
				c.ends[syscall.SIGKILL] = true
			}
			return nil
		}, ProcStartSecs(0), ProcHeartbeat(4*time.Second), ProcStopWaitSecs(1))
		s.Start(true)
		time.Sleep(30 * time.Second)
		if got := s.GetState(); got != Unknown {
			t.Fatalf("state %v", got)
		}
		time.Sleep(31 * time.Second) // it is gone after all, and the next one runs
		s.Stop(true)
		if got := s.GetState(); got != Stopped || len(s.children) < 2 {
			t.Errorf("state %v, %d programs", got, len(s.children))
		}
	})
}
