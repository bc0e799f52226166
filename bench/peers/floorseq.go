package peers

import (
	"bufio"
	"net"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func floorSeq() Peer {
	return Peer{
		Name: "floor-seq", About: "bare frames, one call at a time a connection, answered by the reader", Kind: Floor,
		Serve: func() (Server, error) { return acceptEach(serveSeq) },
		Dial: func(addr string) (Client, error) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return nil, err
			}
			return &seqClient{conn: conn, r: bufio.NewReaderSize(conn, readBuffer)}, nil
		},
	}
}

func serveSeq(conn net.Conn) {
	r := bufio.NewReaderSize(conn, readBuffer)
	var in, out []byte
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
		if out, err = appendFrame(out[:0], seq, msg); err != nil {
			return
		}
		if _, err = conn.Write(out); err != nil {
			return
		}
	}
}

// seqClient has one call under way.
type seqClient struct {
	mu      sync.Mutex
	conn    net.Conn
	r       *bufio.Reader
	in, out []byte
}

func (c *seqClient) Close() error { return c.conn.Close() }

func (c *seqClient) Caller(body []byte) func() ([]byte, error) {
	req := wrapperspb.Bytes(body)
	return func() ([]byte, error) {
		reply := new(wrapperspb.BytesValue)
		err := c.call(req, reply)
		return reply.Value, err
	}
}

func (c *seqClient) call(req, reply proto.Message) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out, err = appendFrame(c.out[:0], 0, req); err != nil {
		return err
	}
	if _, err = c.conn.Write(c.out); err != nil {
		return err
	}
	if _, c.in, err = readFrame(c.r, c.in); err != nil {
		return err
	}
	return proto.Unmarshal(c.in, reply)
}
