package dserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// settleTime is how long "start" watches for a Setup that fails at once, before it says what runs.
	settleTime = 200 * time.Millisecond
	// patientTime is the same where somebody relies on what is said, for a Setup that neither returns nor listens.
	patientTime = 2 * time.Second
	// quietTime is how long nothing was bound when what is listened on counts as complete.
	quietTime = time.Second
	readyPoll = 5 * time.Millisecond
)

// progress is what is known of sandboxes that are being started.
type progress struct {
	elapsed   time.Duration // since they were started
	working   int           // Setups that have not returned
	bound     int           // sockets that are listened on
	quiet     time.Duration // since the last one was bound
	inherited int           // sockets of the predecessor
	unclaimed int           // those of them on which nobody listens yet
	fewer     bool          // a sandbox of the predecessor is not there any more
	careful   bool          // somebody relies on the answer
}

// up decides whether the sandboxes are up. A Setup that listens does not return, so that there is nothing to wait for
// but signs: the inherited sockets are in use, or there are as many others. A socket that is not in use when this process
// takes over is closed, so it is waited for as long as it may still be claimed.
func (p progress) up() bool {
	switch {
	case p.working == 0:
		return true
	case p.elapsed < settleTime:
		return false
	case p.unclaimed == 0:
		return !p.careful || p.bound >= p.working || p.elapsed >= patientTime
	case p.quiet < quietTime:
		return false
	}
	return p.bound >= p.inherited || p.fewer && p.bound >= p.working
}

// start is a start of sandboxes that is being watched.
type start struct {
	server    *DServer
	units     []*unit
	strict    bool
	fewer     bool
	inherited int
	began     time.Time
}

// watch returns when the sandboxes are up, with the names of those that run and the reasons of those that failed. With
// strict the first failure is the error. The error of ctx says that they were not up in time.
func (w *start) watch(ctx context.Context) (running, failed []string, err error) {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		p := w.progress()
		if w.strict {
			if err := w.failure(); err != nil {
				return nil, nil, err
			}
		}
		if p.up() {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, nil, w.late(ctx)
		}
	}
	for _, u := range w.units {
		if done, err := u.settledNow(); done && err != nil {
			failed = append(failed, fmt.Sprintf("%s (%v)", u.name, err))
			continue
		}
		running = append(running, u.name)
	}
	return running, failed, nil
}

func (w *start) progress() progress {
	p := progress{elapsed: time.Since(w.began), inherited: w.inherited, fewer: w.fewer, careful: w.strict}
	for _, u := range w.units {
		if done, _ := u.settledNow(); !done {
			p.working++
		}
	}
	if b := w.server.binder; b != nil {
		p.unclaimed = len(b.up.Unclaimed())
		bound, last := b.count()
		p.bound = max(bound, p.inherited-p.unclaimed)
		p.quiet = p.elapsed
		if !last.IsZero() {
			p.quiet = min(p.elapsed, time.Since(last))
		}
	}
	return p
}

// failure returns why a sandbox failed, nil if none did.
func (w *start) failure() error {
	var errs []error
	for _, u := range w.units {
		if _, err := u.settledNow(); err != nil {
			errs = append(errs, fmt.Errorf("sandbox [%s]: %w", u.name, err))
		}
	}
	return errors.Join(errs...)
}

// late says what is missing.
func (w *start) late(ctx context.Context) error {
	err := context.Cause(ctx)
	if b := w.server.binder; b != nil {
		if left := b.up.Unclaimed(); len(left) > 0 {
			return fmt.Errorf("%w; nobody listens on %s any more", err, strings.Join(left, ", "))
		}
	}
	return err
}

// missing reports whether one of the names belongs to none of the sandboxes.
func missing(names []string, units []*unit) bool {
	for _, name := range names {
		if name != "" && !slices.ContainsFunc(units, func(u *unit) bool { return u.name == name }) {
			return true
		}
	}
	return false
}
