package prometheus

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
)

const (
	// unknownPath is the label of everything that has no handler, and of paths that are too many or too long.
	unknownPath = "unknown"
	// otherCode is the label of codes that are too many.
	otherCode = "other"
	// maxPaths is how many service methods of peers are told apart.
	maxPaths = 1000
	// maxPathLen is how many bytes of a path are shown at most.
	maxPathLen = 256
	// maxCodes is how many codes of failures are told apart for a path.
	maxCodes = 50
)

// bounds are the upper bounds of the buckets.
var bounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second,
}

// histogram counts durations by bucket. The last bucket has no bound.
type histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64
	sum     atomic.Uint64 // nanoseconds
}

func (h *histogram) note(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(uint64(max(d, 0)))
}

// series is the outcomes of one path. Successes are told from failures by their histogram, so that one needs no counter
// beside it.
type series struct {
	path     string
	ok, fail histogram
	codes    codeCounters
}

func (s *series) note(code int32, d time.Duration) {
	if code == drpc.CodeOK {
		s.ok.note(d)
		return
	}
	s.codes.of(code).n.Add(1)
	s.fail.note(d)
}

// codeCounters counts failures by code. What is published never changes but for the counts.
type codeCounters struct {
	mu    sync.Mutex
	list  atomic.Pointer[[]*codeCounter]
	other codeCounter
}

type codeCounter struct {
	code int32
	n    atomic.Uint64
}

func (c *codeCounters) all() []*codeCounter {
	if list := c.list.Load(); list != nil {
		return *list
	}
	return nil
}

func find(list []*codeCounter, code int32) *codeCounter {
	for _, counter := range list {
		if counter.code == code {
			return counter
		}
	}
	return nil
}

// of returns the counter of a code, that of all others once there are many.
func (c *codeCounters) of(code int32) *codeCounter {
	list := c.all()
	if counter := find(list, code); counter != nil {
		return counter
	}
	if len(list) >= maxCodes {
		return &c.other
	}
	return c.make(code)
}

// make returns the counter of a code that had none a moment ago.
func (c *codeCounters) make(code int32) *codeCounter {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.all()
	if counter := find(old, code); counter != nil {
		return counter
	}
	if len(old) >= maxCodes {
		return &c.other
	}
	counter := &codeCounter{code: code}
	list := append(slices.Clip(old), counter)
	c.list.Store(&list)
	return counter
}

// seriesTable is the series of one kind of message by path. Readers take no lock.
type seriesTable struct {
	mu      sync.Mutex
	byPath  atomic.Pointer[map[string]*series]
	unknown series
}

func (t *seriesTable) paths() map[string]*series {
	if m := t.byPath.Load(); m != nil {
		return *m
	}
	return nil
}

// get returns the series of a path, made if need be and if limit leaves room for it; else that of unknown ones.
func (t *seriesTable) get(path string, limit int) *series {
	if path == "" || len(path) > maxPathLen {
		return &t.unknown
	}
	if s := t.paths()[path]; s != nil {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.paths()
	if s := old[path]; s != nil {
		return s
	}
	if len(old) >= limit {
		return &t.unknown
	}
	grown := make(map[string]*series, len(old)+1)
	for k, v := range old {
		grown[k] = v
	}
	s := &series{path: label(path)}
	grown[strings.Clone(path)] = s
	t.byPath.Store(&grown)
	return s
}

// label makes text fit for a label.
func label(text string) string { return strings.ToValidUTF8(strings.Clone(text), "\uFFFD") }
