package dserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
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
	requestStart requestKind = iota
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
			if err := v.launchNow(v.master.aborted); err != nil {
				v.failed(err)
			}
		}
	}
}

func (v *service) handle(r request) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	stop := context.AfterFunc(v.master.aborted, cancel)
	defer stop()
	running := v.current() != nil
	switch r.kind {
	case requestStart:
		if running {
			return fmt.Errorf("service [%s] %w", v.name, errRunning)
		}
		v.fails = 0
		err := v.launchNow(ctx)
		if err != nil {
			v.failed(err)
		}
		return err
	case requestStop:
		if !running && v.again.IsZero() {
			return fmt.Errorf("service [%s] %w", v.name, errNotRunning)
		}
		v.again = time.Time{}
		err := v.stopWorker(ctx)
		v.enter(StateStopped, "")
		return err
	}
	switch {
	case !running && v.again.IsZero() && v.status().state != StateFatal:
		return nil // stopped by hand: it stays so
	case running && v.master.overlap:
		return v.replace(ctx)
	case running:
		if err := v.stopWorker(ctx); err != nil {
			return err
		}
	}
	v.fails = 0
	err := v.launchNow(ctx)
	if err != nil {
		v.failed(err)
	}
	return err
}

// launchNow starts a worker, and returns when it serves.
func (v *service) launchNow(ctx context.Context) error {
	v.again = time.Time{}
	v.enter(StatePreparing, "")
	w, err := v.launch(ctx, false)
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
		logger.Errorf(context.Background(), "service [%s] is given up after %d failures: %v", v.name, v.fails, err)
		return
	}
	pause := restartPause(v.fails, limits.pause)
	v.again = time.Now().Add(pause)
	v.enter(StateBackoff, err.Error())
	logger.Errorf(context.Background(), "service [%s]: %v; the next start is in %v", v.name, err, pause)
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

// end ends the workers of the service, when the master ends. They limit themselves; one that does not is killed.
func (v *service) end(ctx context.Context) (out stopOutcome) {
	select {
	case <-v.idle: // nobody starts another one
	case <-ctx.Done():
	}
	v.mu.Lock()
	all := slices.Clone(v.leaving)
	if v.worker != nil {
		all = append(all, v.worker)
	}
	v.worker, v.leaving = nil, slices.Clone(all) // where kill finds them
	v.mu.Unlock()
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(w.stop)
	}
	if !finished(ctx, wg.Wait) {
		for _, w := range all {
			w.kill()
		}
		wg.Wait()
		out.cut = append(out.cut, v.name)
	}
	for _, w := range all {
		out.failed = out.failed || w.code() != codeOK
	}
	_ = os.Remove(v.words) // of no use any more, and if it stays it is small
	return out
}

// finished reports whether wait has returned before ctx has ended.
func finished(ctx context.Context, wait func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// kill ends everything at once.
func (v *service) kill() {
	if w := v.current(); w != nil {
		w.kill()
	}
	v.mu.Lock()
	leaving := slices.Clone(v.leaving)
	v.mu.Unlock()
	for _, w := range leaving {
		w.kill()
	}
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

// tell has the worker start or stop one of its sandboxes.
func (v *service) tell(ctx context.Context, method, sandbox string) error {
	w := v.current()
	if w == nil {
		return fmt.Errorf("sandbox [%s] %w", sandbox, errNotRunning)
	}
	stat := w.call(ctx, method, sandbox, new(ctlNone))
	switch {
	case stat.OK():
		v.want(sandbox, method == methodStart)
		return nil
	case stat.Code() == ctlRefused:
		return &refusal{stat.Msg()}
	case stat.Cause() != nil:
		return fmt.Errorf("%s: %w", stat.Msg(), stat.Cause())
	}
	return errors.New(stat.Msg())
}

// infos tells of the sandboxes of the service: what the worker says of them, and what is known without it.
func (v *service) infos(ctx context.Context) []ctlInfo {
	var told ctlInfos
	if w := v.current(); w != nil && w.call(ctx, methodInfo, nil, &told).OK() {
		return slices.DeleteFunc(told.List, func(i ctlInfo) bool { return i.ServiceName != v.name })
	}
	st := v.status()
	var infos []ctlInfo
	for _, u := range v.units {
		info := ctlInfo{SandBoxName: u.name, ServiceName: v.name, Status: string(st.state), Reason: st.reason}
		if w := v.current(); w != nil {
			info.PID, info.Uptime = w.pid, time.Since(w.since).Seconds()
			info.Description = fmt.Sprintf("pid %d, uptime %s, does not answer", w.pid, uptime(time.Since(w.since)))
		} else if st.state != StateStopped {
			info.Description = st.since.Format(time.DateTime)
		}
		infos = append(infos, info)
	}
	return infos
}

// refusal is what a worker said when it refused.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }
