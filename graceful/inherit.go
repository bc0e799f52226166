package graceful

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// takeOverWait bounds how long a process that is ready waits for its predecessor to stop accepting. That takes well
// under a millisecond, unless the predecessor is frozen.
const takeOverWait = 10 * time.Second

// The messages of a successor.
const (
	sayReady   = 'R'
	sayRefused = 'F' // the reason follows
	maxReason  = 4 << 10
)

// predecessor is the process that this one inherited from.
type predecessor interface {
	// gates reports whether this process must not accept before takeOver has returned.
	gates() bool
	// takeOver says that this process is ready, and returns when the predecessor does not accept any more. It reports
	// whether the predecessor tells systemd.
	takeOver() (told bool, err error)
	// refuse says that this process gives up.
	refuse(reason string) error
	// gone is closed when the predecessor has ended; nil if nobody would know.
	gone() <-chan struct{}
	// forget ends the contact.
	forget()
}

// nobody is the predecessor of a first generation.
type nobody struct{}

func (nobody) gates() bool             { return false }
func (nobody) takeOver() (bool, error) { return false, nil }
func (nobody) refuse(string) error     { return nil }
func (nobody) gone() <-chan struct{}   { return nil }
func (nobody) forget()                 {}

// inherit takes over what the environment describes and removes the description, so that programs that this one starts
// do not take it for theirs.
func (u *Upgrader) inherit() error {
	text, ok := u.sys.lookupEnv(envelopeName)
	if !ok {
		return u.inheritOlder()
	}
	if err := u.sys.unsetEnv(envelopeName); err != nil {
		return fmt.Errorf("graceful: %w", err)
	}
	e, err := parseEnvelope(text)
	if err != nil {
		return err
	}
	if id, err := u.sys.identify(readyFD); err != nil || id != e.ID {
		return nil // the description came down from an ancestor, it is not meant for this process
	}
	p := &pipes{
		sys:    u.sys,
		say:    u.sys.adopt(readyFD, "ready"),
		hear:   u.sys.adopt(goFD, "go ahead"),
		worker: e.Worker,
		ahead:  make(chan struct{}),
		dead:   make(chan struct{}),
	}
	next := goFD + 1
	take := func(name string) *os.File {
		f := u.sys.adopt(next, name)
		next++
		return f
	}
	if e.Stderr {
		p.stderr = take("stderr")
	}
	for _, s := range e.Sockets {
		u.sockets = append(u.sockets, &socket{
			network: s.Network, ask: s.Ask, owner: s.Owner, addr: s.Addr, fileID: s.File, held: e.Worker, lent: true, file: take(s.Addr),
		})
	}
	u.files = make(map[string]*os.File, len(e.Files))
	for _, name := range e.Files {
		u.files[name] = take(name)
	}
	u.parent, u.generation, u.worker, u.values = p, e.Generation, e.Worker, e.Values
	go p.listen()
	return nil
}

// pipes is a predecessor of our own kind.
type pipes struct {
	sys       system
	say, hear *os.File
	stderr    *os.File // what is to be the standard error once this process is ready; nil to leave it
	worker    bool
	ahead     chan struct{} // closed when told to go ahead
	dead      chan struct{} // closed when the other end is closed
}

func (p *pipes) gates() bool { return true }

// listen hears the go-ahead, and for a worker then the end of the process that started it.
func (p *pipes) listen() {
	defer close(p.dead)
	b := make([]byte, 1)
	if _, err := p.hear.Read(b); err != nil {
		return
	}
	close(p.ahead)
	for p.worker {
		if _, err := p.hear.Read(b); err != nil {
			return
		}
	}
}

func (p *pipes) takeOver() (told bool, err error) {
	if p.stderr != nil {
		// What stands behind descriptor 2 so far ends at the predecessor, which leaves.
		if err := p.sys.setStderr(p.stderr); err != nil {
			return false, fmt.Errorf("graceful: standard error: %w", err)
		}
		_ = p.stderr.Close() // descriptor 2 is a copy
	}
	// The error of a predecessor that is gone counts as a go-ahead: nobody else has the sockets now.
	_, err = p.say.Write([]byte{sayReady})
	_ = p.say.Close()
	if err == nil {
		select {
		case <-p.ahead:
		case <-p.dead:
		case <-time.After(takeOverWait):
		}
		select {
		case <-p.ahead: // even if the predecessor has closed its end since
			told = true
		default:
		}
	}
	if !p.worker {
		p.forget()
	}
	return told, nil
}

func (p *pipes) refuse(reason string) error {
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	_, err := p.say.Write(append([]byte{sayRefused}, reason...))
	return errors.Join(err, p.say.Close())
}

func (p *pipes) gone() <-chan struct{} {
	if !p.worker {
		return nil
	}
	return p.dead
}

func (p *pipes) forget() {
	_ = p.hear.Close() // ends listen; nothing is written
	_ = p.say.Close()
	if p.stderr != nil {
		_ = p.stderr.Close()
	}
}
