// Package pbSubProto is the protobuf sub-protocol of websockets: each message of WebSocket holds one message of Protocol
// Buffers, without a length in front. In proto3:
//
//	message payload {
//	  int32  seq           = 1;
//	  int32  mtype         = 2;
//	  string serviceMethod = 3;
//	  bytes  meta          = 4; // JSON
//	  int32  bodyCodec     = 5;
//	  bytes  body          = 6; // encoded, then passed through the transfer filters
//	  bytes  pipeTFilter   = 7; // ids of the transfer filters
//	  bytes  status        = 8; // JSON; absent means OK
//	}
//
// Fields are written in this order, those that are zero are left out, and unknown ones are skipped. DMicro 1.x peers know
// no status: they skip it, and send none. Nothing is registered with the protobuf library, under no name.
//
// The functions may be used concurrently.
package pbSubProto

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

const (
	id   byte = 'p'
	name      = "protobuf"
)

// NewPbSubProtoFunc returns what makes the protocol instance of one session. It is of use only inside a websocket, which
// knows where a message ends.
func NewPbSubProtoFunc() proto.ProtoFunc {
	return func(rw proto.IOWithReadBuffer) proto.Proto { return &pbSubProto{rw: rw} }
}

type pbSubProto struct {
	rw     proto.IOWithReadBuffer
	reader proto.FrameReader
}

var _ proto.Framer = (*pbSubProto)(nil)

// Version returns the id and the name of the protocol.
func (*pbSubProto) Version() (byte, string) { return id, name }

// Pack writes m as one frame.
func (p *pbSubProto) Pack(m proto.Message) error { return proto.PackFrame(p.rw, p, m) }

// Unpack reads one frame into m: what comes with one read.
func (p *pbSubProto) Unpack(m proto.Message) error {
	return p.reader.Unpack(p.rw, p, message.From(m))
}

// AppendFrame appends the frame of m to dst.
func (*pbSubProto) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	frame, err := appendPayload(dst, m)
	if err == nil {
		err = message.CheckSize(uint64(len(frame)-len(dst)), m.SizeLimit())
	}
	if err == nil {
		err = m.SetSize(uint32(len(frame) - len(dst)))
	}
	if err != nil {
		return dst, wrap(err)
	}
	return frame, nil
}

// FrameLen takes all of head for the frame.
func (*pbSubProto) FrameLen(head []byte, _ int) (int, error) { return len(head), nil }

// ParseFrame parses frame into m.
func (*pbSubProto) ParseFrame(frame []byte, m *message.Msg) error {
	if err := m.SetSize(uint32(len(frame))); err != nil {
		return wrap(err)
	}
	if err := parsePayload(frame, m); err != nil {
		return wrap(err)
	}
	return nil
}

func wrap(err error) error { return fmt.Errorf("protobuf sub-protocol: %w", err) }
