package dserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/graceful"
	"github.com/osgochina/dmicro/logger"
	proc "github.com/osgochina/dmicro/supervisor/process"
)

const (
	wordsSize   = "256KB"         // of the file with a worker's last error output
	forceMargin = 2 * time.Second // what a worker gets beyond its own limit
)

// worker is a process that runs one service, seen from its master.
type worker struct {
	service    *service
	process    *proc.Process
	handoff    *graceful.Handoff
	pid        int
	generation int
	since      time.Time
	ended      chan struct{} // closed when the process has ended
	socket     string
	asked      atomic.Bool // for its figures, and has not answered yet
	retired    bool        // its figures are final; guarded by figures.mu

	mu     sync.Mutex
	client *ctlClient // nil until somebody asks the worker something
}

// launch starts a worker, and returns it when it is ready; it accepts nothing yet. With strict, none of its sandboxes may
// fail. When it returns an error, which says why, nothing is left of it.
func (v *service) launch(ctx context.Context, strict bool) (*worker, error) {
	s := v.master.server
	values := v.values(strict)
	h, err := s.up.Handoff(values)
	if err != nil {
		return nil, err
	}
	w := &worker{service: v, handoff: h, since: time.Now(), ended: make(chan struct{})}
	w.process = proc.NewProcessByOptions(v.options(h, w.ended))
	begin := sizeOf(v.words)
	w.process.Start(true) // it counts as running as soon as it exists
	h.Started()
	info := w.process.GetProcessInfo()
	if info.Pid == 0 && proc.State(info.State) == proc.Fatal {
		h.Close()
		return nil, fmt.Errorf("service [%s]: %s", v.name, info.SpawnErr)
	}
	w.pid, w.socket = info.Pid, workerSocket(v.master.dir, info.Pid)
	ctx, cancel := context.WithTimeoutCause(ctx, s.limits.ready, fmt.Errorf("it was not ready within %v", s.limits.ready))
	defer cancel()
	if err := h.Wait(ctx); err != nil {
		return nil, v.explain(w, err, begin)
	}
	w.generation, _ = strconv.Atoi(values[valueNumber]) // we wrote it
	return w, nil
}

// options describe the process of a worker. It is never started again by package process: each start needs a handoff of
// its own.
func (v *service) options(h *graceful.Handoff, ended chan struct{}) proc.ProcOptions {
	s := v.master.server
	stopSecs := int(math.Ceil((s.stopLimit() + forceMargin).Seconds()))
	path, err := os.Executable()
	if _, lookErr := exec.LookPath(os.Args[0]); lookErr == nil || err != nil {
		path = os.Args[0] // as it was started: the name may lead to a new file by now
	}
	over := sync.OnceFunc(func() { close(ended) })
	o := proc.NewProcOptions(
		proc.ProcName(v.name), proc.ProcCommand(path), proc.ProcArgs(os.Args[1:]...),
		proc.ProcStartSecs(0), proc.ProcStartRetries(1), proc.ProcAutoReStart(proc.AutoReStartFalse),
		proc.ProcStopSignal("TERM"), proc.ProcStopWaitSecs(stopSecs), proc.ProcKillWaitSecs(2),
		proc.ProcStdoutLog("/dev/stdout", ""), proc.ProcStderrLog("/dev/stderr,"+v.words, wordsSize, 0),
		proc.ProcLifeline(true), proc.ProcHeartbeat(s.limits.heartbeat), proc.ProcExtraFiles(h.Files()),
		proc.ProcOnChange(func(i *proc.Info) {
			switch proc.State(i.State) {
			case proc.Exited, proc.Stopped, proc.Fatal, proc.Unknown:
				over()
			}
		}),
	)
	for _, v := range h.Env() {
		name, value, _ := strings.Cut(v, "=")
		proc.ProcSetEnvironment(name, value)(&o)
	}
	return o
}

// explain removes a worker that did not get ready, and says why.
func (v *service) explain(w *worker, err error, begin int64) error {
	var told *graceful.RefusedError
	if !errors.As(err, &told) && !errors.Is(err, graceful.ErrExited) {
		w.kill() // it hangs, or nobody waits any more
	}
	w.discard()
	if told != nil {
		return fmt.Errorf("service [%s]: %s", v.name, told.Reason)
	}
	err = fmt.Errorf("service [%s]: worker %d did not come up: %w (%s)", v.name, w.pid, err, w.how())
	if words := wordsFrom(v.words, begin); words != "" {
		err = fmt.Errorf("%w; its last words:\n%s", err, words)
	}
	return err
}

// goAhead lets the worker accept.
func (w *worker) goAhead() {
	if err := w.handoff.GoAhead(); err != nil {
		logger.Debugf(context.Background(), "worker %d: %v", w.pid, err) // that it has ended is noticed anyway
	}
	go func() { // its pipe is closed when it has ended, however
		<-w.ended
		w.service.master.figures.retire(w)
		w.discard()
	}()
}

// discard waits for the end of the process and gives up what the master has of it.
func (w *worker) discard() {
	w.process.Stop(true)
	w.handoff.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		w.client.close()
		w.client = nil
	}
	_ = os.Remove(w.socket)                                 // it has done so itself, unless it was killed
	_ = os.Remove(lastFigures(w.service.master.dir, w.pid)) // has been read, unless it never served
}

// stop asks the worker to end, insists after its limit, and returns when it has ended.
func (w *worker) stop() { w.process.Stop(true) }

// leave asks the worker, in whose place another one serves, to finish what it has, and returns when it has ended.
func (w *worker) leave() {
	_ = w.process.Signal(reloadSignal, false) // it may have ended this moment
	select {
	case <-w.ended:
	case <-time.After(w.service.master.server.drainLimit() + forceMargin):
	}
	w.stop()
}

// kill ends the worker and what it has started.
func (w *worker) kill() {
	_ = w.process.Signal(syscall.SIGKILL, true) // it may have ended this moment
}

func (w *worker) how() string { return w.process.GetStatus() }

func (w *worker) code() int { return w.process.GetExitStatus() }

// call asks the worker something over its control socket.
func (w *worker) call(ctx context.Context, method string, arg, reply any) *drpc.Status {
	client, err := w.connect()
	if err != nil {
		return drpc.NewStatus(ctlFailed, "the worker does not answer", err)
	}
	stat := client.call(ctx, method, arg, reply)
	if stat.Code() == drpc.CodeConnClosed {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.client == client {
			w.client = nil // the next one connects anew
			client.close()
		}
	}
	return stat
}

func (w *worker) connect() (*ctlClient, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client == nil {
		client, err := dialCtl(w.socket, w.service.master.server.answerTime)
		if err != nil {
			return nil, err
		}
		w.client = client
	}
	return w.client, nil
}

var _ otherProcess = (*worker)(nil)
