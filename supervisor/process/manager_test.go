//go:build unix

package process

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNamesAreUniqueAndKnown(t *testing.T) {
	t.Parallel()
	m := NewManager()
	p, err := m.NewProcessCmd("/bin/app -x 'a b'", map[string]string{"A": "1"})
	if err != nil || p.GetName() != "app" || strings.Join(p.opts.Args, "|") != "-x|a b" || m.Find("app") != p {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err = m.NewProcess("/usr/bin/app", nil, nil); !errors.Is(err, ErrNameTaken) {
		t.Error(err)
	}
	if _, err = m.NewProcessCmd(`app "`, nil); !errors.Is(err, errOpenQuote) {
		t.Error(err)
	}
	for name, call := range map[string]func() error{
		"info":   func() error { _, err := m.GetProcessInfo("x"); return err },
		"start":  func() error { _, err := m.StartProcess("x", true); return err },
		"stop":   func() error { _, err := m.StopProcess("x", true); return err },
		"reload": func() error { _, err := m.GracefulReload("x", true); return err },
	} {
		if err := call(); !errors.Is(err, ErrUnknownName) || err.Error() != "no process named x" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m.Remove("app") != p || m.Find("app") != nil || m.Remove("app") != nil {
		t.Error("remove")
	}
	m.Add("other", p)
	if infos, err := m.GetAllProcessInfo(); err != nil || len(infos) != 1 || infos[0].Name != "app" {
		t.Errorf("%v, %v", infos, err)
	}
	if m.Clear(); m.Find("other") != nil {
		t.Error("clear")
	}
}

func TestAllAreStartedAndStoppedByPriority(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewManager()
		var mu sync.Mutex
		var trace []string
		for name, opts := range map[string][]ProcOption{
			"web":    {ProcPriority(20)},
			"worker": {ProcPriority(20)},
			"db":     {ProcPriority(10)},
			"manual": {ProcPriority(1), ProcAutoStart(false)},
		} {
			s := newStage(func(int, *fakeChild) error { return nil }, append(opts, ProcName(name), ProcOnChange(func(i *Info) {
				mu.Lock()
				defer mu.Unlock()
				if name != "worker" { // started along with web
					trace = append(trace, name+" "+i.StateName)
				}
			}))...)
			if _, err := m.NewProcessByProcess(s.Process); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.StartAll(); err != nil {
			t.Fatal(err)
		}
		if ok, err := m.StartProcess("web", true); !ok || err != nil {
			t.Error(ok, err)
		}
		var order []string
		m.ForEachProcess(func(p *Process) { order = append(order, p.GetName()) })
		if got := strings.Join(order, " "); got != "manual db web worker" {
			t.Error(got)
		}
		m.StopAllProcesses()
		want := "db Starting, db Running, web Starting, web Running, web Stopping, web Stopped, db Stopping, db Stopped"
		if got := strings.Join(trace, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestAProgramThatDoesNotComeUpIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewManager()
		s := newStage(func(_ int, c *fakeChild) error { after(c, 100*time.Millisecond, 9); return nil }, ProcName("bad"))
		m.Add("bad", s.Process)
		if ok, err := m.StartProcess("bad", true); ok || !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "exit status 9") {
			t.Error(ok, err)
		}
		if err := m.StartAll(); !errors.Is(err, ErrNotRunning) {
			t.Error(err)
		}
		stuck := newStage(func(_ int, c *fakeChild) error { c.ends = nil; return nil }, ProcName("stuck"))
		m.Add("stuck", stuck.Process)
		stuck.Start(true)
		if ok, err := m.StopProcess("stuck", true); ok || !errors.Is(err, ErrNotStopped) {
			t.Error(ok, err)
		}
		stuck.children[0].end(0)
	})
}

func TestAStopHoldsForTheProgramThatAReloadHasStarted(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(m *Manager){
		"one": func(m *Manager) { _, _ = m.StopProcess("app", true) },
		"all": (*Manager).StopAllProcesses,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := NewManager()
				s := newStage(func(int, *fakeChild) error { return nil }, ProcName("app"), ProcStartSecs(5))
				m.Add("app", s.Process)
				m.Add("other", newStage(func(int, *fakeChild) error { return nil }, ProcName("other")).Process)
				s.Start(true)
				reloaded := make(chan error, 1)
				go func() {
					_, err := m.GracefulReload("app", true)
					reloaded <- err
				}()
				synctest.Wait() // until the next program needs five seconds to be up
				stop(m)
				if err := <-reloaded; !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "stopped amid") {
					t.Errorf("the reload: %v", err)
				}
				if m.Find("app") != s.Process || s.GetState() != Stopped || len(s.children) != 2 {
					t.Errorf("%+v, %d programs", m.Find("app").GetProcessInfo(), len(s.children))
				}
				for i, c := range s.children {
					if !waitFor(c.ended, 0) {
						t.Errorf("program %d runs on", i+1)
					}
				}
				if ok, err := m.GracefulReload("app", true); !ok || err != nil {
					t.Errorf("the next reload: %v, %v", ok, err)
				}
				m.StopAllProcesses()
			})
		})
	}
}
