package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/supervisor/lifeline"
)

const (
	// maxSecs bounds all seconds, so that none of them overflows a time.Duration.
	maxSecs = 1_000_000_000
	// minHeartbeat keeps beats rare enough to cost nothing.
	minHeartbeat = 10 * time.Millisecond
	// shortLife is how long a program must have run to be started again at once.
	shortLife = 2 * time.Second
	// shortLifePause lies before the restart of one that ran for less.
	shortLifePause = 3 * time.Second
	// maxBackoff bounds the pause between failed starts.
	maxBackoff = 30 * time.Second
)

// plan is what the driving goroutine needs of the options, checked and in its own terms.
type plan struct {
	startTime   time.Duration
	starts      int
	pauseTime   time.Duration
	restart     AutoReStart
	exitCodes   []int
	stopSignals []sigNum
	stopAsGroup bool
	stopTime    time.Duration
	killTime    time.Duration
	heartbeat   time.Duration
	watchBinary bool
}

// newPlan checks the options. Its error names every bad one.
func newPlan(o ProcOptions) (plan, error) {
	errs := slices.Clone(o.errs)
	if o.Command == "" {
		errs = append(errs, errors.New("process: no command"))
	}
	p := plan{
		starts:      max(o.StartRetries, 1),
		exitCodes:   o.ExitCodes,
		stopAsGroup: o.StopAsGroup,
		heartbeat:   o.Heartbeat,
		watchBinary: o.RestartWhenBinaryChanged,
		restart:     o.AutoReStart,
	}
	if p.exitCodes == nil {
		p.exitCodes = []int{0, 2}
	}
	switch p.restart {
	case "":
		p.restart = AutoReStartTrue
	case AutoReStartTrue, AutoReStartFalse, AutoReStartUnexpected:
	default:
		errs = append(errs, fmt.Errorf("process: auto restart is %q, not true, false or unexpected", p.restart))
	}
	if o.Heartbeat != 0 && o.Heartbeat < minHeartbeat {
		errs = append(errs, fmt.Errorf("process: the heartbeat is %v, below %v", o.Heartbeat, minHeartbeat))
	}
	for _, s := range []struct {
		name string
		secs int
		to   *time.Duration
	}{
		{"start seconds", o.StartSecs, &p.startTime},
		{"restart pause", o.RestartPause, &p.pauseTime},
		{"stop wait", o.StopWaitSecs, &p.stopTime},
		{"kill wait", o.KillWaitSecs, &p.killTime},
	} {
		if s.secs > maxSecs {
			errs = append(errs, fmt.Errorf("process: %s of %d seconds, above %d", s.name, s.secs, maxSecs))
		}
		*s.to = time.Duration(max(s.secs, 0)) * time.Second
	}
	signals, err := stopSignals(o.StopSignal)
	p.stopSignals = signals
	return p, errors.Join(append(errs, err)...)
}

func stopSignals(names []string) ([]sigNum, error) {
	if len(names) == 0 {
		names = []string{"TERM"}
	}
	signals := make([]sigNum, len(names))
	for i, name := range names {
		var err error
		if signals[i], err = parseSignal(name); err != nil {
			return nil, err
		}
	}
	return signals, nil
}

// backoff is the pause after so many failed starts in a row.
func (p plan) backoff(failed int) time.Duration {
	if p.pauseTime > 0 {
		return p.pauseTime
	}
	return min(time.Duration(min(failed, math.MaxInt16))*time.Second, maxBackoff)
}

// restartPause is the pause before a program that had been Running for so long is started again.
func (p plan) restartPause(lived time.Duration) time.Duration {
	switch {
	case p.pauseTime > 0:
		return p.pauseTime
	case lived < shortLife:
		return shortLifePause
	}
	return 0
}

// restarts tells whether a program that ended with this code is started again. Death by a signal has code -1.
func (p plan) restarts(code int) bool {
	switch p.restart {
	case AutoReStartFalse:
		return false
	case AutoReStartUnexpected:
		return !slices.Contains(p.exitCodes, code)
	}
	return true
}

// own returns a copy of the options that shares nothing with the caller's but the extra files.
func (o ProcOptions) own() ProcOptions {
	if o.Name == "" && o.Command != "" {
		o.Name = filepath.Base(o.Command)
	}
	o.Args, o.ExitCodes, o.StopSignal = slices.Clone(o.Args), slices.Clone(o.ExitCodes), slices.Clone(o.StopSignal)
	o.ExtraFiles, o.errs = slices.Clone(o.ExtraFiles), slices.Clone(o.errs)
	if o.Environment == nil {
		o.Environment = gmap.NewStrStrMap(true)
	}
	if o.Extend == nil {
		o.Extend = gmap.NewAnyAnyMap(true)
	}
	o.Environment, o.Extend = o.Environment.Clone(true), o.Extend.Clone(true)
	return o
}

// environ is the environment of the program: ours with the program's own on top. Ours is never changed. A life-line that
// we ourselves hang on is nothing for the program.
func (o ProcOptions) environ(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, lifeline.Variable+"=") })
	if o.Environment != nil {
		for _, name := range slices.Sorted(slices.Values(o.Environment.Keys())) {
			env = append(env, name+"="+o.Environment.Get(name))
		}
	}
	return append(env, more...)
}

// has tells whether the program's own environment has a variable.
func (o ProcOptions) has(variable string) bool {
	return o.Environment != nil && o.Environment.Contains(variable)
}

// splitUser takes "user:group" apart.
func splitUser(text string) (name, group string) {
	name, group, _ = strings.Cut(text, ":")
	return strings.TrimSpace(name), strings.TrimSpace(group)
}
