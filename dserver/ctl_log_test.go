package dserver

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/logger"
)

// fakeSink is a session that takes lines, or does not.
type fakeSink struct {
	mu     sync.Mutex
	lines  []string
	gate   chan struct{} // nil takes every line at once
	fails  bool
	closed chan struct{}
}

func newSink() *fakeSink { return &fakeSink{closed: make(chan struct{})} }

func (f *fakeSink) Push(method string, args any, _ ...message.MsgSetting) *drpc.Status {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails {
		return drpc.NewStatus(drpc.CodeConnClosed, "gone")
	}
	f.lines = append(f.lines, string(args.([]byte)))
	return nil
}

func (f *fakeSink) CloseNotify() <-chan struct{} { return f.closed }

func (f *fakeSink) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.lines, "\n")
}

func (h *logHub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs)
}

func TestHubGivesEachReaderItsLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLogHub()
		all, errs := newSink(), newSink()
		h.open("a", logger.LevelAll, all)
		h.open("b", logger.LevelError, errs)
		h.Log(logger.LevelInfo, "hello", 7)
		h.LogF(logger.LevelError, "bad %s", "thing")
		h.Log(logger.LevelNone, "plain")
		synctest.Wait()
		want := "2000-01-01T00:00:00.000Z [INFO] hello 7\n2000-01-01T00:00:00.000Z [ERRO] bad thing\n2000-01-01T00:00:00.000Z plain"
		if got := utc(all.text()); got != want {
			t.Errorf("all:\n%s", got)
		}
		if got := errs.text(); strings.Contains(got, "hello") || !strings.Contains(got, "bad thing") || !strings.Contains(got, "plain") {
			t.Errorf("errors:\n%s", got)
		}
		h.close()
	})
}

// utc makes the lines the same in every time zone.
func utc(lines string) string {
	_, zone, _ := strings.Cut(time.Now().Format(logTimeForm), ".000")
	return strings.ReplaceAll(lines, zone+" ", "Z ")
}

func TestHubNeverWaitsForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLogHub()
		slow, quick := newSink(), newSink()
		slow.gate = make(chan struct{})
		h.open("slow", logger.LevelAll, slow)
		h.open("quick", logger.LevelAll, quick)
		for i := range logQueue + 500 {
			h.LogF(logger.LevelInfo, "line %d", i)
			synctest.Wait()
		}
		if got := strings.Count(quick.text(), "line "); got != logQueue+500 {
			t.Errorf("the quick reader has %d lines", got)
		}
		close(slow.gate)
		synctest.Wait()
		// One line was on its way when the queue filled up.
		if text := slow.text(); !strings.Contains(text, fmt.Sprintf("... %d lines were dropped", 499)) || strings.Count(text, "line ") != logQueue+1 {
			t.Errorf("the slow reader has %d lines, the end is %q", strings.Count(text, "line "), text[len(text)-80:])
		}
		h.close()
	})
}

func TestSubscriptionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLogHub()
		gone, failing, dropped, replaced := newSink(), newSink(), newSink(), newSink()
		failing.fails = true
		h.open("gone", logger.LevelAll, gone)
		h.open("failing", logger.LevelAll, failing)
		h.open("dropped", logger.LevelAll, dropped)
		h.open("replaced", logger.LevelInfo, replaced)
		h.open("replaced", logger.LevelError, replaced)
		close(gone.closed)
		h.drop("dropped")
		h.drop("dropped")
		h.drop("unknown")
		h.Log(logger.LevelInfo, "x")
		synctest.Wait()
		if n := h.count(); n != 1 || replaced.text() != "" {
			t.Errorf("%d subscriptions, lines %q", n, replaced.text())
		}
		h.close()
		h.open("late", logger.LevelAll, newSink())
		if n := h.count(); n != 0 {
			t.Errorf("%d subscriptions after the end", n)
		}
	})
}

// The run log tells of every push, also of those that carry its lines.
func TestHubDoesNotFeedItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLogHub()
		sink := newSink()
		h.open("a", logger.LevelAll, sink)
		h.Log(logger.LevelDebug, `PUSH-> 1.2.3.4 10us(fast) "`+methodLogLine+`" SEND({"size":9})`)
		h.Log(logger.LevelDebug, `PUSH-> 1.2.3.4 10us(fast) "/math/add" SEND({"size":9})`)
		synctest.Wait()
		if text := sink.text(); strings.Contains(text, methodLogLine) || !strings.Contains(text, "/math/add") {
			t.Errorf("%q", text)
		}
		h.close()
	})
}

func TestLongLinesAreCut(t *testing.T) {
	t.Parallel()
	line := formatLine(time.Now(), logger.LevelInfo, strings.Repeat("订", maxLogLine))
	if len(line) > maxLogLine+100 || !strings.HasSuffix(line, "订 ...") {
		t.Errorf("%d bytes, end %q", len(line), line[len(line)-10:])
	}
}
