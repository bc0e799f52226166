package process

import "fmt"

// GracefulReload replaces a program by a new one of the same options without a moment in which none runs: the new one is
// started, and the old one is stopped when it is up. If it does not come up it is stopped, the old one runs on, and
// the error wraps ErrNotRunning. With wait the return waits for the end of the old one too. A program that does
// not run is just started. The manager has the new process under the name afterwards; the Process of the old one stays
// Stopped. The error of a second reload at the same time wraps ErrReloading, that of a name the manager does not have, or
// has no more, ErrUnknownName. A StopProcess or StopAllProcesses meanwhile holds for the new program, too; the error wraps
// ErrNotRunning then.
//
// The two programs share ExtraFiles and log; what else two of them at once need is up to them.
func (m *Manager) GracefulReload(name string, wait bool) (bool, error) {
	old, err := m.beginReload(name)
	if err != nil {
		return false, err
	}
	defer m.endReload(name)
	next, err := old.Clone()
	if err != nil {
		return false, err
	}
	next.Start(true)
	if err = next.upError(); err == nil {
		err = m.swap(name, old, next)
	}
	if err != nil {
		next.Stop(true)
		return false, err
	}
	old.Stop(wait)
	return true, nil
}

// reload is a reload under way.
type reload struct {
	stopped bool // the name was stopped meanwhile, and shall stay so
}

func (m *Manager) beginReload(name string) (*Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.procs[name]
	switch {
	case p == nil:
		return nil, fmt.Errorf("%w %s", ErrUnknownName, name)
	case m.reloads[name] != nil:
		return nil, fmt.Errorf("%w: %s", ErrReloading, name)
	}
	m.reloads[name] = new(reload)
	return p, nil
}

func (m *Manager) endReload(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.reloads, name)
}

// stopReloads makes the reloads of those names that are under way fail, before the processes are stopped.
func (m *Manager) stopReloads(of func(name string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, r := range m.reloads {
		r.stopped = r.stopped || of(name)
	}
}

// swap puts next in the place of old, unless that was taken out or stopped meanwhile.
func (m *Manager) swap(name string, old, next *Process) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.procs[name] != old {
		return fmt.Errorf("%w %s any more", ErrUnknownName, name)
	}
	if m.reloads[name].stopped {
		return fmt.Errorf("%w: %s was stopped amid its reload", ErrNotRunning, name)
	}
	m.procs[name] = next
	return nil
}
