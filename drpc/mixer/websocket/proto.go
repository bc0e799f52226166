package websocket

import (
	"fmt"
	"unicode/utf8"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

const (
	protoID   byte = 'w'
	protoName      = "websocket"
)

// protoFunc makes the protocol of a session over c: frames of the sub-protocol, a message each.
func (c *Conn) protoFunc(sub proto.ProtoFunc) proto.ProtoFunc {
	return func(rw proto.IOWithReadBuffer) proto.Proto {
		if l, ok := rw.(proto.SizeLimiter); ok {
			c.limit = l.SizeLimit
		}
		p := &wsProto{conn: c, rw: rw}
		switch s := sub(rw).(type) {
		case proto.Framer:
			p.sub = s
			p.sequencer, _ = s.(proto.Sequencer)
		default:
			p.sub = newPacker(sub)
		}
		return p
	}
}

// wsProto is the protocol of one session. Where a message begins and ends is known without looking into it: those that
// arrive, the connection has counted; those that leave, it is told of when their place in the stream is fixed.
type wsProto struct {
	conn      *Conn
	rw        proto.IOWithReadBuffer
	sub       proto.Framer
	sequencer proto.Sequencer // of the sub-protocol, if it is one
	reader    proto.FrameReader
}

var (
	_ proto.Framer    = (*wsProto)(nil)
	_ proto.Sequencer = (*wsProto)(nil)
)

// Version returns the id and the name of the protocol.
func (p *wsProto) Version() (byte, string) { return protoID, protoName }

// Pack writes m as one message.
func (p *wsProto) Pack(m proto.Message) error { return proto.PackFrame(p.rw, p, m) }

// Unpack reads one message into m.
func (p *wsProto) Unpack(m proto.Message) error { return p.reader.Unpack(p.rw, p, message.From(m)) }

// AppendFrame appends the frame of the sub-protocol.
func (p *wsProto) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	return p.sub.AppendFrame(dst, m)
}

// Queued notes that frame will be the next message. Everything that leaves is told here, also what the sub-protocol
// writes by itself.
func (p *wsProto) Queued(frame []byte) {
	p.conn.wire.out.sizes.push(len(frame))
	if p.sequencer != nil {
		p.sequencer.Queued(frame)
	}
}

// FrameLen returns the size of the message that head begins.
func (p *wsProto) FrameLen([]byte, int) (int, error) {
	if len(p.conn.arrived) == 0 {
		return 0, fmt.Errorf("%w: %w", proto.ErrMalformed, errNoMessage)
	}
	return p.conn.arrived[0].size, nil
}

// ParseFrame parses one message into m. A peer whose message cannot be read is told why.
func (p *wsProto) ParseFrame(frame []byte, m *message.Msg) error {
	a := p.conn.arrived[0]
	p.conn.arrived = p.conn.arrived[:copy(p.conn.arrived, p.conn.arrived[1:])]
	err := p.parse(frame, a.text, m)
	if err != nil && !isNoMessage(err) {
		p.conn.condemn(codeOf(err))
	}
	return err
}

func (p *wsProto) parse(frame []byte, text bool, m *message.Msg) error {
	if text && !utf8.Valid(frame) {
		return fmt.Errorf("%w: text message: %w", proto.ErrMalformed, proto.ErrNotText)
	}
	n, err := p.sub.FrameLen(frame, 0)
	if err != nil {
		return err
	}
	if n != len(frame) {
		return fmt.Errorf("%w: a websocket message of %d bytes is not one frame", proto.ErrMalformed, len(frame))
	}
	if err = p.sub.ParseFrame(frame, m); err != nil {
		return err
	}
	if t := m.MType(); t < message.TypeCall || t > message.TypeAuthReply {
		return fmt.Errorf("%w: %d", ErrMessageType, t)
	}
	return nil
}
