package peers

import (
	"bufio"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func floorMux() Peer {
	return Peer{
		Name: MuxFloor, About: "bare frames, many calls at once, a goroutine a request, combined writes", Kind: Floor,
		Serve: func() (Server, error) { return acceptEach(serveMux) },
		Dial:  dialMux,
	}
}

// combiner writes the frames of concurrent senders with as few system calls as it can: who finds nobody writing writes
// for all, after letting the others that are about to send go first.
type combiner struct {
	conn  net.Conn
	busy  atomic.Int32 // senders that are between receiving and sending, or waiting for a reply
	mu    sync.Mutex
	batch []byte
	spare []byte
	on    bool // somebody writes
	err   error
}

func (c *combiner) send(seq uint32, m proto.Message) error {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	var err error
	c.batch, err = appendFrame(c.batch, seq, m)
	if err != nil || c.on {
		c.mu.Unlock()
		return err
	}
	c.on = true
	c.mu.Unlock()
	if c.busy.Load() > 1 {
		runtime.Gosched()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.batch) > 0 && c.err == nil {
		out := c.batch
		c.batch = c.spare[:0]
		c.mu.Unlock()
		_, err := c.conn.Write(out)
		c.mu.Lock()
		c.spare = out
		c.err = err
	}
	c.on = false
	return c.err
}

// serveMux decodes where it reads, on a stack that is deep already and out of a buffer that is in the cache; what is left
// for the goroutine of a request is its handler and the reply.
func serveMux(conn net.Conn) {
	out := &combiner{conn: conn}
	r := bufio.NewReaderSize(conn, readBuffer)
	var in []byte
	for {
		seq, body, err := readFrame(r, in)
		if err != nil {
			return
		}
		in = body
		msg := new(wrapperspb.BytesValue)
		if proto.Unmarshal(body, msg) != nil {
			return
		}
		out.busy.Add(1)
		go func() {
			err := out.send(seq, msg)
			out.busy.Add(-1)
			if err != nil {
				_ = conn.Close()
			}
		}()
	}
}

// muxClient has many calls under way, which a table finds by their sequence number.
type muxClient struct {
	out     combiner
	ended   chan struct{}
	mu      sync.Mutex
	pending map[uint32]*muxCall
	seq     uint32
	calls   sync.Pool
}

// muxCall waits for one reply.
type muxCall struct {
	reply proto.Message
	done  chan error
}

var errMuxClosed = errors.New("connection closed")

func dialMux(addr string) (Client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &muxClient{
		ended:   make(chan struct{}),
		pending: make(map[uint32]*muxCall),
		calls:   sync.Pool{New: func() any { return &muxCall{done: make(chan error, 1)} }},
	}
	c.out.conn = conn
	go c.read(conn)
	return c, nil
}

// read decodes replies for those who wait for them, for the reasons that serveMux has.
func (c *muxClient) read(conn net.Conn) {
	defer close(c.ended)
	defer c.fail()
	r := bufio.NewReaderSize(conn, readBuffer)
	var in []byte
	for {
		seq, body, err := readFrame(r, in)
		if err != nil {
			return
		}
		in = body
		c.mu.Lock()
		call := c.pending[seq]
		delete(c.pending, seq)
		c.mu.Unlock()
		if call != nil {
			call.done <- proto.Unmarshal(body, call.reply)
		}
	}
}

// fail ends the calls that wait, and those to come.
func (c *muxClient) fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.pending {
		call.done <- errMuxClosed
	}
	c.pending = nil
}

func (c *muxClient) Close() error {
	err := c.out.conn.Close()
	<-c.ended
	return err
}

func (c *muxClient) Caller(body []byte) func() ([]byte, error) {
	req := wrapperspb.Bytes(body)
	return func() ([]byte, error) {
		reply := new(wrapperspb.BytesValue)
		err := c.call(req, reply)
		return reply.Value, err
	}
}

func (c *muxClient) call(req, reply proto.Message) error {
	call := c.calls.Get().(*muxCall)
	call.reply = reply
	c.mu.Lock()
	if c.pending == nil {
		c.mu.Unlock()
		return errMuxClosed
	}
	c.seq++
	seq := c.seq
	c.pending[seq] = call
	c.mu.Unlock()
	c.out.busy.Add(1)
	defer c.out.busy.Add(-1)
	if err := c.out.send(seq, req); err != nil {
		return err
	}
	err := <-call.done
	call.reply = nil
	c.calls.Put(call)
	return err
}
