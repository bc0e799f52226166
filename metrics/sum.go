package metrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Merger adds up snapshots of one format. Those of live processes count whole. Of processes that are gone it counts
// only what never goes back, such as the number of calls: or each restart of a process would look as if calls had been
// taken back.
type Merger func(live, gone [][]byte) ([]byte, error)

var mergers = struct {
	sync.RWMutex
	byFormat map[string]Merger
}{byFormat: make(map[string]Merger)}

// RegisterMerger registers the merger of a format. A second one for the same format panics.
func RegisterMerger(format string, m Merger) {
	mergers.Lock()
	defer mergers.Unlock()
	if mergers.byFormat[format] != nil {
		panic(fmt.Sprintf("metrics: there are two mergers of format %q", format))
	}
	mergers.byFormat[format] = m
}

// Sum is the figures of several processes, added up. A master keeps one for each page of its workers.
type Sum struct {
	merge Merger

	mu   sync.Mutex
	live map[string][]byte
	gone []byte // of all that are gone, as one; nil where there are none
}

// NewSum returns an empty sum of figures in a format. It is an error if the program has no merger for it.
func NewSum(format string) (*Sum, error) {
	mergers.RLock()
	defer mergers.RUnlock()
	m := mergers.byFormat[format]
	if m == nil {
		return nil, fmt.Errorf("metrics of format %q cannot be added up: the program has no merger for it", format)
	}
	return &Sum{merge: m, live: make(map[string][]byte)}, nil
}

// Set replaces the figures of a process by newer ones.
func (s *Sum) Set(process string, snapshot []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[process] = snapshot
}

// Drop says that a process is gone. What it has counted stays in the sum, what it was holding does not. A process that
// takes its place must have another name, or be set after the Drop. An error means that the last figures of the process
// could not be read; they are left out.
func (s *Sum) Drop(process string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.live[process]
	if !ok {
		return nil
	}
	delete(s.live, process)
	gone, err := s.merge(nil, append(s.goneList(), last))
	if err != nil {
		return fmt.Errorf("the last figures of process %s: %w", process, err)
	}
	s.gone = gone
	return nil
}

func (s *Sum) goneList() [][]byte {
	if s.gone == nil {
		return nil
	}
	return [][]byte{s.gone}
}

// Snapshot returns the sum, for a [Page].
func (s *Sum) Snapshot(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := make([][]byte, 0, len(s.live))
	for _, name := range slices.Sorted(maps.Keys(s.live)) {
		live = append(live, s.live[name])
	}
	return s.merge(live, s.goneList())
}
