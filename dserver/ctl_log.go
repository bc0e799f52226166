package dserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/logger"
)

const (
	logQueue    = 1024      // lines that may wait for one reader
	maxLogLine  = 64 << 10  // bytes of a line that are passed on
	logHandler  = "ctl log" // name of the hub among the log's handlers
	logTimeForm = "2006-01-02T15:04:05.000Z07:00"
)

// lineSink is where the lines of one subscription go: a session.
type lineSink interface {
	Push(serviceMethod string, args any, setting ...message.MsgSetting) *drpc.Status
	CloseNotify() <-chan struct{}
}

// logHub passes the log of the process on to those who watch it. It listens to
// the log only while somebody does. A reader that is too slow loses lines, which
// are counted; it never holds up the process that logs.
type logHub struct {
	mu   sync.Mutex
	subs map[string]*logSub
	shut bool // close was called
	work sync.WaitGroup
	list atomic.Pointer[[]*logSub] // of subs, for the lines
}

type logSub struct {
	level   int
	sink    lineSink
	queue   chan string
	stop    chan struct{}
	dropped atomic.Int64
}

func newLogHub() *logHub { return &logHub{subs: make(map[string]*logSub)} }

// open starts the subscription of id, in place of an earlier one.
func (h *logHub) open(id string, level int, sink lineSink) {
	s := &logSub{level: level, sink: sink, queue: make(chan string, logQueue), stop: make(chan struct{})}
	h.change(func() {
		if h.shut {
			return
		}
		if old := h.subs[id]; old != nil {
			close(old.stop)
		}
		h.subs[id] = s
		h.work.Go(func() {
			s.forward()
			h.forget(id, s)
		})
	})
}

// forget removes a subscription that has ended by itself.
func (h *logHub) forget(id string, s *logSub) {
	h.change(func() {
		if h.subs[id] == s {
			delete(h.subs, id)
		}
	})
}

// drop ends the subscription of id, if there is one.
func (h *logHub) drop(id string) {
	h.change(func() {
		if s := h.subs[id]; s != nil {
			close(s.stop)
			delete(h.subs, id)
		}
	})
}

// close ends all subscriptions.
func (h *logHub) close() {
	h.change(func() {
		h.shut = true
		for id, s := range h.subs {
			close(s.stop)
			delete(h.subs, id)
		}
	})
	h.work.Wait()
}

// change alters the subscriptions and begins or ends listening to the log.
func (h *logHub) change(alter func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.subs)
	alter()
	list := make([]*logSub, 0, len(h.subs))
	for _, s := range h.subs {
		list = append(list, s)
	}
	h.list.Store(&list)
	switch {
	case before == 0 && len(list) > 0:
		logger.AddHandler(logHandler, h)
	case before > 0 && len(list) == 0:
		logger.RemoveHandler(logHandler)
	}
}

// Log implements logger.Handler.
func (h *logHub) Log(level int, v ...any) {
	h.offer(level, func() string { return strings.TrimSuffix(fmt.Sprintln(v...), "\n") })
}

// LogF implements logger.Handler.
func (h *logHub) LogF(level int, format string, v ...any) {
	h.offer(level, func() string { return fmt.Sprintf(format, v...) })
}

func (h *logHub) offer(level int, text func() string) {
	if !slices.ContainsFunc(*h.list.Load(), func(s *logSub) bool { return s.wants(level) }) {
		return
	}
	if line := formatLine(time.Now(), level, text()); !aboutLines(line) {
		h.send(level, line)
	}
}

// send queues a line for those who want its level.
func (h *logHub) send(level int, line string) {
	for _, s := range *h.list.Load() {
		if !s.wants(level) {
			continue
		}
		select {
		case s.queue <- line:
		default:
			s.dropped.Add(1)
		}
	}
}

func (s *logSub) wants(level int) bool { return level == logger.LevelNone || s.level&level != 0 }

// aboutLines recognises what the run log says of the passing on of lines:
// passing that on too would never end.
func aboutLines(line string) bool { return strings.Contains(line, methodLogLine) }

func formatLine(t time.Time, level int, text string) string {
	if len(text) > maxLogLine {
		text = strings.ToValidUTF8(text[:maxLogLine], "") + " ..."
	}
	if tag, ok := levelTags[level]; ok {
		text = "[" + tag + "] " + text
	}
	return t.Format(logTimeForm) + " " + text
}

var levelTags = map[int]string{
	logger.LevelDebug: "DEBU", logger.LevelInfo: "INFO", logger.LevelNotice: "NOTI", logger.LevelWarning: "WARN",
	logger.LevelError: "ERRO", logger.LevelCritical: "CRIT", logger.LevelPanic: "PANI", logger.LevelFatal: "FATA",
}

// forward pushes lines until the subscription or its session ends.
func (s *logSub) forward() {
	number := 0
	push := func(line string) bool {
		number++
		stat := s.sink.Push(methodLogLine, []byte(line), message.WithSetMeta(metaLine, strconv.Itoa(number)))
		return stat.OK()
	}
	for {
		select {
		case line := <-s.queue:
			if !push(line) {
				return
			}
			if n := s.dropped.Swap(0); n > 0 && !push(fmt.Sprintf("... %d lines were dropped: the reader is too slow", n)) {
				return
			}
		case <-s.stop:
			return
		case <-s.sink.CloseNotify():
			return
		}
	}
}
