package graceful

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/osgochina/dmicro/internal/unixsocket"
)

// phase is where a process is in its life.
type phase int

const (
	starting phase = iota // not ready yet
	serving
	reloading  // serving, while a successor starts
	handedOver // a successor serves
	stopped
)

// refusal says why a process of this phase cannot begin a reload.
func (p phase) refusal() error {
	return map[phase]error{starting: ErrNotReady, reloading: ErrReloading, handedOver: ErrHandedOver, stopped: ErrStopped}[p]
}

// mayListen reports whether a process of this phase may bind further sockets.
func (p phase) mayListen() bool { return p == starting || p == serving }

// Upgrader holds the sockets of this process and hands them to a successor. There is one a process: see Default. Its
// methods may be used concurrently.
type Upgrader struct {
	sys    system
	args   []string // of this process
	dir    string   // working directory at the start
	parent predecessor
	ready  func() error // becomeReady, once

	generation int
	worker     bool
	values     map[string]string

	open chan struct{} // closed once this process may accept
	up   chan struct{} // closed once Ready has succeeded
	over chan struct{} // closed once a successor has taken over
	quit chan struct{} // closed by Stop

	mu       sync.Mutex
	phase    phase
	failed   bool                // Fail was called
	sockets  []*socket           // in the order of binding
	files    map[string]*os.File // inherited and not asked for yet
	kept     map[string]*os.File // handed to every successor
	abort    context.CancelCauseFunc
	shutdown shutdownPlan
}

// socket is a bound socket.
type socket struct {
	network string
	ask     string // the address that was asked for
	owner   string // who asked for it, see WithOwner; "" if nobody knows
	addr    string // the address that it has
	fileID  string // identity of its file in the file system, if it has one that is ours
	lent    bool   // another process serves it or hands it out, and removes its file
	file    *os.File
	held    bool  // file stays open until the process leaves, whoever listens
	user    inUse // nil until somebody listens
}

// inUse is a listener or packet connection that this package has handed out.
type inUse interface {
	// dup returns the socket for another process.
	dup() (*os.File, error)
	// leave stops taking anything in. The kernel's socket lives on.
	leave()
	// shut closes.
	shut() error
}

var standard = sync.OnceValues(func() (*Upgrader, error) { return newUpgrader(realSystem()) })

// Default returns the Upgrader of this process. The first call takes over what the process inherited and removes its
// description from the environment; make it, or Listen, before the program starts processes of its own. The error is
// that of a predecessor whose description this process cannot read; nothing can be inherited then, and a reload that
// started this process fails.
func Default() (*Upgrader, error) { return standard() }

func newUpgrader(sys system) (*Upgrader, error) {
	u := &Upgrader{
		sys:        sys,
		args:       slices.Clone(os.Args),
		parent:     nobody{},
		generation: 1,
		open:       make(chan struct{}),
		up:         make(chan struct{}),
		over:       make(chan struct{}),
		quit:       make(chan struct{}),
		kept:       make(map[string]*os.File),
	}
	u.ready = sync.OnceValue(u.becomeReady)
	u.dir, _ = os.Getwd() // without one, a successor starts where this process is then
	if err := u.inherit(); err != nil {
		return nil, err
	}
	if !u.parent.gates() {
		close(u.open)
	}
	return u, nil
}

// Listen returns a listener for address: the inherited one if the predecessor listened there, else a new one. See
// [Upgrader.Listen].
func Listen(network, address string) (net.Listener, error) {
	u, err := Default()
	if err != nil {
		return nil, err
	}
	return u.Listen(context.Background(), network, address)
}

// ListenPacket is Listen for UDP. See [Upgrader.ListenPacket].
func ListenPacket(network, address string) (net.PacketConn, error) {
	u, err := Default()
	if err != nil {
		return nil, err
	}
	return u.ListenPacket(context.Background(), network, address)
}

// Generation is 1 for a process that inherited nothing, and one more with each reload.
func (u *Upgrader) Generation() int { return u.generation }

// Serving is closed once Ready has succeeded. Within Run, signals are caught by then.
func (u *Upgrader) Serving() <-chan struct{} { return u.up }

// HandedOver is closed once a successor has taken over: the time to finish what is begun, and leave.
func (u *Upgrader) HandedOver() <-chan struct{} { return u.over }

// Value returns what the process that started this one passed under a name with Handoff, and "" if there is nothing.
func (u *Upgrader) Value(name string) string { return u.values[name] }

// Keep hands a file to every successor, which gets it by File under the same name. A lock that belongs to the open
// file (flock) so stays held through a reload. The file remains the caller's: it must stay open until the process
// leaves. A nil file takes the name back.
func (u *Upgrader) Keep(name string, f *os.File) error {
	if name == "" {
		return fmt.Errorf("graceful: a file needs a name")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if f == nil {
		delete(u.kept, name)
	} else {
		u.kept[name] = f
	}
	return nil
}

// File returns the file that the predecessor kept under a name, and nil if there is none. The caller owns it: a second
// call returns nil, and so does one after Ready. To pass it on again, Keep it.
func (u *Upgrader) File(name string) *os.File {
	u.mu.Lock()
	defer u.mu.Unlock()
	f := u.files[name]
	delete(u.files, name)
	return f
}

// Unclaimed lists the inherited sockets that nobody has listened on, as "network address". Ready closes them, so a
// program that listens in the background waits here first.
func (u *Upgrader) Unclaimed() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var names []string
	for _, s := range u.sockets {
		if s.user == nil && !s.held {
			names = append(names, s.network+" "+s.addr)
		}
	}
	return names
}

// Stop closes the listeners, ends a reload that goes on together with its new process, and removes the files of unix
// sockets. Connections that have been made are not concerned: those that wait in a socket are accepted first, if somebody
// is in Accept, while new ones are refused, which takes a tenth of a second, and 3 s at most. After a successor has taken
// over Stop leaves all that to the successor. It may be called more than once.
func (u *Upgrader) Stop() error {
	u.mu.Lock()
	before := u.phase
	if before == stopped || before == handedOver {
		u.mu.Unlock()
		return nil
	}
	u.phase = stopped
	if u.abort != nil {
		u.abort(ErrStopped)
	}
	sockets := slices.Clone(u.sockets)
	close(u.quit)
	u.mu.Unlock()
	if before != starting || !u.parent.gates() {
		u.tell(notifyStopping) // the predecessor of a process that never got ready serves on
	}
	u.parent.forget()
	u.retireAll(sockets)
	var first error
	for _, s := range sockets {
		if err := u.closeSocket(s); err != nil && first == nil {
			first = err
		}
	}
	u.closeFiles()
	return first
}

// closeSocket ends a socket for good, used or not.
func (u *Upgrader) closeSocket(s *socket) error {
	u.mu.Lock()
	user := s.user
	u.mu.Unlock()
	var err error
	if user != nil {
		err = user.shut()
	}
	u.drop(s)
	return err
}

// drop forgets a socket that nobody listens on and removes its file.
func (u *Upgrader) drop(s *socket) {
	u.mu.Lock()
	i := slices.Index(u.sockets, s)
	if i < 0 {
		u.mu.Unlock()
		return
	}
	u.sockets = slices.Delete(u.sockets, i, i+1)
	file, lent := s.file, s.lent
	u.mu.Unlock()
	if file != nil {
		_ = file.Close() // the socket is closed with the last descriptor, there is nothing to lose
	}
	if s.fileID != "" && !lent {
		unixsocket.Remove(s.addr, s.fileID)
	}
}

// released is what a listener calls when its user has closed it.
func (u *Upgrader) released(s *socket) {
	u.mu.Lock()
	s.user = nil
	keep := s.held && u.phase != stopped
	gone := u.phase == handedOver
	u.mu.Unlock()
	if !keep && !gone {
		u.drop(s)
	}
}

func (u *Upgrader) closeFiles() {
	u.mu.Lock()
	files := u.files
	u.files = nil
	u.mu.Unlock()
	for _, f := range files {
		_ = f.Close() // inherited and never used
	}
}

// handOver makes this process the old one: it stops accepting. It reports false when the process was stopped meanwhile.
func (u *Upgrader) handOver() bool {
	u.mu.Lock()
	if u.phase != reloading {
		u.mu.Unlock()
		return false
	}
	u.phase = handedOver
	sockets := u.sockets
	u.sockets = nil
	u.mu.Unlock()
	for _, s := range sockets {
		u.mu.Lock()
		user := s.user
		u.mu.Unlock()
		if user != nil {
			user.leave()
		}
		if s.file != nil {
			_ = s.file.Close() // the successor has its own
		}
	}
	close(u.over)
	return true
}

// Withdraw makes this process stop accepting on the sockets that it got by Handoff, as a hand-over does: Accept returns
// an error that is net.ErrClosed. It is for a worker in whose place another one serves; connections that wait in the
// sockets are left to that one.
func (u *Upgrader) Withdraw() {
	u.mu.Lock()
	var users []inUse
	for _, s := range u.sockets {
		if u.worker && s.held && s.user != nil {
			users = append(users, s.user)
		}
	}
	u.mu.Unlock()
	for _, user := range users {
		user.leave()
	}
}

// absolute returns where a file is, seen from the directory in which the process started.
func (u *Upgrader) absolute(path string) string {
	if filepath.IsAbs(path) || u.dir == "" {
		return path
	}
	return filepath.Join(u.dir, path)
}
