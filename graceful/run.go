package graceful

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
)

// Run is [Upgrader.Run] of the process's Upgrader.
func Run(ctx context.Context, report func(error)) error {
	u, err := Default()
	if err != nil {
		return err
	}
	return u.Run(ctx, report)
}

// Run is the main loop of a program without a framework. It calls Ready, and returns when it is time to leave: a
// successor has taken over, or SIGTERM, SIGINT, SIGQUIT, the end of ctx or Stop asks for it. By then nothing is
// accepted any more; what is begun is for the caller to finish. A further signal while it does so ends the process.
//
// SIGHUP and SIGUSR2 reload. The outcome of each goes to report, on another goroutine, nil when a successor has taken
// over; a nil report writes failures to the standard error. The error of Run is that of Ready or Stop.
func (u *Upgrader) Run(ctx context.Context, report func(error)) error {
	if err := u.wait(ctx, report); err != nil {
		return err
	}
	return u.Stop()
}

// wait is Run without the end: listeners are open when it returns, unless a successor has taken over.
func (u *Upgrader) wait(ctx context.Context, report func(error)) error {
	if report == nil {
		report = func(err error) {
			if err != nil {
				u.sys.complain(err)
			}
		}
	}
	// Caught before Ready: as soon as somebody knows that the process serves, a signal must not end it.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, append(slices.Clone(stopSignals), reloadSignals...)...)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancelCause(ctx)
	var reloads sync.WaitGroup
	defer reloads.Wait()
	defer cancel(ErrStopped)
	if err := u.Ready(); err != nil {
		return err
	}
	for {
		select {
		case <-u.over:
			return nil
		case <-u.quit:
			return nil
		case <-ctx.Done():
			return nil
		case sig := <-signals:
			if slices.Contains(stopSignals, sig) {
				return nil
			}
			reloads.Go(func() { report(u.Reload(ctx, Successor{})) })
		}
	}
}
