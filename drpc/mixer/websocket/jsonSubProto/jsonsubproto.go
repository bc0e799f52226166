// Package jsonSubProto is the json sub-protocol of websockets, the one that browsers speak: each message of WebSocket holds
// one JSON object, with these keys in this order and no spaces:
//
//	{"seq":1,"mtype":1,"serviceMethod":"/math/add","meta":"M","bodyCodec":106,"body":"B","ptf":[],"status":"S"}
//
// M, B and S are strings: the JSON text of the meta, the encoded body, the JSON text of the status. There is a status only
// if it is not OK. DMicro 1.x peers know no status: they ignore it, and send none. ptf are the ids of the transfer filters
// of the body; as their output must be text, none of the framework's can be used: [ErrBinaryFilter].
//
// What is read besides: keys in any order, unknown ones ignored, missing ones zero; meta, body and status as JSON values in
// place of strings; and bodies of DMicro 1.x peers, which escape nothing but quotes.
//
// The functions may be used concurrently.
package jsonSubProto

import (
	"errors"
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

const (
	id   byte = 'j'
	name      = "json"
)

// ErrBinaryFilter is what packing a message gives, and matches proto.ErrNotText, that has a transfer filter whose output
// a JSON string cannot hold. Another sub-protocol can carry it.
var ErrBinaryFilter = fmt.Errorf("a transfer filter makes a body: %w", proto.ErrNotText)

var errNoObject = errors.New("not a JSON object")

// NewJSONSubProtoFunc returns what makes the protocol instance of one session. It is of use only inside a websocket, which
// knows where a message ends.
func NewJSONSubProtoFunc() proto.ProtoFunc {
	return func(rw proto.IOWithReadBuffer) proto.Proto { return &jsonSubProto{rw: rw} }
}

type jsonSubProto struct {
	rw     proto.IOWithReadBuffer
	reader proto.FrameReader
}

var _ proto.Framer = (*jsonSubProto)(nil)

// Version returns the id and the name of the protocol.
func (*jsonSubProto) Version() (byte, string) { return id, name }

// Pack writes m as one frame.
func (p *jsonSubProto) Pack(m proto.Message) error { return proto.PackFrame(p.rw, p, m) }

// Unpack reads one frame into m: what comes with one read.
func (p *jsonSubProto) Unpack(m proto.Message) error {
	return p.reader.Unpack(p.rw, p, message.From(m))
}

// AppendFrame appends the frame of m to dst.
func (*jsonSubProto) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	frame, err := appendObject(dst, m)
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
func (*jsonSubProto) FrameLen(head []byte, _ int) (int, error) { return len(head), nil }

// ParseFrame parses frame into m.
func (*jsonSubProto) ParseFrame(frame []byte, m *message.Msg) error {
	if err := m.SetSize(uint32(len(frame))); err != nil {
		return wrap(err)
	}
	if err := parseObject(frame, m); err != nil {
		return wrap(err)
	}
	return nil
}

func wrap(err error) error { return fmt.Errorf("json sub-protocol: %w", err) }
