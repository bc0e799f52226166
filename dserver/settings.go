package dserver

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// limits are the times and counts that the table dserver of the configuration sets.
type limits struct {
	stop      time.Duration // of a graceful stop; 0 leaves it to the program
	drain     time.Duration // of the old process after a reload; 0 is that of a stop
	ready     time.Duration // for a new process to get ready
	heartbeat time.Duration // silence after which a worker counts as frozen; 0 never
	pause     time.Duration // before the second restart of a worker that fails; doubled with each further one
	retries   int           // failed starts in a row after which a worker is given up
}

func defaultLimits() limits {
	return limits{ready: time.Minute, heartbeat: 10 * time.Second, pause: time.Second, retries: 6}
}

const (
	minHeartbeat = 500 * time.Millisecond
	maxRetries   = 1000
)

// limits reads the table. A key that it does not have is refused: a wrong one would be a setting that silently does
// nothing.
func (c *Config) limits() (limits, error) {
	t := c.table("dserver")
	l := defaultLimits()
	keys := []struct {
		name string
		read func(name string)
	}{
		{"StopTimeout", func(n string) { l.stop = t.duration(n, 0) }},
		{"DrainTimeout", func(n string) { l.drain = t.duration(n, 0) }},
		{"ReadyTimeout", func(n string) { l.ready = t.positive(n, l.ready) }},
		{"Heartbeat", func(n string) { l.heartbeat = t.duration(n, l.heartbeat) }},
		{"RestartPause", func(n string) { l.pause = t.positive(n, l.pause) }},
		{"StartRetries", func(n string) { l.retries = t.number(n, l.retries, 1, maxRetries) }},
	}
	var known, names []string
	for _, k := range keys {
		k.read(k.name)
		known, names = append(known, plainKey(k.name)), append(names, k.name)
	}
	if l.heartbeat > 0 && l.heartbeat < minHeartbeat {
		t.fail("Heartbeat", l.heartbeat, fmt.Sprintf("0 or at least %v", minHeartbeat))
	}
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !slices.Contains(known, plainKey(key)) && t.err == nil {
			t.err = fmt.Errorf("configuration key dserver.%s: there is no such key; there are %s", key, strings.Join(names, ", "))
		}
	}
	return l, t.err
}

// positive is duration for a time that must not be 0.
func (t *table) positive(key string, def time.Duration) time.Duration {
	d := t.duration(key, def)
	if d <= 0 {
		t.fail(key, d, "a time above 0")
		return def
	}
	return min(d, math.MaxInt64/4)
}
