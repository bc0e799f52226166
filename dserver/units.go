package dserver

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unit returns the sandbox called exactly name, or nil.
func (s *DServer) unit(name string) *unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units[name]
}

// errStopping says that the server leaves.
var errStopping = errors.New("the server is stopping")

// startUnit starts a sandbox, unless the server is about to stop.
func (s *DServer) startUnit(u *unit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return errStopping
	}
	return u.start(s.ctx)
}

// The reasons why a name leads to no sandbox.
var (
	errNoSandbox = errors.New("no sandbox has this name")
	errAmbiguous = errors.New("several sandboxes differ from this name in case only")
)

// findUnit looks a name up: as it is spelled, else ignoring case if that leaves
// one.
func (s *DServer) findUnit(name string) (*unit, error) {
	if u := s.unit(name); u != nil {
		return u, nil
	}
	var found *unit
	for _, u := range s.allUnits() {
		if !strings.EqualFold(u.name, name) {
			continue
		}
		if found != nil {
			return nil, errAmbiguous
		}
		found = u
	}
	if found == nil {
		return nil, fmt.Errorf("%w; there are: %s", errNoSandbox, s.unitNames())
	}
	return found, nil
}

// allUnits lists the sandboxes in the order of service and name: the order in
// which they are started and shown.
func (s *DServer) allUnits() []*unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.units), func(a, b *unit) int {
		return cmp.Or(strings.Compare(a.service.name, b.service.name), strings.Compare(a.name, b.name))
	})
}

// selectUnits finds the sandboxes that are named, by arguments that may hold
// several with commas between; no name means all.
func (s *DServer) selectUnits(args []string) ([]*unit, error) {
	wanted := make(map[*unit]bool)
	for name := range strings.SplitSeq(strings.Join(args, ","), ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		u, err := s.findUnit(name)
		if err != nil {
			return nil, fmt.Errorf("sandbox %q: %w", name, err)
		}
		wanted[u] = true
	}
	units := s.allUnits()
	if len(wanted) == 0 {
		return units, nil
	}
	return slices.DeleteFunc(units, func(u *unit) bool { return !wanted[u] }), nil
}

func (s *DServer) unitNames() string {
	var names []string
	for _, u := range s.allUnits() {
		names = append(names, u.name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
