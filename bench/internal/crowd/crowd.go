// Package crowd puts very many sessions on one server and measures what they cost while they do nothing, and while each
// calls now and then.
//
// The server and the clients are processes of their own, as many clients as their limit of open files makes necessary.
// Clients dial from many addresses of the loopback network, because one address has not enough ports.
package crowd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/osgochina/dmicro/bench/internal/control"
	"github.com/osgochina/dmicro/bench/internal/usage"
)

// Plan is what to measure.
type Plan struct {
	// Program is what to start for a child, whose main function hands its arguments to Child.
	Program string
	// Idle is how many sessions do nothing, Calling how many make one call a second each.
	Idle, Calling int
	// Watch is how long CPU time is counted.
	Watch time.Duration
	// Stderr is where children complain, Progress is told what goes on.
	Stderr   io.Writer
	Progress func(format string, args ...any)
}

// Crowd is what sessions of one network cost.
type Crowd struct {
	Network string `json:"network"`
	// Asked and Sessions are how many sessions were wanted and how many there were; Limit says what stood between.
	Asked    int    `json:"asked"`
	Sessions int    `json:"sessions"`
	Limit    string `json:"limit,omitempty"`
	// Clients is the number of client processes.
	Clients int `json:"clients"`
	// Accepting is the time from the first accept to the last.
	Accepting time.Duration `json:"accepting"`
	// Server and Client are bytes a session.
	Server Each `json:"server"`
	Client Each `json:"client"`
	// Watched is how long the CPU times were counted: of a process with the libraries loaded but no endpoint, of the
	// server before there were sessions, of the server and of all clients.
	Watched   time.Duration `json:"watched"`
	BareCPU   time.Duration `json:"bare_cpu"`
	EmptyCPU  time.Duration `json:"empty_cpu"`
	ServerCPU time.Duration `json:"server_cpu"`
	ClientCPU time.Duration `json:"client_cpu"`
	// Calls is set where the sessions called.
	Calls *Calls `json:"calls,omitempty"`
}

// Each is bytes a session.
type Each struct {
	Resident float64 `json:"resident"`
	Heap     float64 `json:"heap"`
	Stacks   float64 `json:"stacks"`
}

// Calls is what calling gave. The quantiles are those of the slowest client.
type Calls struct {
	Made   uint64        `json:"made"`
	Failed uint64        `json:"failed"`
	P50    time.Duration `json:"p50"`
	P99    time.Duration `json:"p99"`
}

// perSession is what n sessions added.
func perSession(before, after usage.Memory, n int) Each {
	each := func(b, a uint64) float64 { return (float64(a) - float64(b)) / float64(n) }
	return Each{
		Resident: each(before.Resident, after.Resident),
		Heap:     each(before.Heap, after.Heap),
		Stacks:   each(before.Stacks, after.Stacks),
	}
}

// Measure runs the plan for a network: idle sessions, and then, where Calling is not 0, those that call.
func (p Plan) Measure(ctx context.Context, network string) ([]Crowd, error) {
	idle, err := p.one(ctx, network, p.Idle, false)
	if err != nil || p.Calling == 0 {
		return []Crowd{idle}, err
	}
	calling, err := p.one(ctx, network, p.Calling, true)
	return []Crowd{idle, calling}, err
}

// stage is the processes of one measurement.
type stage struct {
	plan    Plan
	server  *control.Child
	addr    string
	clients []*control.Child
	// empty is what the processes held before there were sessions, the server's first.
	empty []usage.Memory
}

func (p Plan) one(ctx context.Context, network string, n int, calling bool) (c Crowd, err error) {
	dir, err := os.MkdirTemp("", "crowd")
	if err != nil {
		return c, err
	}
	s := &stage{plan: p}
	defer func() { err = errors.Join(err, s.stop(), os.RemoveAll(dir)) }()
	c = Crowd{Network: network, Asked: n, Watched: p.Watch}
	if err := s.open(ctx, &c, filepath.Join(dir, "server.sock")); err != nil {
		return c, err
	}
	if err := s.fill(&c); err != nil {
		return c, err
	}
	return c, s.watch(&c, calling)
}

// stop ends the clients before the server.
func (s *stage) stop() error {
	var errs []error
	for _, c := range s.clients {
		errs = append(errs, c.Stop())
	}
	if s.server != nil {
		errs = append(errs, s.server.Stop())
	}
	return errors.Join(errs...)
}

// open starts the processes, finds out how many sessions there can be, and looks at them while there are none.
func (s *stage) open(ctx context.Context, c *Crowd, socket string) error {
	var err error
	var hello greeting
	if s.server, hello, err = s.start(ctx, "server", "-network", c.Network, "-socket", socket); err != nil {
		return err
	}
	s.addr = hello.Addr
	c.Sessions = c.Asked
	if hello.Files < c.Asked {
		c.Sessions, c.Limit = hello.Files, fmt.Sprintf("a process may open %d files here", hello.Files)
		s.plan.Progress("%s: %d sessions instead of %d: %s", c.Network, c.Sessions, c.Asked, c.Limit)
	}
	// Half of what a client may open leaves room; two at least share the work.
	c.Clients = max(2, (2*c.Sessions+hello.Files-1)/hello.Files)
	for range c.Clients {
		client, _, err := s.start(ctx, "client", "-network", c.Network, "-addr", s.addr)
		if err != nil {
			return err
		}
		s.clients = append(s.clients, client)
	}
	for _, child := range append([]*control.Child{s.server}, s.clients...) {
		var m usage.Memory
		if err := child.Ask(wordMemory, nil, &m); err != nil {
			return err
		}
		s.empty = append(s.empty, m)
	}
	c.EmptyCPU, c.BareCPU, err = s.cpu(func() error { time.Sleep(s.plan.Watch); return nil })
	c.BareCPU /= time.Duration(len(s.clients)) // they have no endpoints yet
	return err
}

func (s *stage) start(ctx context.Context, args ...string) (*control.Child, greeting, error) {
	var hello greeting
	child, err := control.Start(ctx, s.plan.Program, s.plan.Stderr, args)
	if err != nil {
		return nil, hello, err
	}
	if err := child.Await(wordHello, &hello); err != nil {
		return nil, hello, errors.Join(fmt.Errorf("%s: %w", args[0], err), child.Stop())
	}
	return child, hello, nil
}

// wave is how many sessions all clients together dial before the server has accepted them: fewer than a kernel keeps
// waiting, because one that it does not keep is tried again seconds later.
const wave = 1000

// fill makes the sessions, all clients at once, and looks at what they hold.
func (s *stage) fill(c *Crowd) error {
	for made := 0; made < c.Sessions; {
		n := min(wave, c.Sessions-made)
		if err := s.dial(n); err != nil {
			return err
		}
		made += n
		if err := s.server.Ask(wordAccepted, made, &c.Accepting); err != nil {
			return err
		}
	}
	s.plan.Progress("%s: %d sessions, %v an accept", c.Network, c.Sessions, c.PerAccept())
	return s.weigh(c)
}

// dial makes n more sessions.
func (s *stage) dial(n int) error {
	for i, client := range s.clients {
		if err := client.Send(wordDial, (n+i)/len(s.clients)); err != nil {
			return err
		}
	}
	for _, client := range s.clients {
		var failed string
		if err := client.Await(wordDial, &failed); err != nil {
			return err
		}
		if failed != "" {
			return fmt.Errorf("a client: %s", failed)
		}
	}
	return nil
}

// weigh finds what the sessions added to the processes.
func (s *stage) weigh(c *Crowd) error {
	var held usage.Memory
	if err := s.server.Ask(wordMemory, nil, &held); err != nil {
		return err
	}
	c.Server = perSession(s.empty[0], held, c.Sessions)
	var before, after usage.Memory
	for i, client := range s.clients {
		if err := client.Ask(wordMemory, nil, &held); err != nil {
			return err
		}
		before, after = sum(before, s.empty[i+1]), sum(after, held)
	}
	c.Client = perSession(before, after, c.Sessions)
	s.plan.Progress("%s: %.0f B a session in the server, %.0f B in the clients", c.Network, c.Server.Resident, c.Client.Resident)
	return nil
}

func sum(a, b usage.Memory) usage.Memory {
	return usage.Memory{Resident: a.Resident + b.Resident, Heap: a.Heap + b.Heap, Stacks: a.Stacks + b.Stacks}
}

// PerAccept is the time from one accept to the next.
func (c Crowd) PerAccept() time.Duration { return c.Accepting / time.Duration(max(c.Sessions-1, 1)) }

// watch counts the CPU time of the sessions, who either do nothing or call.
func (s *stage) watch(c *Crowd, calling bool) (err error) {
	work := func() error { time.Sleep(s.plan.Watch); return nil }
	if calling {
		work = func() error { return s.call(c) }
	}
	c.ServerCPU, c.ClientCPU, err = s.cpu(work)
	s.plan.Progress("%s: %v of CPU in the server in %v", c.Network, c.ServerCPU, s.plan.Watch)
	return err
}

// call makes all sessions call for the time of the plan.
func (s *stage) call(c *Crowd) error {
	for _, client := range s.clients {
		if err := client.Send(wordCall, s.plan.Watch); err != nil {
			return err
		}
	}
	c.Calls = new(Calls)
	for _, client := range s.clients {
		var part Calls
		if err := client.Await(wordCall, &part); err != nil {
			return err
		}
		c.Calls.Made += part.Made
		c.Calls.Failed += part.Failed
		c.Calls.P50 = max(c.Calls.P50, part.P50)
		c.Calls.P99 = max(c.Calls.P99, part.P99)
	}
	return nil
}

// cpu returns the CPU time of the server and of all clients while work runs.
func (s *stage) cpu(work func() error) (server, clients time.Duration, err error) {
	read := func() (server, clients time.Duration, err error) {
		err = s.server.Ask(wordCPU, nil, &server)
		for _, c := range s.clients {
			var d time.Duration
			err = errors.Join(err, c.Ask(wordCPU, nil, &d))
			clients += d
		}
		return server, clients, err
	}
	server0, clients0, err := read()
	if err != nil {
		return 0, 0, err
	}
	if err := work(); err != nil {
		return 0, 0, err
	}
	server, clients, err = read()
	return server - server0, clients - clients0, err
}
