package dserver

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/osgochina/dmicro/logger"
)

// tailPause lies between two looks at which workers there are, while somebody watches the log.
const tailPause = 300 * time.Millisecond

// workerTails passes the logs of the workers on to those who watch that of their master. It listens to the workers only
// while somebody does.
type workerTails struct {
	hub     *logHub
	workers func() []otherProcess

	mu    sync.Mutex
	stop  context.CancelFunc // nil while nobody watches
	ended chan struct{}
}

// follow begins, unless it has, and goes on for as long as the hub has subscribers.
func (t *workerTails) follow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop, t.ended = stop, make(chan struct{})
	go t.run(ctx, t.ended)
}

// close ends the listening and returns when it has ended.
func (t *workerTails) close() {
	t.mu.Lock()
	stop, ended := t.stop, t.ended
	t.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

func (t *workerTails) run(ctx context.Context, ended chan<- struct{}) {
	var tails sync.WaitGroup
	over := make(chan *worker)
	heard := make(map[*worker]bool)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		go func() {
			tails.Wait()
			close(over)
		}()
		for range over { // those that are ending
		}
		close(ended)
	}()
	tick := time.NewTicker(tailPause)
	defer tick.Stop()
	for !t.idle() {
		for _, p := range t.workers() {
			if w, ok := p.(*worker); ok && !heard[w] {
				heard[w] = true
				tails.Go(func() {
					t.tail(ctx, w)
					over <- w
				})
			}
		}
		select {
		case w := <-over:
			delete(heard, w)
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// idle reports whether nobody watches any more; the next who does then begins anew.
func (t *workerTails) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hub.watched() {
		return false
	}
	t.stop = nil
	return true
}

// tail passes on what one worker logs, until it has gone or ctx ends.
func (t *workerTails) tail(ctx context.Context, w *worker) {
	client, err := dialCtl(w.socket, w.service.master.server.answerTime)
	if err != nil {
		logger.Debugf(ctx, "ctl: the log of worker %d: %v", w.pid, err)
		return
	}
	defer client.close()
	if stat := client.call(ctx, methodOpenLogger, logger.LevelAll, new(ctlNone)); !stat.OK() {
		return
	}
	for {
		select {
		case line := <-client.incoming:
			t.hub.relay(w.service.name, line)
		case <-client.lost():
			for { // what has arrived already
				select {
				case line := <-client.incoming:
					t.hub.relay(w.service.name, line)
				default:
					return
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// watched reports whether anybody watches.
func (h *logHub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs) > 0
}

// relay offers a line that another process has formatted, with the name of its service behind the level.
func (h *logHub) relay(service, line string) {
	level := logger.LevelNone
	head, text, tagged := strings.Cut(line, "] ")
	if tagged {
		_, tag, _ := strings.Cut(head, "[")
		level = levelOfTag(tag)
	}
	if level != logger.LevelNone {
		line = head + "] " + service + ": " + text
	} else {
		line = service + ": " + line
	}
	h.send(level, line)
}

func levelOfTag(tag string) int {
	for level, t := range levelTags {
		if t == tag {
			return level
		}
	}
	return logger.LevelNone
}
