package process

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

var (
	// ErrUnknownName is wrapped by the errors about a process that the manager does not have.
	ErrUnknownName = errors.New("no process named")
	// ErrNameTaken is wrapped by the errors about a name that the manager has already.
	ErrNameTaken = errors.New("process: the name is taken")
	// ErrNotRunning is wrapped by the errors about a process that could not be started.
	ErrNotRunning = errors.New("process: it does not run")
	// ErrReloading is wrapped by the error about a process that is being reloaded already.
	ErrReloading = errors.New("process: it is being reloaded")
	// ErrNotStopped is wrapped by the errors about a process that could not be stopped.
	ErrNotStopped = errors.New("process: it cannot be killed")
)

// Manager holds processes under their names.
type Manager struct {
	mu      sync.Mutex
	procs   map[string]*Process
	reloads map[string]*reload // under way
}

// NewManager returns an empty manager.
func NewManager() *Manager {
	return &Manager{procs: map[string]*Process{}, reloads: map[string]*reload{}}
}

// NewProcess makes a process of a program, its arguments and additions to its environment. Its name is the program's base
// name unless opts give another.
func (m *Manager) NewProcess(path string, args []string, environment map[string]string, opts ...ProcOption) (*Process, error) {
	first := []ProcOption{ProcCommand(path), ProcArgs(args...), ProcEnvironment(environment)}
	return m.NewProcessByOptions(NewProcOptions(append(first, opts...)...))
}

// NewProcessByOptions makes a process from complete options. The error names every bad option, or wraps ErrNameTaken.
func (m *Manager) NewProcessByOptions(opts ProcOptions) (*Process, error) {
	if _, err := newPlan(opts); err != nil {
		return nil, err
	}
	return m.NewProcessByProcess(NewProcessByOptions(opts))
}

// NewProcessByProcess adds a process that was made without the manager. The error wraps ErrNameTaken.
func (m *Manager) NewProcessByProcess(proc *Process) (*Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.procs[proc.GetName()]; taken {
		return nil, fmt.Errorf("%w: %s", ErrNameTaken, proc.GetName())
	}
	m.procs[proc.GetName()] = proc
	return proc, nil
}

// NewProcessCmd makes a process from a command line, see SplitCommand.
func (m *Manager) NewProcessCmd(cmd string, environment map[string]string) (*Process, error) {
	return m.NewProcessByOptions(cmdOptions(cmd, environment))
}

// Add puts a process under a name, in place of the one that has it.
func (m *Manager) Add(name string, proc *Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.procs[name] = proc
}

// Remove takes the process of that name out and returns it, nil if there is none. It is not stopped.
func (m *Manager) Remove(name string) *Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.procs[name]
	delete(m.procs, name)
	return p
}

// Clear takes all processes out. They are not stopped.
func (m *Manager) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.procs)
}

// Find returns the process of that name, nil if there is none.
func (m *Manager) Find(name string) *Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.procs[name]
}

// find is Find with an error in place of nil.
func (m *Manager) find(name string) (*Process, error) {
	if p := m.Find(name); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w %s", ErrUnknownName, name)
}

// sorted returns the processes by priority, low first, then by name.
func (m *Manager) sorted() []*Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	procs := make([]*Process, 0, len(m.procs))
	for _, p := range m.procs {
		procs = append(procs, p)
	}
	slices.SortFunc(procs, func(a, b *Process) int {
		return cmp.Or(cmp.Compare(a.opts.Priority, b.opts.Priority), cmp.Compare(a.opts.Name, b.opts.Name))
	})
	return procs
}

// ForEachProcess calls a function for each process that the manager has now, by priority, then by name. The function may
// call the manager.
func (m *Manager) ForEachProcess(procFunc func(p *Process)) {
	for _, p := range m.sorted() {
		procFunc(p)
	}
}

// StartAll starts the processes whose AutoStart is true, by priority: those of one priority together, the next when
// they are up. The error says which did not come up, and wraps ErrNotRunning.
func (m *Manager) StartAll() error {
	procs := slices.DeleteFunc(m.sorted(), func(p *Process) bool { return !p.opts.AutoStart })
	var errs []error
	for _, group := range byPriority(procs) {
		together(group, func(p *Process) { p.Start(true) })
		for _, p := range group {
			errs = append(errs, p.upError())
		}
	}
	return errors.Join(errs...)
}

// StopAllProcesses stops all processes, by priority, high first: those of one priority together, the next when they have
// ended.
func (m *Manager) StopAllProcesses() {
	m.stopReloads(func(string) bool { return true })
	for _, group := range slices.Backward(byPriority(m.sorted())) {
		together(group, func(p *Process) { p.Stop(true) })
	}
}

// byPriority cuts a sorted list into those of one priority each.
func byPriority(procs []*Process) [][]*Process {
	var groups [][]*Process
	for i, p := range procs {
		if i == 0 || p.opts.Priority != procs[i-1].opts.Priority {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], p)
	}
	return groups
}

func together(procs []*Process, do func(*Process)) {
	var wg sync.WaitGroup
	for _, p := range procs {
		wg.Go(func() { do(p) })
	}
	wg.Wait()
}

// GetAllProcessInfo returns the Info of all processes, by priority, then by name. The error is always nil.
func (m *Manager) GetAllProcessInfo() ([]*Info, error) {
	procs := m.sorted()
	infos := make([]*Info, len(procs))
	for i, p := range procs {
		infos[i] = p.GetProcessInfo()
	}
	return infos, nil
}

// GetProcessInfo returns the Info of one process. The error wraps ErrUnknownName.
func (m *Manager) GetProcessInfo(name string) (*Info, error) {
	p, err := m.find(name)
	if err != nil {
		return nil, err
	}
	return p.GetProcessInfo(), nil
}

// StartProcess is Process.Start. It returns true when the process runs, or is being started or restarted. An error wraps
// ErrUnknownName, or with wait ErrNotRunning.
func (m *Manager) StartProcess(name string, wait bool) (bool, error) {
	p, err := m.find(name)
	if err != nil {
		return false, err
	}
	p.Start(wait)
	if wait {
		err = p.upError()
	}
	return err == nil, err
}

// StopProcess is Process.Stop. It returns true when the process has ended or, without wait, is being stopped. An error wraps
// ErrUnknownName, or with wait ErrNotStopped.
func (m *Manager) StopProcess(name string, wait bool) (bool, error) {
	m.stopReloads(func(other string) bool { return other == name })
	p, err := m.find(name)
	if err != nil {
		return false, err
	}
	p.Stop(wait)
	if wait && p.GetState() == Unknown {
		return false, fmt.Errorf("%w: %s", ErrNotStopped, name)
	}
	return true, nil
}

// upError says why a process that was started, and waited for, is not up.
func (p *Process) upError() error {
	info := p.GetProcessInfo()
	switch State(info.State) {
	case Stopped, Stopping, Backoff, Fatal, Unknown:
		return fmt.Errorf("%w: %s is %s", ErrNotRunning, info.Name, strings.TrimSpace(info.StateName+" "+info.SpawnErr))
	}
	return nil // it was up, though it may have ended since
}
