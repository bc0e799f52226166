package crowd

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/osgochina/dmicro/bench/internal/control"
	"github.com/osgochina/dmicro/bench/internal/load"
	"github.com/osgochina/dmicro/bench/internal/usage"
	"github.com/osgochina/dmicro/drpc"
	"github.com/osgochina/dmicro/logger"
)

// The words of the conversation. A child greets, and then answers each word with the same word.
const (
	wordHello    = "hello"
	wordMemory   = "memory"
	wordCPU      = "cpu"
	wordAccepted = "accepted"
	wordDial     = "dial"
	wordCall     = "call"
)

// greeting is what a child says first: where it listens, and how many connections it may have.
type greeting struct {
	Addr  string
	Files int
}

const (
	// files is how many files a process would like to open, spare how many of them are not connections.
	files = 1 << 19
	spare = 200
	// perSource is how many sessions are dialled from one address, of the 28,000 ports that an address has.
	perSource = 10_000
	// dialers is how many dial at the same time.
	dialers = 32
	// patience is how long the server waits for the last of its sessions.
	patience = time.Minute
	// bodySize is what a call echoes, in bytes.
	bodySize = 128

	echoMethod = "/echo"
)

// Child is the whole program of a server or client process, whose command line begins with "server" or "client". It
// talks with the process that started it over in and out and returns when that is gone.
func Child(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	network := flags.String("network", "tcp", "tcp or unix")
	socket := flags.String("socket", "", "where to listen on unix")
	addr := flags.String("addr", "", "address of the server")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	logger.SetLevel(logger.LevelError)
	line := control.New(in, out)
	room := int(raiseFiles(files)) - spare
	if args[0] == "server" {
		s := new(server)
		bound, err := s.listen(*network, *socket)
		if err != nil {
			return err
		}
		return answer(line, greeting{Addr: bound, Files: room}, map[string]reaction{wordAccepted: s.accepted})
	}
	c := &client{network: *network, addr: *addr}
	return answer(line, greeting{Files: room}, map[string]reaction{wordDial: c.dial, wordCall: c.call})
}

// reaction answers a word.
type reaction func(value json.RawMessage) (answer any, err error)

// answer greets, and answers words until the other side is gone.
func answer(line *control.Line, hello greeting, words map[string]reaction) error {
	words[wordMemory] = func(json.RawMessage) (any, error) { return usage.Held(), nil }
	words[wordCPU] = func(json.RawMessage) (any, error) { return usage.CPU(), nil }
	if err := line.Send(wordHello, hello); err != nil {
		return err
	}
	for {
		word, value, err := line.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		react := words[word]
		if react == nil {
			return fmt.Errorf("nothing to say to %q", word)
		}
		said, err := react(value)
		if err != nil {
			return err
		}
		if err := line.Send(word, said); err != nil {
			return err
		}
	}
}

// server counts what it accepts.
type server struct {
	count       atomic.Int64
	first, last atomic.Int64 // nanoseconds of the wall clock
	bound       chan net.Addr
}

// Name makes the server a plugin of its endpoint.
func (s *server) Name() string { return "crowd" }

// AfterListen keeps the address.
func (s *server) AfterListen(addr net.Addr) error {
	s.bound <- addr
	return nil
}

// AfterAccept counts.
func (s *server) AfterAccept(drpc.EarlySession) *drpc.Status {
	now := time.Now().UnixNano()
	s.first.CompareAndSwap(0, now)
	for last := s.last.Load(); now > last && !s.last.CompareAndSwap(last, now); last = s.last.Load() { // others may be ahead
	}
	s.count.Add(1)
	return nil
}

func (s *server) listen(network, socket string) (addr string, err error) {
	s.bound = make(chan net.Addr, 1)
	cfg := drpc.EndpointConfig{Network: network, ListenIP: "127.0.0.1", DefaultBodyCodec: "protobuf"}
	if network == "unix" {
		cfg.ListenIP = socket
	}
	e, err := drpc.New(cfg, s)
	if err != nil {
		return "", err
	}
	drpc.HandleCall(e, echoMethod, func(_ drpc.CallCtx, arg *wrapperspb.BytesValue) (*wrapperspb.BytesValue, *drpc.Status) {
		return arg, nil
	})
	ended := make(chan error, 1)
	go func() { ended <- e.ListenAndServe() }()
	select {
	case err := <-ended:
		return "", err
	case bound := <-s.bound:
		return bound.String(), nil
	}
}

// accepted waits until there are that many sessions and answers with the time from the first to the last.
func (s *server) accepted(value json.RawMessage) (any, error) {
	var want int64
	if err := json.Unmarshal(value, &want); err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); s.count.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return nil, fmt.Errorf("%d of %d sessions came", s.count.Load(), want)
		}
	}
	return time.Duration(s.last.Load() - s.first.Load()), nil
}

// client has many sessions.
type client struct {
	network, addr string
	endpoints     []drpc.Endpoint
	sessions      []drpc.Session
}

// dial makes that many sessions more and answers with what went wrong, empty if nothing did.
func (c *client) dial(value json.RawMessage) (any, error) {
	var n int
	if err := json.Unmarshal(value, &n); err != nil {
		return nil, err
	}
	first := len(c.sessions)
	c.sessions = append(c.sessions, make([]drpc.Session, n)...)
	for len(c.endpoints)*perSource < len(c.sessions) {
		e, err := drpc.New(c.config(len(c.endpoints)))
		if err != nil {
			return nil, err
		}
		c.endpoints = append(c.endpoints, e)
	}
	var next atomic.Int64
	next.Store(int64(first))
	var failed atomic.Pointer[string]
	var wg sync.WaitGroup
	for range dialers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(c.sessions) && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				sess, stat := c.endpoints[i/perSource].Dial(c.addr)
				if !stat.OK() {
					why := fmt.Sprintf("session %d: %v", i, stat)
					failed.Store(&why)
					return
				}
				c.sessions[i] = sess
			}
		})
	}
	wg.Wait()
	if why := failed.Load(); why != nil {
		return *why, nil
	}
	return "", nil
}

// config is the configuration of the endpoint for the nth ten thousand sessions, each of which has an address of its own.
func (c *client) config(n int) drpc.EndpointConfig {
	cfg := drpc.EndpointConfig{Network: c.network, DefaultBodyCodec: "protobuf"}
	if c.network == "tcp" {
		// Ports that earlier processes left behind take long to search, so that each process has addresses of its own.
		pid := os.Getpid()
		cfg.LocalIP = fmt.Sprintf("127.%d.%d.%d", 1+pid/250%250, 1+pid%250, 1+n%250)
	}
	return cfg
}

// call makes each session call once a second for some time, one after the other within the second.
func (c *client) call(value json.RawMessage) (any, error) {
	var d time.Duration
	if err := json.Unmarshal(value, &d); err != nil {
		return nil, err
	}
	var made, failed atomic.Uint64
	var mu sync.Mutex
	var latencies load.Hist
	start := time.Now()
	var wg sync.WaitGroup
	for i, sess := range c.sessions {
		wg.Go(func() {
			arg := wrapperspb.Bytes(make([]byte, bodySize))
			at := start.Add(time.Second * time.Duration(i) / time.Duration(len(c.sessions)))
			for ; at.Before(start.Add(d)); at = at.Add(time.Second) {
				time.Sleep(time.Until(at))
				began := time.Now()
				stat := sess.Call(echoMethod, arg, new(wrapperspb.BytesValue)).Status()
				took := time.Since(began)
				if !stat.OK() {
					failed.Add(1)
				}
				made.Add(1)
				mu.Lock()
				latencies.Record(took)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return Calls{
		Made: made.Load(), Failed: failed.Load(),
		P50: latencies.Quantile(0.5), P99: latencies.Quantile(0.99),
	}, nil
}
