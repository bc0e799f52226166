package dserver

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gogf/gf/v2/util/gconv"
)

// table is one table of the configuration file, read with the errors kept: the
// first bad value is reported with its key, the others count as missing.
type table struct {
	path   string // of the table, in front of the key in errors
	values map[string]any
	err    error
}

// lookup returns the value of key, spelled exactly or else ignoring case and the
// characters - and _.
func (t *table) lookup(key string) (any, bool) { return lookupKey(t.values, key) }

func lookupKey(m map[string]any, key string) (any, bool) {
	if v, ok := m[key]; ok {
		return v, v != nil
	}
	var found any
	best := ""
	for k, v := range m {
		if plainKey(k) == plainKey(key) && (best == "" || k < best) {
			best, found = k, v
		}
	}
	return found, found != nil
}

func plainKey(key string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(key))
}

func (t *table) fail(key string, value any, want string) {
	if t.err != nil {
		return
	}
	if t.path != "" {
		key = t.path + "." + key
	}
	t.err = fmt.Errorf("configuration key %s: %q is not %s", key, gconv.String(value), want)
}

// text returns a string, or def.
func (t *table) text(key, def string) string {
	v, ok := t.lookup(key)
	if !ok {
		return def
	}
	switch v.(type) {
	case map[string]any, []any:
		t.fail(key, v, "a text")
		return def
	}
	return gconv.String(v)
}

// flag returns a truth value, or def.
func (t *table) flag(key string, def bool) bool {
	v, ok := t.lookup(key)
	if !ok {
		return def
	}
	switch strings.ToLower(gconv.String(v)) {
	case "true", "1", "on", "yes":
		return true
	case "false", "0", "off", "no", "":
		return false
	}
	t.fail(key, v, "true or false")
	return def
}

// number returns a whole number from low to high, or def.
func (t *table) number(key string, def, low, high int) int {
	v, ok := t.lookup(key)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(strings.TrimSpace(gconv.String(v)))
	if err != nil || n < low || n > high {
		t.fail(key, v, fmt.Sprintf("a whole number from %d to %d", low, high))
		return def
	}
	return n
}

// duration returns a time, or def: a number counts seconds, a text may carry a
// unit.
func (t *table) duration(key string, def time.Duration) time.Duration {
	v, ok := t.lookup(key)
	if !ok {
		return def
	}
	d, err := parseDuration(gconv.String(v))
	if err != nil {
		t.fail(key, v, `a number of seconds or a duration such as "1.5s"`)
		return def
	}
	return d
}

// limit returns a duration that may be -1 where low says so, or def.
func (t *table) limit(key string, def time.Duration, low int) time.Duration {
	if v, ok := t.lookup(key); ok && low < 0 && strings.TrimSpace(gconv.String(v)) == "-1" {
		return -1
	}
	return t.duration(key, def)
}

// parseDuration reads a whole number of seconds or a Go duration, neither of
// them negative.
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	var d time.Duration
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > math.MaxInt64/int64(time.Second) {
			return 0, fmt.Errorf("%s seconds are more than can be counted", s)
		}
		d = time.Duration(n) * time.Second
	} else if d, err = time.ParseDuration(s); err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, fmt.Errorf("%s is negative", s)
	}
	return d, nil
}
