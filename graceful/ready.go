package graceful

import (
	"errors"
	"fmt"
)

// Ready says that this process can serve. If it has a predecessor, that one stops accepting, and then the listeners of
// this process begin; Ready returns when that has happened, 10 s at most. Inherited sockets that nobody has asked for by
// then are closed (see Unclaimed), and files likewise. With systemd, it is told (see Notify).
//
// A process must be ready before it can be reloaded, one without predecessor too. Further calls return the same. The
// error is ErrStopped, or that of the system when it does not let the process take over; then it should end.
func (u *Upgrader) Ready() error { return u.ready() }

func (u *Upgrader) becomeReady() error {
	u.mu.Lock()
	phase := u.phase
	u.mu.Unlock()
	if phase != starting {
		return phase.refusal()
	}
	told, err := u.parent.takeOver()
	if err != nil {
		return errors.Join(err, u.Stop())
	}
	u.mu.Lock()
	if u.phase != starting {
		u.mu.Unlock()
		return ErrStopped
	}
	u.phase = serving
	close(u.up)
	if u.parent.gates() {
		close(u.open)
	}
	var idle []*socket
	for _, s := range u.sockets {
		s.lent = s.lent && u.worker // the master hands it out again
		if s.user == nil && !s.held {
			idle = append(idle, s)
		}
	}
	u.mu.Unlock()
	for _, s := range idle {
		u.drop(s)
	}
	u.closeFiles()
	if !told {
		u.tell(notifyReady, mainPID(u.sys.pid()))
	}
	return nil
}

// Fail says that this process cannot take over, and why; the predecessor's reload fails with a RefusedError that says
// so. Use it where the reason would not reach standard error. The process should end then. Without a predecessor, after
// Ready, and when it was said already, it has no effect.
func (u *Upgrader) Fail(reason error) error {
	u.mu.Lock()
	said := u.failed || u.phase != starting
	u.failed = true
	u.mu.Unlock()
	if said {
		return nil
	}
	if err := u.parent.refuse(reason.Error()); err != nil {
		return fmt.Errorf("graceful: tell the predecessor: %w", err)
	}
	return nil
}

// ParentGone is closed when the process that made this one by Handoff has ended, even by kill -9. It is nil, and so
// blocks for ever, in a process that was not made so: a successor by Reload outlives its predecessor.
func (u *Upgrader) ParentGone() <-chan struct{} { return u.parent.gone() }
