package graceful

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
)

// Handoff is what one new process gets from this one: descriptors, and variables that describe them. Reload makes its
// own. A master that keeps running beside its workers makes one with [Upgrader.Handoff] for each process that it
// starts by other means, such as package supervisor/process:
//
//	h, err := u.Handoff(values)
//	defer h.Close()
//	... start the process with h.Files() as its first extra files and h.Env() in its environment ...
//	h.Started()
//	err = h.Wait(ctx) // it is ready, and waits
//	... let the process before it stop accepting ...
//	err = h.GoAhead() // it serves
//
// The pipe stays open until Close or the end of this process: that is how the worker learns that its master is gone.
type Handoff struct {
	files []*os.File // for the child, in order
	env   string
	hear  *os.File // what the child says
	tell  *os.File // what the child is told
	said  chan error

	start sync.Once
	end   sync.Once
}

// Handoff prepares what a worker inherits: the held sockets (see Hold), the kept files, and values, which it gets
// by Value. The worker holds the sockets as long as it lives, so that it may listen on them again. Close it when the
// worker has ended.
func (u *Upgrader) Handoff(values map[string]string) (*Handoff, error) {
	if !u.sys.supported {
		return nil, ErrUnsupported
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phase == handedOver || u.phase == stopped {
		return nil, u.phase.refusal()
	}
	held := slices.DeleteFunc(slices.Clone(u.sockets), func(s *socket) bool { return !s.held })
	return u.newHandoff(envelope{Generation: u.generation + 1, Worker: true, Values: values}, held, nil)
}

// Detach prepares a process that takes the place of this one, which has not served and will not: a daemon, by the command
// that starts it. It is a first generation, inherits nothing but the values, and does not mind the end of this process.
func (u *Upgrader) Detach(values map[string]string) (*Handoff, error) {
	if !u.sys.supported {
		return nil, ErrUnsupported
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.phase != starting {
		return nil, ErrHandedOver
	}
	return u.newHandoff(envelope{Generation: u.generation, Values: values}, nil, nil)
}

// newHandoff makes a Handoff of some sockets; u.mu is held. The envelope says what kind it is.
func (u *Upgrader) newHandoff(e envelope, sockets []*socket, stderr *os.File) (_ *Handoff, err error) {
	h := &Handoff{said: make(chan error, 1)}
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	var ready, ahead *os.File
	if h.hear, ready, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("graceful: %w", err)
	}
	h.files = append(h.files, ready)
	if ahead, h.tell, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("graceful: %w", err)
	}
	h.files = append(h.files, ahead)
	if stderr != nil {
		e.Stderr = true
		if err := h.give(dupFile(stderr, "stderr")); err != nil {
			return nil, fmt.Errorf("graceful: hand standard error over: %w", err)
		}
	}
	for _, s := range sockets {
		if err := h.give(s.dup()); err != nil {
			return nil, fmt.Errorf("graceful: hand %s %s over: %w", s.network, s.addr, err)
		}
		described := envelopeSocket{Network: s.network, Ask: s.ask, Owner: s.owner, Addr: s.addr, File: s.fileID}
		if e.Worker {
			described.File = "" // the master removes it
		}
		e.Sockets = append(e.Sockets, described)
	}
	for _, name := range slices.Sorted(maps.Keys(u.kept)) {
		e.Files = append(e.Files, name)
		if err := h.give(dupFile(u.kept[name], name)); err != nil {
			return nil, fmt.Errorf("graceful: hand file %q over: %w", name, err)
		}
	}
	e.Version = envelopeVersion
	if e.ID, err = fileIdentity(ready); err != nil {
		return nil, fmt.Errorf("graceful: %w", err)
	}
	if h.env, err = e.encode(); err != nil {
		return nil, err
	}
	go h.listen()
	return h, nil
}

func (s *socket) dup() (*os.File, error) {
	if s.user != nil {
		return s.user.dup()
	}
	return dupFile(s.file, s.addr)
}

// give adds a file to those of the child. They are copies, all of them, so that passing them on changes nothing about
// the files of this process.
func (h *Handoff) give(f *os.File, err error) error {
	if err == nil {
		h.files = append(h.files, f)
	}
	return err
}

// Files are the files that the new process must get as its first ones beside the standard three, in this order: the
// first of ExtraFiles in os/exec. They are closed by Started and Close.
func (h *Handoff) Files() []*os.File { return slices.Clone(h.files) }

// Env are the variables, as "name=value", that the new process must get in its environment.
func (h *Handoff) Env() []string { return []string{envelopeName + "=" + h.env} }

// Started says that the process has been started and has the files. This process closes its copies, so that it notices
// when the other one ends.
func (h *Handoff) Started() {
	h.start.Do(func() {
		for _, f := range h.files {
			_ = f.Close() // copies, nothing is written through them
		}
	})
}

// Wait returns nil when the new process has said that it is ready. Other outcomes are ErrExited, a *RefusedError with
// its reason, and the cause of ctx. Call it once.
func (h *Handoff) Wait(ctx context.Context) error {
	select {
	case err := <-h.said:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-h.said: // both at a time: what the process says counts
		return err
	default:
		return context.Cause(ctx)
	}
}

// GoAhead lets the new process accept. An error means that it has ended.
func (h *Handoff) GoAhead() error {
	if _, err := h.tell.Write([]byte{1}); err != nil {
		return fmt.Errorf("graceful: %w: %w", ErrExited, err)
	}
	return nil
}

// Close gives up what is not used. A worker that runs takes it for the end of its master; a process that is ready but
// was not told to go ahead does so now.
func (h *Handoff) Close() {
	h.Started()
	h.end.Do(func() {
		for _, f := range []*os.File{h.hear, h.tell} {
			if f != nil {
				_ = f.Close() // ends listen
			}
		}
	})
}

// listen hears the one message of the new process.
func (h *Handoff) listen() {
	b := make([]byte, 1)
	if _, err := h.hear.Read(b); err != nil {
		h.said <- ErrExited
		return
	}
	switch b[0] {
	case sayReady:
		h.said <- nil
	case sayRefused:
		reason, err := io.ReadAll(io.LimitReader(h.hear, maxReason))
		if err != nil {
			reason = append(reason, "..."...)
		}
		h.said <- &RefusedError{Reason: string(reason)}
	default:
		h.said <- errors.New("graceful: the new process speaks another language")
	}
}
