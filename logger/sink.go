package logger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/os/glog"
)

// std is the log of the process. The exported functions of this package have always been functions, not methods,
// so there is exactly one.
var std = newSink()

// sink is a log: the level that is asked first, the output and the handlers.
type sink struct {
	level    levelMask
	out      atomic.Pointer[output]
	handlers handlers
	change   sync.Mutex // serialises changes of out
}

// output is one immutable configuration of glog.
type output struct {
	given  *glog.Logger // what DefaultLogger shows
	writer *glog.Logger // what lines go to; the same as given unless given came from SetLogger
}

func newSink() *sink {
	s := &sink{}
	s.level.set(defaultLevel)
	l := glog.New()
	l.SetLevel(LevelAll)
	l.SetTimeFormat(timeFormat)
	l.SetStack(false)
	l.SetStackSkip(ownFrames)
	s.out.Store(&output{given: l, writer: l})
	return s
}

// timeFormat is spelled out because glog has changed its default between releases.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// ownFrames is how many stack frames of this package lie between the caller of a log function and glog: the
// exported function, log or logf, and write. A file:line or a stack in a log line must point at the caller.
const ownFrames = 3

// drainLimit bounds how long a fatal line waits for the lines before it when glog writes asynchronously.
const drainLimit = 2 * time.Second

// severities maps each level to the glog function that writes it.
var severities = map[int]func(l *glog.Logger, ctx context.Context, v ...any){
	LevelNone:     (*glog.Logger).Print,
	LevelDebug:    (*glog.Logger).Debug,
	LevelInfo:     (*glog.Logger).Info,
	LevelNotice:   (*glog.Logger).Notice,
	LevelWarning:  (*glog.Logger).Warning,
	LevelError:    (*glog.Logger).Error,
	LevelCritical: (*glog.Logger).Critical,
	LevelPanic:    (*glog.Logger).Panic,
	LevelFatal:    (*glog.Logger).Fatal,
}

// log writes a line of the given values. Handlers go first because a fatal or panic line does not return.
func (s *sink) log(ctx context.Context, level int, v ...any) {
	if !s.level.enabled(level) {
		return
	}
	s.offer(ctx, level, v)
	s.write(ctx, level, v...)
}

// logf writes a formatted line.
func (s *sink) logf(ctx context.Context, level int, format string, v ...any) {
	if !s.level.enabled(level) {
		return
	}
	s.offerf(ctx, level, format, v)
	s.write(ctx, level, fmt.Sprintf(format, v...))
}

func (s *sink) write(ctx context.Context, level int, v ...any) {
	l := s.out.Load().writer
	if level == LevelFatal || level == LevelPanic {
		l = synchronous(ctx, l)
	}
	severities[level](l, ctx, v...)
}

// synchronous returns l, or a copy of it that writes before it returns, after the lines still queued are out: the
// process may be gone a moment later.
func synchronous(ctx context.Context, l *glog.Logger) *glog.Logger {
	if l.GetFlags()&glog.F_ASYNC == 0 {
		return l
	}
	// glog writes asynchronous lines with one worker, in order. A line that prints nothing and only signals
	// therefore comes after all the others.
	done := make(chan struct{})
	marker := l.Clone()
	marker.SetHandlers(func(context.Context, *glog.HandlerInput) { close(done) })
	marker.Print(ctx)
	select {
	case <-done:
	case <-time.After(drainLimit):
	}
	direct := l.Clone()
	direct.SetAsync(false)
	return direct
}
