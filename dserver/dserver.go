package dserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gogf/gf/v2/os/gcfg"
	"github.com/gogf/gf/v2/os/gtime"
	"github.com/spf13/cobra"

	"github.com/osgochina/dmicro/graceful"
)

// defaultStopTimeout is the limit of a graceful stop when nothing sets another.
const defaultStopTimeout = 15 * time.Second

// StartFunc is the program's part of "start": it adds the sandboxes and sets
// options. It runs once, before anything is started, and not for the other
// commands.
type StartFunc func(svr *DServer)

// StopFunc is asked before a graceful stop. False refuses it: the server goes
// on. It must not wait for a signal, since a further one ends the process.
type StopFunc func(svr *DServer) bool

// ProcessModel says how many processes an application has.
type ProcessModel int

// The process models.
const (
	ProcessModelSingle ProcessModel = 0 // all services in one process; the default
	ProcessModelMulti  ProcessModel = 1 // a process a service, looked after by a master
)

// InheritAddr is an address that the master process listens on for its workers.
type InheritAddr struct {
	Network    string      // tcp, tcp4, tcp6, unix, unixpacket, http or https
	Host       string      // host, or the path of a unix socket
	Port       int         // never 0: workers find the listener by its address
	TlsConfig  *tls.Config // needed for https
	ServerName string      // name of the ghttp server, for http and https
}

// DServer is an application: its services, their sandboxes and their options.
// There is one a process, which Setup hands to the program's StartFunc.
type DServer struct {
	config    *Config
	ctx       context.Context // parent of every sandbox's context
	cancel    context.CancelFunc
	stopAsked chan time.Duration // requests of Shutdown; the limit, 0 for the configured one
	failed    chan struct{}      // has a token when a sandbox has failed

	// Set before anything is started.
	up       *graceful.Upgrader
	role     role
	binder   *binder // nil in tests of this package that need no process
	model    model
	ctl      *ctlServer   // nil without control socket
	pages    *workerPages // metrics pages of this worker; nil for others
	limits   limits
	orphaned <-chan struct{} // closed when the master of this worker has died; nil for others
	broken   error           // why serve has ended by itself; nil if it was asked to

	// answerTime bounds connecting to another process of the application, and each of its answers that somebody waits for.
	answerTime time.Duration

	reloadMu sync.Mutex    // one reload at a time
	filed    chan struct{} // closed when the pid files name this process, and go to its successor; nil where nothing is filed

	hurry     chan struct{} // closed when peers are not waited for any longer
	hurryOnce sync.Once

	mu           sync.Mutex // guards what follows
	name         string     // "" until SetName
	pidFile      string
	chosen       ProcessModel
	inherit      []InheritAddr
	beforeStop   StopFunc
	stopTimeout  time.Duration
	ctlClosed    bool
	extend       []func(*cobra.Command)
	services     map[string]*DService
	units        map[string]*unit
	stopping     bool          // a graceful stop goes on: nothing is started any more
	reloading    chan struct{} // closed when the reload that goes on is over; nil while there is none
	handedOver   bool          // a successor serves
	abortReload  context.CancelFunc
	hasSuccessor bool // another process or worker serves, and this one leaves
	startTime    *gtime.Time
}

func newServer() *DServer {
	ctx, cancel := context.WithCancel(context.Background())
	s := &DServer{
		config:      newConfig(),
		ctx:         ctx,
		cancel:      cancel,
		stopAsked:   make(chan time.Duration, 1),
		failed:      make(chan struct{}, 1),
		limits:      defaultLimits(),
		answerTime:  answerTime,
		hurry:       make(chan struct{}),
		stopTimeout: defaultStopTimeout,
		services:    make(map[string]*DService),
		units:       make(map[string]*unit),
		startTime:   gtime.Now(),
	}
	s.model = &single{server: s}
	return s
}

// AddSandBox adds a sandbox to a service, the one called "default" if none is
// given; more than one is an error. Names of sandboxes are unique in the server.
// The errors are ErrNotSandbox and ErrSandboxExists. A sandbox added to a running
// server is stopped until ctl starts it.
func (s *DServer) AddSandBox(sandbox ISandbox, services ...*DService) error {
	base, err := baseOf(sandbox)
	if err != nil {
		return err
	}
	name := sandbox.Name()
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ',' || r == 0x7f }) {
		return fmt.Errorf("sandbox %T: %w: name %q is empty or holds a space or a comma", sandbox, ErrNotSandbox, name)
	}
	service, err := s.serviceFor(services)
	if err != nil {
		return fmt.Errorf("sandbox [%s]: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.units[name] != nil {
		return fmt.Errorf("sandbox [%s] %w", name, ErrSandboxExists)
	}
	base.Context, base.Service, base.Config = s.ctx, service, s.config
	s.units[name] = newUnit(sandbox, name, base, service)
	return nil
}

func (s *DServer) serviceFor(services []*DService) (*DService, error) {
	switch {
	case len(services) > 1:
		return nil, errors.New("a sandbox belongs to one service")
	case len(services) == 0 || services[0] == nil:
		return s.NewService(defaultService), nil
	case services[0].server != s:
		return nil, fmt.Errorf("service [%s] belongs to another server", services[0].name)
	}
	return services[0], nil
}

// NewService returns the service called name, and makes it if there is none.
func (s *DServer) NewService(name string) *DService {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.services[name] == nil {
		s.services[name] = &DService{name: name, server: s}
	}
	return s.services[name]
}

// BeforeStop sets the function that is asked before a graceful stop. A panic in
// it counts as true. A signal within 5 s of a refusal ends the process at once.
func (s *DServer) BeforeStop(f StopFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beforeStop = f
}

// ProcessModel sets the process model; the flag --model of "start" goes first.
// ProcessModelMulti needs a Unix system; elsewhere "start" refuses it.
func (s *DServer) ProcessModel(model ProcessModel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chosen = model
}

// SetInheritListener names the addresses that are bound before anything is
// started, and stay bound through reloads and crashes. With ProcessModelMulti
// the master binds them for its workers; a worker can be replaced without a gap
// only if every address that it listens on is among them, and otherwise is
// stopped before the next one is started. A single process hands its sockets to
// its successor anyway; naming them helps servers of ghttp, which otherwise
// would need graceful.Listen. "start" refuses a port of 0 and other networks.
func (s *DServer) SetInheritListener(address []InheritAddr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inherit = slices.Clone(address)
}

// SetPidFile makes "start" keep a second pid file, at pidFile, beside the one
// in the run directory; the flag --pid goes first. It takes effect until
// StartFunc has returned. The commands stop, quit and status find the server
// either way.
func (s *DServer) SetPidFile(pidFile string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pidFile = pidFile
}

// SetStopTimeout sets the limit of a graceful stop: 15 s by default. The
// configuration key dserver.StopTimeout goes first. Values below 1 ms are ignored.
func (s *DServer) SetStopTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d >= time.Millisecond {
		s.stopTimeout = d
	}
}

// Config returns the configuration, empty if there is no file.
func (s *DServer) Config() *gcfg.Config { return s.config.Config }

// StartTime returns when the server was started.
func (s *DServer) StartTime() *gtime.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.startTime
}

// Shutdown asks for a graceful stop, as a signal does, and returns at once:
// sandboxes may call it. The limit is timeout if given, else the configured one.
// BeforeStop may refuse. A request made while another waits is dropped.
func (s *DServer) Shutdown(timeout ...time.Duration) {
	var limit time.Duration
	if len(timeout) > 0 {
		limit = max(timeout[0], time.Millisecond)
	}
	select {
	case s.stopAsked <- limit:
	default:
	}
}
