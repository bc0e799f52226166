package dserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/osgochina/dmicro/dserver/internal/instance"
	"github.com/osgochina/dmicro/graceful"
	proc "github.com/osgochina/dmicro/supervisor/process"
)

// master runs each service in a worker, a process of its own, and never a sandbox itself. It stays the same process
// through reloads, which replace the workers: so its number may be watched, and it may be process 1.
type master struct {
	server   *DServer
	dir      string // run directory
	hasCtl   bool
	overlap  bool       // the sockets are the master's, so that an old and a new worker may run side by side
	services []*service // in the order of their names
	reloadMu sync.Mutex // one reload at a time
	figures  *figures   // metrics pages of the workers
	aborted  context.Context
	abort    context.CancelFunc
}

// newMaster makes the master of the services that have selected sandboxes.
func (a *app) newMaster(dir string, units []*unit) *master {
	s := a.server
	s.mu.Lock()
	overlap := len(s.inherit) > 0
	s.mu.Unlock()
	m := &master{server: s, dir: dir, hasCtl: s.hasCtl(), overlap: overlap}
	m.figures = newFigures(m)
	m.aborted, m.abort = context.WithCancel(context.Background())
	byName := make(map[string]*service)
	for _, u := range units {
		name := u.service.name
		if byName[name] == nil {
			byName[name] = &service{master: m, name: name}
		}
		byName[name].units = append(byName[name].units, u)
	}
	for i, name := range slices.Sorted(maps.Keys(byName)) {
		v := byName[name]
		v.words = filepath.Join(dir, fmt.Sprintf("%s.%d.err", a.name, i+1))
		v.requests = make(chan request)
		v.idle = make(chan struct{})
		m.services = append(m.services, v)
	}
	proc.ReapZombie()
	m.dropStale()
	return m
}

func (m *master) begin(ctx context.Context) (running, failed []string, err error) {
	strict, kind := m.server.role.strict(m.server.up), requestStart
	if strict {
		kind = requestStrict
	}
	errs := make([]error, len(m.services))
	var wg sync.WaitGroup
	for i, v := range m.services {
		go v.run()
		wg.Go(func() { errs[i] = v.ask(ctx, kind) })
	}
	m.figures.begin()
	wg.Wait()
	for i, v := range m.services {
		if errs[i] != nil {
			failed = append(failed, errs[i].Error()) // it names the service
			continue
		}
		for _, u := range v.units {
			running = append(running, u.name)
		}
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if strict {
		return running, failed, errors.Join(errs...)
	}
	return running, failed, nil
}

// find returns the service that a name stands for, and the sandbox if it names one.
func (m *master) find(name string) (*service, *unit, error) {
	units, err := m.server.targets(name)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range m.services {
		if v.name != units[0].service.name {
			continue
		}
		if len(units) > 1 || len(v.units) == 1 || !strings.EqualFold(units[0].name, name) {
			return v, nil, nil
		}
		if slices.Contains(v.units, units[0]) {
			return v, units[0], nil
		}
	}
	return nil, nil, fmt.Errorf("%w among those that were started", errNoSandbox)
}

func (m *master) start(ctx context.Context, name string) error {
	v, u, err := m.find(name)
	switch {
	case err != nil:
		return err
	case u != nil && v.current() != nil:
		return v.tell(ctx, methodStart, u.name)
	}
	for _, other := range v.units {
		if u == nil || other == u {
			v.want(other.name, true)
		}
	}
	return v.ask(ctx, requestStart)
}

func (m *master) stop(ctx context.Context, name string) error {
	v, u, err := m.find(name)
	switch {
	case err != nil:
		return err
	case u != nil:
		return v.tell(ctx, methodStop, u.name)
	}
	return v.ask(ctx, requestStop)
}

func (m *master) reload(ctx context.Context, name string) error {
	if !m.reloadMu.TryLock() {
		return errBusy
	}
	defer m.reloadMu.Unlock()
	services := m.services
	if name != "" {
		v, _, err := m.find(name)
		if err != nil {
			return err
		}
		services = []*service{v}
	}
	if !m.server.mayStop() {
		return errVetoed
	}
	if name == "" {
		_, _ = graceful.NotifyReloading() // decides nothing, as that it is over
		defer func() { _, _ = graceful.Notify("READY=1") }()
	}
	errs := make([]error, len(services))
	var wg sync.WaitGroup
	for i, v := range services {
		wg.Go(func() { errs[i] = v.ask(ctx, requestReload) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (m *master) end(ctx context.Context) stopOutcome {
	m.abort()
	if deadline, ok := ctx.Deadline(); ok { // the workers keep it, and shall get to say what they have cut
		late, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(forceMargin))
		defer cancel()
		ctx = late
	}
	outs := make([]stopOutcome, len(m.services))
	var wg sync.WaitGroup
	for i, v := range m.services {
		wg.Go(func() { outs[i] = v.end(ctx) })
	}
	wg.Wait()
	var all stopOutcome
	for _, out := range outs {
		all.failed = all.failed || out.failed
		all.cut = append(all.cut, out.cut...)
	}
	m.figures.close()
	return all
}

func (m *master) abandon() {
	for _, v := range m.services {
		v.kill()
	}
}

func (m *master) infos(ctx context.Context) []ctlInfo {
	var mu sync.Mutex
	told := make(map[string]ctlInfo)
	var wg sync.WaitGroup
	for _, v := range m.services {
		wg.Go(func() {
			for _, info := range v.infos(ctx) {
				mu.Lock()
				told[info.SandBoxName] = info
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var infos []ctlInfo
	for _, u := range m.server.allUnits() {
		info, ok := told[u.name]
		if !ok {
			info = ctlInfo{SandBoxName: u.name, ServiceName: u.service.name, Status: string(StateStopped)}
		}
		infos = append(infos, info)
	}
	return infos
}

// workers are the workers that serve, for those who ask all processes of the application.
func (m *master) workers() []otherProcess {
	var list []otherProcess
	for _, v := range m.services {
		if w := v.current(); w != nil {
			list = append(list, w)
		}
	}
	return list
}

// workerSocket is the control socket of a worker. It is named by number because the path of a socket is short.
func workerSocket(dir string, pid int) string { return filepath.Join(dir, fmt.Sprintf("%d.sock", pid)) }

// dropStale removes what workers of a master that was killed have left behind.
func (m *master) dropStale() {
	m.figures.dropFiles()
	stale, _ := filepath.Glob(filepath.Join(m.dir, "[0-9]*.sock")) // the pattern is good
	for _, path := range stale {
		if lis, err := instance.Listen(path); err == nil {
			_ = lis.Close() // and its file goes
		}
	}
}

// wordsFrom returns what a file has from an offset on, at most the last few kilobytes.
func wordsFrom(path string, begin int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	l := &daemonLog{f, begin}
	defer l.Close()
	return l.words()
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
