// Package lenframe is the outer frame that the json and the protobuf protocol share, with all integers in network
// byte order:
//
//	4 bytes  length of what follows
//	1 byte   n, the number of transfer filters
//	n bytes  ids of the transfer filters
//	rest     payload, passed through those filters
//
// A [Format] says what the payload looks like; [Format.New] makes a protocol of it. Its methods keep no state, so that
// one value may be used concurrently.
package lenframe

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

// lenSize is the size of the length field, minLen the least that it may say: the number of filters is always there.
const (
	lenSize = 4
	minLen  = 1
)

// Format is what one protocol adds to the frame.
type Format struct {
	// ID and Name are what Version returns.
	ID   byte
	Name string
	// Append appends the payload of m to dst. What it returns with an error is of no account.
	Append func(dst []byte, m *message.Msg) ([]byte, error)
	// Parse parses an unfiltered payload into m. It may change the payload.
	Parse func(payload []byte, m *message.Msg) error
}

// New makes the protocol instance of one session.
func (f *Format) New(rw proto.IOWithReadBuffer) proto.Proto { return &lenProto{Format: f, rw: rw} }

type lenProto struct {
	*Format
	rw proto.IOWithReadBuffer
}

var _ proto.Framer = (*lenProto)(nil)

// Version returns the id and the name of the protocol.
func (p *lenProto) Version() (byte, string) { return p.ID, p.Name }

// Pack writes m as one frame.
func (p *lenProto) Pack(m proto.Message) error { return proto.PackFrame(p.rw, p, m) }

// Unpack reads one frame into m.
func (p *lenProto) Unpack(m proto.Message) error { return proto.UnpackFrame(p.rw, lenSize, p, m) }

// AppendFrame appends the frame of m to dst.
func (p *lenProto) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	frame, err := p.appendFrame(dst, m)
	if err != nil {
		return dst, p.wrap(err)
	}
	return frame, nil
}

func (p *lenProto) appendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	start := len(dst)
	pipe := m.PipeTFilter()
	if pipe.Len() > proto.MaxFilters {
		return dst, proto.ErrTooManyFilters
	}
	dst = append(dst, 0, 0, 0, 0, byte(pipe.Len()))
	dst = pipe.AppendIDs(dst)
	payload := len(dst)
	dst, err := p.Append(dst, m)
	if err != nil {
		return dst, err
	}
	if dst, err = proto.Filter(dst, payload, m); err != nil {
		return dst, err
	}
	whole := uint64(len(dst) - start)
	if err = message.CheckSize(whole, m.SizeLimit()); err != nil {
		return dst, err
	}
	n := uint32(whole - lenSize)
	if err = m.SetSize(n); err != nil {
		return dst, err
	}
	binary.BigEndian.PutUint32(dst[start:], n)
	return dst, nil
}

// FrameLen returns what the length field says and the size of the field itself.
func (p *lenProto) FrameLen(head []byte, _ int) (int, error) {
	if len(head) < lenSize {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(head)
	if n < minLen || uint64(n)+lenSize > math.MaxInt {
		return 0, p.wrap(fmt.Errorf("%w: length field says %d", proto.ErrMalformed, n))
	}
	return int(n) + lenSize, nil
}

// ParseFrame parses frame into m.
func (p *lenProto) ParseFrame(frame []byte, m *message.Msg) error {
	return p.wrap(p.parseFrame(frame, m))
}

func (p *lenProto) parseFrame(frame []byte, m *message.Msg) error {
	if len(frame) < lenSize+minLen {
		return fmt.Errorf("%w: %d bytes", proto.ErrMalformed, len(frame))
	}
	if err := m.SetSize(uint32(len(frame) - lenSize)); err != nil {
		return err
	}
	n := int(frame[lenSize])
	// The capacity ends with the frame too: what lies behind it in the buffer is another peer's.
	rest := frame[lenSize+1 : len(frame) : len(frame)]
	if n > len(rest) {
		return fmt.Errorf("%w: filter ids are cut short", proto.ErrMalformed)
	}
	payload, err := proto.Unfilter(rest[n:], rest[:n], m)
	if err != nil {
		return err
	}
	return p.Parse(payload, m)
}

// wrap says which protocol an error came from.
func (p *lenProto) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s proto: %w", p.Name, err)
}
