package dserver

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/osgochina/dmicro/logger"
)

// goodLife is how long a worker must have served for its end to count as the first of its kind.
const goodLife = 10 * time.Second

// requestKind is what can be asked of a service.
type requestKind int

const (
	requestStart  requestKind = iota
	requestStrict             // the same, and no sandbox may fail
	requestStop
	requestReload
)

// request is one question to the goroutine of a service.
type request struct {
	kind  requestKind
	ctx   context.Context
	reply chan error
}

// service is one service of a master: a worker at a time, or two in the moment when one replaces the other. One
// goroutine, that of run, decides everything about it.
type service struct {
	master   *master
	name     string
	units    []*unit // selected
	words    string  // file with the last error output of its workers
	requests chan request
	idle     chan struct{} // closed when run has ended

	// Of run alone.
	fails int       // bad ends in a row
	again time.Time // when to start the next worker; zero for never

	mu      sync.Mutex
	worker  *worker // that serves; nil while none does
	leaving []*worker
	stopped []string // names of sandboxes that were stopped by hand
	state   State
	since   time.Time
	reason  string
	number  int // of the last worker
}

// ask has run do something, and waits for the outcome.
func (v *service) ask(ctx context.Context, kind requestKind) error {
	r := request{kind: kind, ctx: ctx, reply: make(chan error, 1)}
	select {
	case v.requests <- r:
	case <-v.idle:
		return errStopping
	case <-ctx.Done():
		return fmt.Errorf("service [%s]: %w", v.name, context.Cause(ctx))
	}
	return <-r.reply // every request is answered within its context
}

// run looks after the worker until the master ends.
func (v *service) run() {
	defer close(v.idle)
	v.enter(StateStopped, "")
	for {
		var ended <-chan struct{}
		if w := v.current(); w != nil {
			ended = w.ended
		}
		var restart <-chan time.Time
		if !v.again.IsZero() {
			restart = time.After(time.Until(v.again))
		}
		select {
		case <-v.master.aborted.Done():
			return
		case r := <-v.requests:
			r.reply <- v.handle(r)
		case <-ended:
			v.crashed()
		case <-restart:
			if err := v.launchNow(v.master.aborted, false); err != nil {
				v.failed(err)
			}
		}
	}
}

// handle answers a request, within its context and as long as the master lives.
func (v *service) handle(r request) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	stop := context.AfterFunc(v.master.aborted, cancel)
	defer stop()
	switch r.kind {
	case requestStart, requestStrict:
		return v.start(ctx, r.kind == requestStrict)
	case requestStop:
		return v.stop(ctx)
	}
	return v.reload(ctx)
}

// start starts a worker where none serves. With strict, none of its sandboxes may fail.
func (v *service) start(ctx context.Context, strict bool) error {
	if v.current() != nil {
		return fmt.Errorf("service [%s] %w", v.name, errRunning)
	}
	return v.launchAnew(ctx, strict)
}

// stop stops the worker, or calls the next start of one off.
func (v *service) stop(ctx context.Context) error {
	if v.current() == nil && v.again.IsZero() {
		return fmt.Errorf("service [%s] %w", v.name, errNotRunning)
	}
	v.again = time.Time{}
	err := v.stopWorker(ctx)
	v.enter(StateStopped, "")
	return err
}

// reload puts a new worker in the place of the one that serves, or of one that was to be started. A service that was
// stopped by hand stays so.
func (v *service) reload(ctx context.Context) error {
	running := v.current() != nil
	switch {
	case !running && v.again.IsZero() && v.status().state != StateFatal:
		return nil
	case running && v.master.overlap:
		return v.replace(ctx)
	case running:
		if err := v.stopWorker(ctx); err != nil {
			return err
		}
	}
	return v.launchAnew(ctx, false)
}

// launchAnew is launchNow at somebody's wish: earlier failures count no more.
func (v *service) launchAnew(ctx context.Context, strict bool) error {
	v.fails = 0
	err := v.launchNow(ctx, strict)
	if err != nil {
		v.failed(err)
	}
	return err
}

// launchNow starts a worker, and returns when it serves. With strict, none of its sandboxes may fail.
func (v *service) launchNow(ctx context.Context, strict bool) error {
	v.again = time.Time{}
	v.enter(StatePreparing, "")
	w, err := v.launch(ctx, strict)
	if err != nil {
		return err
	}
	v.serve(w)
	return nil
}

// replace starts a worker beside the one that serves, and lets that one leave when the new one serves.
func (v *service) replace(ctx context.Context) error {
	w, err := v.launch(ctx, true)
	if err != nil {
		return err
	}
	old := v.serve(w)
	if old != nil {
		go v.letGo(old)
	}
	return nil
}

// serve lets a worker that is ready accept, and makes it the one of the service.
func (v *service) serve(w *worker) (before *worker) {
	w.goAhead()
	v.mu.Lock()
	before, v.worker = v.worker, w
	v.mu.Unlock()
	v.enter(StateRunning, "")
	logger.Noticef(context.Background(), "service [%s]: worker %d serves, generation %d", v.name, w.pid, w.generation)
	return before
}

// letGo waits until a worker that has been replaced has left.
func (v *service) letGo(w *worker) {
	v.mu.Lock()
	v.leaving = append(v.leaving, w)
	v.mu.Unlock()
	w.leave()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leaving = slices.DeleteFunc(v.leaving, func(other *worker) bool { return other == w })
}

// stopWorker stops the worker that serves, if there is one.
func (v *service) stopWorker(ctx context.Context) error {
	w := v.take()
	if w == nil {
		return nil
	}
	v.enter(StateStopping, "")
	if finished(ctx, w.stop) {
		return nil
	}
	w.kill()
	w.stop()
	return fmt.Errorf("service [%s]: worker %d %w", v.name, w.pid, errOverran)
}

// crashed is called when the worker has ended although nobody wanted it to.
func (v *service) crashed() {
	w := v.take()
	if time.Since(w.since) >= goodLife {
		v.fails = 0
	}
	v.failed(fmt.Errorf("worker %d ended: %s", w.pid, w.how()))
}

// failed decides what follows a bad end or a failed start: the first is followed by a start at once, further ones by
// longer and longer pauses, and at last the service is given up.
func (v *service) failed(err error) {
	v.fails++
	limits := v.master.server.limits
	if v.master.aborted.Err() != nil {
		return
	}
	if v.fails >= limits.retries {
		v.enter(StateFatal, err.Error())
		logger.Errorf(context.Background(), "service [%s] is given up after %d failures: %v", v.name, v.fails, v.bare(err))
		return
	}
	pause := restartPause(v.fails, limits.pause)
	v.again = time.Now().Add(pause)
	v.enter(StateBackoff, err.Error())
	when := "at once"
	if pause > 0 {
		when = fmt.Sprint("in ", pause)
	}
	logger.Errorf(context.Background(), "service [%s]: %v; the next start is %s", v.name, v.bare(err), when)
}

// bare is the text of an error without the name of the service, for lines that have it already.
func (v *service) bare(err error) string {
	return strings.TrimPrefix(err.Error(), fmt.Sprintf("service [%s]: ", v.name))
}

// maxRestartPause bounds the pauses.
const maxRestartPause = time.Minute

// restartPause is the pause after so many failures in a row.
func restartPause(fails int, first time.Duration) time.Duration {
	if fails <= 1 {
		return 0
	}
	return time.Duration(min(float64(maxRestartPause), float64(first)*math.Pow(2, float64(fails-2))))
}

func (v *service) current() *worker {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.worker
}

// take makes the service one without a worker, and returns the one that it had.
func (v *service) take() *worker {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.worker
	v.worker = nil
	return w
}

func (v *service) enter(state State, reason string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state, v.since, v.reason = state, time.Now(), reason
}

func (v *service) status() status {
	v.mu.Lock()
	defer v.mu.Unlock()
	return status{state: v.state, since: v.since, reason: v.reason}
}

// want notes whether a sandbox is to run in the workers to come.
func (v *service) want(sandbox string, runs bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopped = slices.DeleteFunc(v.stopped, func(name string) bool { return name == sandbox })
	if !runs {
		v.stopped = append(v.stopped, sandbox)
	}
}

// values are what the next worker is told.
func (v *service) values(strict bool) map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.number++
	values := map[string]string{
		valueRole: string(roleWorker), valueService: v.name, valueNumber: strconv.Itoa(v.number),
		valueStopped: strings.Join(v.stopped, ","),
	}
	if strict {
		values[valueStrict] = "1"
	}
	return values
}
