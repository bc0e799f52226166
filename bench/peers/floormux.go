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

func serveMux(conn net.Conn) {
	out := &combiner{conn: conn}
	r := bufio.NewReaderSize(conn, readBuffer)
	for {
		buf := bodies.Get().(*[]byte)
		seq, body, err := readFrame(r, *buf)
		*buf = body
		if err != nil {
			bodies.Put(buf)
			return
		}
		out.busy.Add(1)
		go func() {
			msg := new(wrapperspb.BytesValue)
			err := proto.Unmarshal(*buf, msg)
			bodies.Put(buf)
			if err == nil {
				err = out.send(seq, msg)
			}
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

// muxCall waits for one reply, still encoded.
type muxCall struct{ reply chan *[]byte }

var errMuxClosed = errors.New("connection closed")

func dialMux(addr string) (Client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &muxClient{
		ended:   make(chan struct{}),
		pending: make(map[uint32]*muxCall),
		calls:   sync.Pool{New: func() any { return &muxCall{reply: make(chan *[]byte, 1)} }},
	}
	c.out.conn = conn
	go c.read(conn)
	return c, nil
}

func (c *muxClient) read(conn net.Conn) {
	defer close(c.ended)
	r := bufio.NewReaderSize(conn, readBuffer)
	for {
		buf := bodies.Get().(*[]byte)
		seq, body, err := readFrame(r, *buf)
		*buf = body
		c.mu.Lock()
		if err != nil {
			for _, call := range c.pending {
				call.reply <- nil
			}
			c.pending = nil
			c.mu.Unlock()
			return
		}
		call := c.pending[seq]
		delete(c.pending, seq)
		c.mu.Unlock()
		if call != nil {
			call.reply <- buf
		}
	}
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
	buf := <-call.reply
	if buf == nil {
		return errMuxClosed
	}
	c.calls.Put(call)
	err := proto.Unmarshal(*buf, reply)
	bodies.Put(buf)
	return err
}
