//go:build linux

package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/internal/polltest"
	"github.com/osgochina/dmicro/registry"
	"github.com/osgochina/dmicro/registry/memory"
)

// TestServersComeAndGoUnderLoad plays with one of three server processes after the other while a hundred callers call:
// one that is drained loses no call, one that is killed or frozen loses what is at work there and nothing else, the others
// lose nothing, and the load comes back.
func TestServersComeAndGoUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("about ten seconds")
	}
	f := newField(t, 3)
	f.call(100)
	until := time.Now() // one round, or as many as the time allows
	if os.Getenv("DMICRO_SOAK") != "" {
		until = until.Add(60 * time.Second)
	}
	rounds := 0
	for ; rounds == 0 || time.Now().Before(until); rounds++ {
		victim := f.servers[rounds%len(f.servers)]
		for _, play := range []struct {
			name string
			run  func(*chaosServer)
			lose bool
		}{
			{"nothing happens", f.nothing, false},
			{"drained and restarted", f.drain, false},
			{"killed and restarted", f.kill, true},
			{"frozen and let go", f.freeze, true},
		} {
			f.begin(victim, play.lose)
			play.run(victim)
			f.loadComesBack(victim)
			f.report(play.name)
		}
	}
	f.stop()
	t.Logf("%d rounds, %d calls, %d lost", rounds, f.calls.Load(), f.lost.Load())
}

// field is the servers, their registry and the callers.
type field struct {
	t        *testing.T
	nodes    registry.Registry
	client   *RpcClient
	servers  []*chaosServer
	calls    atomic.Int64
	lost     atomic.Int64
	stopping chan struct{}
	callers  sync.WaitGroup

	mu      sync.Mutex
	victim  *chaosServer
	mayLose bool
	phase   map[string]*figures // by address
}

// figures are what one server did in a phase.
type figures struct {
	latency []time.Duration
	lost    int
}

func newField(t *testing.T, servers int) *field {
	f := &field{t: t, nodes: memory.NewRegistry(), stopping: make(chan struct{}), phase: make(map[string]*figures)}
	for range servers {
		s := &chaosServer{field: f}
		s.start()
		f.servers = append(f.servers, s)
	}
	f.client = newClientOf(t, f.nodes, OptHeartbeatTime(3*time.Second), OptRetryTimes(3))
	t.Cleanup(f.stop)
	return f
}

// call starts callers that go on until stop.
func (f *field) call(callers int) {
	for range callers {
		f.callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-f.stopping:
					return
				default:
				}
				var reply int
				cmd := f.client.Call("/work", n, &reply)
				f.note(cmd, cmd.Status() == nil && reply == n+1)
			}
		})
	}
}

// note writes a call down. One that is lost must have been at work at the victim, whose phase allows that.
func (f *field) note(cmd drpc.CallCmd, ok bool) {
	f.calls.Add(1)
	addr := "none"
	if sess, found := cmd.TraceSession(); found {
		addr = sess.RemoteAddr().String()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.phase[addr]
	if at == nil {
		at = new(figures)
		f.phase[addr] = at
	}
	if ok {
		at.latency = append(at.latency, cmd.CostTime())
		return
	}
	at.lost++
	f.lost.Add(1)
	if !f.mayLose || !f.victim.was(addr) || cmd.Status().Code() != drpc.CodeConnClosed {
		f.t.Errorf("a call to %s was lost: %v", addr, cmd.Status())
	}
}

func (f *field) begin(victim *chaosServer, mayLose bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.victim, f.mayLose = victim, mayLose
	f.phase = make(map[string]*figures)
}

// report logs a phase: the latency at the victim, and at the others, none of whose calls were lost.
func (f *field) report(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var victim, others figures
	for addr, at := range f.phase {
		to := &others
		if f.victim.was(addr) {
			to = &victim
		}
		to.latency = append(to.latency, at.latency...)
		to.lost += at.lost
	}
	if len(others.latency) == 0 {
		f.t.Errorf("%s: the others did nothing", what)
	}
	f.t.Logf("%-22s victim: %s; others: %s", what, &victim, &others)
}

func (f *figures) String() string {
	slices.Sort(f.latency)
	p99 := time.Duration(0)
	if n := len(f.latency); n > 0 {
		p99 = f.latency[n*99/100]
	}
	return fmt.Sprintf("%6d calls, %3d lost, p99 %v", len(f.latency), f.lost, p99.Round(100*time.Microsecond))
}

// done is how many calls a server has answered in this phase.
func (f *field) done(s *chaosServer) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at := f.phase[s.address()]; at != nil {
		return len(at.latency)
	}
	return 0
}

// loadComesBack waits until the victim answers calls again.
func (f *field) loadComesBack(victim *chaosServer) {
	f.t.Helper()
	from := f.done(victim)
	polltest.Until(f.t, "the load comes back to the server", func() bool { return f.done(victim) >= from+200 })
}

func (f *field) stop() {
	select {
	case <-f.stopping:
	default:
		close(f.stopping)
	}
	f.callers.Wait()
}

func (f *field) nothing(*chaosServer) {}

func (f *field) drain(s *chaosServer) {
	if _, err := io.WriteString(s.in, "drain\n"); err != nil {
		f.t.Error(err)
	}
	s.awaitEnd("left")
	s.start()
}

func (f *field) kill(s *chaosServer) {
	dead := s.address()
	if err := s.cmd.Process.Kill(); err != nil {
		f.t.Error(err)
	}
	s.awaitEnd("")
	// The registry knows of it only when its time to live is over: until then calls have to go elsewhere by themselves.
	before := f.calls.Load()
	polltest.Until(f.t, "the others go on", func() bool { return f.calls.Load() > before+1000 })
	s.start()
	if err := f.nodes.Deregister(entry(dead)); err != nil {
		f.t.Error(err)
	}
}

func (f *field) freeze(s *chaosServer) {
	redials := f.client.Endpoint().Stats().Redials
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		f.t.Error(err)
	}
	// The system still accepts connections for it, so that the session may be back, for a while, before anybody has looked.
	sessionCut := func() bool {
		sess, ok := f.client.Endpoint().GetSession(s.address())
		return !ok || !sess.Health() || f.client.Endpoint().Stats().Redials > redials
	}
	polltest.Until(f.t, "the frozen server is found", sessionCut)
	before := f.calls.Load()
	polltest.Until(f.t, "the others go on", func() bool { return f.calls.Load() > before+1000 })
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		f.t.Error(err)
	}
}

// chaosServer is a server process, and those that come after it.
type chaosServer struct {
	field *field
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // what it says last; closed with its output

	mu    sync.Mutex
	addrs []string // the last one is the present one
}

// start starts the process and waits until it is registered.
func (s *chaosServer) start() {
	t := s.field.t
	t.Helper()
	s.cmd = exec.Command(os.Args[0], "-test.run=^$")
	s.cmd.Env = append(os.Environ(), roleEnv+"=server")
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	process := s.cmd.Process
	t.Cleanup(func() { _ = process.Kill() }) // it may be gone
	registered := make(chan struct{})
	s.lines = make(chan string, 10)
	go s.follow(out, registered, s.lines)
	select {
	case <-registered:
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not register")
	}
}

// follow carries out what the process tells the registry.
func (s *chaosServer) follow(out io.Reader, registered chan<- struct{}, lines chan<- string) {
	defer close(lines)
	for in := bufio.NewScanner(out); in.Scan(); {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch verb {
		case "register":
			s.mu.Lock()
			s.addrs = append(s.addrs, rest)
			s.mu.Unlock()
			enlist(s.field.t, s.field.nodes, rest)
			close(registered)
		case "deregister":
			if err := s.field.nodes.Deregister(entry(rest)); err != nil {
				s.field.t.Error(err)
			}
		default:
			lines <- in.Text()
		}
	}
}

// awaitEnd waits for the end of the process, whose last word is to be word.
func (s *chaosServer) awaitEnd(word string) {
	t := s.field.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	last := ""
	for open := true; open; {
		var line string
		select {
		case line, open = <-s.lines:
			if open {
				last = line
			}
		case <-ctx.Done():
			t.Fatal("the server does not end")
		}
	}
	_ = s.cmd.Wait() // a killed one has no success
	if last != word {
		t.Errorf("the server's last word is %q, want %q", last, word)
	}
}

func (s *chaosServer) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs[len(s.addrs)-1]
}

// was reports whether addr is, or was, that of this server.
func (s *chaosServer) was(addr string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.addrs, addr)
}
