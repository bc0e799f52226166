package dserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/osgochina/dmicro/logger"
)

// Why a sandbox could not be started or stopped.
var (
	errRunning    = errors.New("is running")
	errNotRunning = errors.New("is not running")
	errOverran    = errors.New("did not end in time")
)

// minSetup is how long Setup gets before Shutdown is called. Many a Shutdown
// closes an endpoint that Setup has yet to make when the two follow closely.
const minSetup = 50 * time.Millisecond

// unit is one sandbox at work: its state, and the goroutine of its Setup.
type unit struct {
	sandbox ISandbox
	name    string
	service *DService
	base    *BaseSandbox

	mu      sync.Mutex // guards what follows
	state   State
	since   time.Time // of the state
	started time.Time // the last time
	reason  string    // why the sandbox failed, "" while it did not
	cancel  context.CancelFunc
	settled chan struct{} // closed when Setup has returned
	failed  error         // what Setup returned
	ended   chan struct{} // closed when Shutdown and Setup have returned
	stopErr error         // what Shutdown returned; read after ended is closed
	byHand  bool          // stopped with ctl, which holds through reloads and restarts
	tried   bool          // started once more, with ctl, and not known to be up yet: whoever asked is told if it fails
}

func newUnit(s ISandbox, name string, base *BaseSandbox, service *DService) *unit {
	return &unit{sandbox: s, name: name, service: service, base: base, state: StateStopped}
}

// status is what is told of a sandbox to the outside.
type status struct {
	state  State
	since  time.Time
	reason string
}

func (u *unit) status() status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return status{state: u.state, since: u.since, reason: u.reason}
}

// enter changes the state, if the table allows it. The lock is held.
func (u *unit) enter(next State, reason string) error {
	if err := u.state.check(next); err != nil {
		return err
	}
	u.state, u.since, u.reason = next, time.Now(), reason
	return nil
}

// start runs Setup on a goroutine of its own and returns at once. The sandbox
// counts as running from here on, because a Setup that listens blocks in it.
func (u *unit) start(parent context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.enter(StatePreparing, ""); err != nil {
		return fmt.Errorf("sandbox [%s] %w (%s)", u.name, errRunning, u.state)
	}
	u.base.Context, u.cancel = context.WithCancel(parent)
	u.tried = u.byHand || !u.started.IsZero()
	u.settled, u.failed, u.started, u.byHand = make(chan struct{}), nil, time.Now(), false
	if err := u.enter(StateRunning, ""); err != nil {
		return err
	}
	go u.setup(u.settled, u.cancel)
	return nil
}

// setup runs Setup and settles the state when it ends.
func (u *unit) setup(settled chan<- struct{}, cancel context.CancelFunc) {
	defer close(settled)
	var err error
	asSandbox(u.name, func() { err = guard("Setup", u.sandbox.Setup) })
	if err == nil || u.service.server.handsOver() || u.service.server.isStopping() {
		return // that it does not listen any more is no failure
	}
	next := StateStopped
	var p *panicError
	if errors.As(err, &p) {
		next = StateFatal
		logger.Errorf(context.Background(), "sandbox [%s]: %v\n%s", u.name, err, p.stack)
	}
	if u.fail(next, err) {
		cancel()
		logger.Warningf(context.Background(), "sandbox [%s] is %s: %v", u.name, next, err)
		u.service.server.noteFailure()
	}
}

// fail records that Setup ended with an error. A sandbox that is being stopped
// is not concerned: a listener that Shutdown closed often says so with an error.
func (u *unit) fail(next State, err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != StateRunning || u.enter(next, err.Error()) != nil {
		return false
	}
	u.failed = err
	return true
}

// settledNow reports whether Setup has returned, and its error.
func (u *unit) settledNow() (done bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	select {
	case <-u.settled:
		return true, u.failed
	default:
		return false, nil
	}
}

// isUp ends the time in which a failure concerns nobody but who has started the sandbox.
func (u *unit) isUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tried = false
	if u.failed != nil {
		u.service.server.noteFailure() // just now
	}
}

// keepStopped notes that the sandbox is stopped because somebody wants it so.
func (u *unit) keepStopped() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byHand = true
}

// attended reports whether somebody looks after the sandbox: who has stopped it, or has tried in vain to start it again.
func (u *unit) attended() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return (u.byHand || u.tried) && !u.state.active()
}

// stoppedByHand reports whether somebody has stopped the sandbox and not started it again.
func (u *unit) stoppedByHand() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byHand && !u.state.active()
}

// stop ends the sandbox's context, calls Shutdown and waits until Shutdown and
// Setup have returned. When ctx ends first the error is errOverran: the sandbox
// stays in Stopping and becomes Stopped by itself if it ever ends. A sandbox
// that is being stopped already is waited for.
func (u *unit) stop(ctx context.Context) error {
	ended, err := u.beginStop()
	if err != nil {
		return err
	}
	select {
	case <-ended:
		return u.stopErr
	case <-ctx.Done():
		return fmt.Errorf("sandbox [%s] %w", u.name, errOverran)
	}
}

func (u *unit) beginStop() (ended <-chan struct{}, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state == StateStopping {
		return u.ended, nil
	}
	if err := u.enter(StateStopping, ""); err != nil {
		return nil, fmt.Errorf("sandbox [%s] %w (%s)", u.name, errNotRunning, u.state)
	}
	u.ended, u.stopErr = make(chan struct{}), nil
	go u.end(u.cancel, time.After(time.Until(u.started.Add(minSetup))), u.settled, u.ended)
	return u.ended, nil
}

// end is the goroutine of a stop.
func (u *unit) end(cancel context.CancelFunc, young <-chan time.Time, settled <-chan struct{}, ended chan<- struct{}) {
	cancel()
	select {
	case <-young:
	case <-settled:
	}
	err := u.shutdown()
	<-settled
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopErr = err
	_ = u.enter(StateStopped, "") // the only way out of Stopping
	close(ended)
}

func (u *unit) shutdown() error {
	err := guard("Shutdown", u.sandbox.Shutdown)
	if err == nil {
		return nil
	}
	var p *panicError
	if errors.As(err, &p) {
		logger.Errorf(context.Background(), "sandbox [%s]: %v\n%s", u.name, err, p.stack)
	}
	return fmt.Errorf("sandbox [%s]: %w", u.name, err)
}

// describe is the last column of ps.
func (s status) describe(now time.Time) string {
	switch {
	case s.state == StateRunning:
		return fmt.Sprintf("pid %d, uptime %s", os.Getpid(), uptime(now.Sub(s.since)))
	case s.state == StateStopped || s.since.IsZero():
		return ""
	}
	return s.since.Format(time.DateTime)
}

// uptime writes d as H:MM:SS, with the days in front once there are any.
func uptime(d time.Duration) string {
	sec := max(0, int(d/time.Second))
	text := fmt.Sprintf("%d:%02d:%02d", sec/3600%24, sec/60%60, sec%60)
	if days := sec / 86400; days > 0 {
		return fmt.Sprintf("%d days, %s", days, text)
	}
	return text
}

// panicError is a panic in code of the program, as an error.
type panicError struct {
	where string
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic in %s: %v", p.where, p.value) }

// guard calls fn and turns a panic into an error.
func guard(where string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{where: where, value: v, stack: debug.Stack()}
		}
	}()
	return fn()
}
