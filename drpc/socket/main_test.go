package socket_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// async runs fn and returns where its error will be.
func async(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

// tcpPair is both ends of a TCP connection.
func tcpPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return pairOf(t, ln)
}

// pairOf is both ends of a connection to a listener, which is closed.
func pairOf(t testing.TB, ln net.Listener) (net.Conn, net.Conn) {
	t.Helper()
	defer func() { _ = ln.Close() }()
	a, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func pipePair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

var transports = map[string]func(testing.TB) (net.Conn, net.Conn){"pipe": pipePair, "tcp": tcpPair}

// protocols are one with a fast path and one that knows only Pack and Unpack.
var protocols = map[string]socket.ProtoFunc{"raw": nil, "text": newText}

// everywhere runs fn over each transport with each protocol.
func everywhere(t *testing.T, opts socket.Options, fn func(t *testing.T, a, b *socket.Conn)) {
	t.Helper()
	for transport, pair := range transports {
		for protocol, pf := range protocols {
			t.Run(transport+" "+protocol, func(t *testing.T) {
				t.Parallel()
				c, d := pair(t)
				a, b := socket.New(c, opts, pf), socket.New(d, opts, pf)
				t.Cleanup(func() { _, _ = a.Close(), b.Close() })
				fn(t, a, b)
			})
		}
	}
}

// call is a message with bytes as its body.
func call(seq int32, method string, body []byte, more ...message.MsgSetting) message.Message {
	m := message.NewMessage(message.WithMType(message.TypeCall), message.WithServiceMethod(method), message.WithBody(body))
	m.SetSeq(seq)
	message.From(m).Apply(more)
	return m
}

// read returns the next message, whose body is bytes.
func read(s socket.Socket) (message.Message, []byte, error) {
	var body []byte
	m := message.NewMessage(message.WithBody(&body))
	err := s.ReadMessage(m)
	return m, body, err
}

// send encodes and sends a message.
func send(ctx context.Context, s *socket.Conn, m message.Message, wait bool) error {
	frame, err := s.Encode(message.From(m))
	if err != nil {
		return err
	}
	return s.Send(ctx, frame, wait)
}

// text is a protocol as an application would write it, on Pack and Unpack alone: one line a message, in several writes.
type text struct {
	rw proto.IOWithReadBuffer
	r  *bufio.Reader

	last []byte // body of the last message
}

func newText(rw proto.IOWithReadBuffer) proto.Proto { return &text{rw: rw, r: bufio.NewReader(rw)} }

func (*text) Version() (byte, string) { return 't', "text" }

func (p *text) Pack(m proto.Message) error {
	body, err := m.MarshalBody()
	if err != nil {
		return err
	}
	meta, err := json.Marshal(m.Meta().MapStrAny())
	if err != nil {
		return err
	}
	head := fmt.Sprintf("%d %d %s %d", m.Seq(), m.MType(), m.ServiceMethod(), m.BodyCodec())
	for _, part := range []string{head, base64.StdEncoding.EncodeToString(meta), base64.StdEncoding.EncodeToString(body)} {
		if _, err = io.WriteString(p.rw, part); err == nil {
			_, err = io.WriteString(p.rw, " ")
		}
		if err != nil {
			return err
		}
	}
	_, err = io.WriteString(p.rw, "\n")
	return err
}

func (p *text) Unpack(m proto.Message) error {
	line, err := p.r.ReadString('\n')
	if err != nil {
		return err
	}
	if err = m.SetSize(uint32(len(line))); err != nil {
		return err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 7 {
		return fmt.Errorf("line of %d parts", len(parts))
	}
	numbers := make([]int, 3)
	for i, at := range []int{0, 1, 3} {
		if numbers[i], err = strconv.Atoi(parts[at]); err != nil {
			return err
		}
	}
	m.SetSeq(int32(numbers[0]))
	m.SetMType(byte(numbers[1]))
	m.SetServiceMethod(parts[2])
	m.SetBodyCodec(byte(numbers[2]))
	meta, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil {
		return err
	}
	pairs := make(map[string]any)
	if err = json.Unmarshal(meta, &pairs); err != nil {
		return err
	}
	for k, v := range pairs {
		m.Meta().Set(k, v)
	}
	body, err := base64.StdEncoding.DecodeString(parts[5])
	if err != nil {
		return err
	}
	clear(p.last) // what UnmarshalBody keeps is good until the next Unpack, and no longer
	p.last = body
	return m.UnmarshalBody(body)
}

// gate is a connection whose writes happen when the test says so, and fail as it says.
type gate struct {
	net.Conn
	writes chan []byte // what is to be written
	result chan error  // whether it was
	closed chan struct{}
}

func newGate(t testing.TB) *gate {
	a, _ := pipePair(t)
	return &gate{Conn: a, writes: make(chan []byte), result: make(chan error), closed: make(chan struct{})}
}

func (g *gate) Write(b []byte) (int, error) {
	select {
	case g.writes <- append([]byte(nil), b...):
	case <-g.closed:
		return 0, net.ErrClosed
	}
	select {
	case err := <-g.result:
		if err != nil {
			return 0, err
		}
		return len(b), nil
	case <-g.closed:
		return 0, net.ErrClosed
	}
}

func (g *gate) Close() error {
	close(g.closed)
	return g.Conn.Close()
}

var jsonCodec = func() byte {
	c, err := codec.GetByName(codec.JsonName)
	if err != nil {
		panic(err)
	}
	return c.ID()
}()

// drained waits until everything handed to s was written.
func drained(t testing.TB, s *socket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatalf("not everything was written: %v", err)
	}
}
