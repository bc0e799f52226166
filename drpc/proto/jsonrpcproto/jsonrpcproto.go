package jsonrpcproto

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/internal/bufpool"
)

const (
	id   byte = 3
	name      = "jsonrpc"
)

// ErrUnsupported is what errors about messages that JSON-RPC cannot carry match with errors.Is: a body of bytes that are
// no JSON, transfer filters.
var ErrUnsupported = errors.New("jsonrpc proto: unsupported")

// NewJSONRPCProtoFunc returns what makes the protocol instance of one session.
func NewJSONRPCProtoFunc() proto.ProtoFunc {
	return func(rw proto.IOWithReadBuffer) proto.Proto { return &jsonrpc{rw: rw} }
}

// jsonrpc is the protocol on one connection.
type jsonrpc struct {
	rw proto.IOWithReadBuffer

	// Only the reading goroutine touches these.
	ahead proto.FrameReader
	line  batchLine

	waiting waiting
	calls   atomic.Bool // this side has made calls
}

var _ proto.Framer = (*jsonrpc)(nil)

// Version returns 3, "jsonrpc".
func (p *jsonrpc) Version() (byte, string) { return id, name }

// Pack writes m as one frame.
func (p *jsonrpc) Pack(m proto.Message) error {
	buf := bufpool.Get(0)
	defer bufpool.Put(buf)
	frame, err := p.AppendFrame(buf.B, message.From(m))
	if err != nil {
		return err
	}
	buf.B = frame
	if len(frame) == 0 { // part of a batch that is not answered yet
		return nil
	}
	_, err = p.rw.Write(frame)
	return err
}

// Unpack reads one frame into m.
func (p *jsonrpc) Unpack(m proto.Message) error { return p.ahead.Unpack(p.rw, p, message.From(m)) }

var errNoConnection = errors.New("jsonrpc proto: no connection to answer over")

// write sends bytes that this protocol answers with by itself.
func (p *jsonrpc) write(b []byte) error {
	if p.rw == nil {
		return errNoConnection
	}
	_, err := p.rw.Write(b)
	return err
}

// malformed returns an error that matches proto.ErrMalformed.
func malformed(format string, args ...any) error {
	return fmt.Errorf("jsonrpc proto: %w: %s", proto.ErrMalformed, fmt.Sprintf(format, args...))
}
