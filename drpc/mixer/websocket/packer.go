package websocket

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

// packer makes a sub-protocol without a fast path one that has it: each message that it reads is all there is to read,
// and what it writes is one message.
type packer struct {
	proto.Proto
	mu  sync.Mutex // Pack after Pack
	out bytes.Buffer
	in  bytes.Reader // of the reading goroutine
}

func newPacker(sub proto.ProtoFunc) *packer {
	p := new(packer)
	p.Proto = sub(packerIO{p})
	return p
}

// packerIO is the connection as the sub-protocol sees it.
type packerIO struct{ p *packer }

func (rw packerIO) Read(b []byte) (int, error)  { return rw.p.in.Read(b) }
func (rw packerIO) Write(b []byte) (int, error) { return rw.p.out.Write(b) }

// AppendFrame packs m.
func (p *packer) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Reset()
	if err := p.Pack(m); err != nil {
		return dst, err
	}
	if err := message.CheckSize(uint64(p.out.Len()), m.SizeLimit()); err != nil {
		return dst, err
	}
	return append(dst, p.out.Bytes()...), nil
}

// FrameLen takes what there is for one frame.
func (p *packer) FrameLen(head []byte, _ int) (int, error) { return len(head), nil }

// ParseFrame unpacks frame into m.
func (p *packer) ParseFrame(frame []byte, m *message.Msg) error {
	p.in.Reset(frame)
	if err := p.Unpack(m); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.Join(proto.ErrMalformed, io.ErrUnexpectedEOF) // of the message, not of the connection
		}
		return err
	}
	m.SetEncodedBody(bytes.Clone(m.EncodedBody())) // theirs is valid only until the next one
	return nil
}

func isNoMessage(err error) bool { return errors.Is(err, proto.ErrNoMessage) }
