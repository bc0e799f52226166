// Package wsframe is what the sub-protocols of websockets share: a frame is what one message of WebSocket holds, without
// a length in front.
//
// A [Format] says what the frame looks like; [Format.New] makes a protocol of it. Its methods keep no state, so that one
// value may be used concurrently.
package wsframe

import (
	"fmt"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

// Format is one sub-protocol.
type Format struct {
	// ID and Name are what Version returns. Errors name the protocol, too.
	ID   byte
	Name string
	// Append appends the frame of m to dst. What it returns with an error is of no account.
	Append func(dst []byte, m *message.Msg) ([]byte, error)
	// Parse parses a frame into m, whose size is set.
	Parse func(frame []byte, m *message.Msg) error
}

// New makes the protocol instance of one session.
func (f *Format) New(rw proto.IOWithReadBuffer) proto.Proto { return &wsProto{Format: f, rw: rw} }

type wsProto struct {
	*Format
	rw     proto.IOWithReadBuffer
	reader proto.FrameReader
}

var _ proto.Framer = (*wsProto)(nil)

// Version returns the id and the name of the protocol.
func (p *wsProto) Version() (byte, string) { return p.ID, p.Name }

// Pack writes m as one frame.
func (p *wsProto) Pack(m proto.Message) error { return proto.PackFrame(p.rw, p, m) }

// Unpack reads one frame into m: what comes with one read.
func (p *wsProto) Unpack(m proto.Message) error {
	return p.reader.Unpack(p.rw, p, message.From(m))
}

// AppendFrame appends the frame of m to dst.
func (p *wsProto) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	frame, err := p.Append(dst, m)
	if err == nil {
		err = message.CheckSize(uint64(len(frame)-len(dst)), m.SizeLimit())
	}
	if err == nil {
		err = m.SetSize(uint32(len(frame) - len(dst)))
	}
	if err != nil {
		return dst, p.wrap(err)
	}
	return frame, nil
}

// FrameLen takes all of head for the frame.
func (*wsProto) FrameLen(head []byte, _ int) (int, error) { return len(head), nil }

// ParseFrame parses frame into m.
func (p *wsProto) ParseFrame(frame []byte, m *message.Msg) error {
	if err := m.SetSize(uint32(len(frame))); err != nil {
		return p.wrap(err)
	}
	if err := p.Parse(frame, m); err != nil {
		return p.wrap(err)
	}
	return nil
}

func (p *wsProto) wrap(err error) error { return fmt.Errorf("%s sub-protocol: %w", p.Name, err) }
