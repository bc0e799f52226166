package proto_test

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
)

// news is a protocol for pushes with one service method: a length of two bytes, then the body as JSON.
type news struct{ rw proto.IOWithReadBuffer }

func (n *news) Version() (byte, string)      { return 'N', "news" }
func (n *news) Pack(m proto.Message) error   { return proto.PackFrame(n.rw, n, m) }
func (n *news) Unpack(m proto.Message) error { return proto.UnpackFrame(n.rw, 2, n, m) }

func (n *news) AppendFrame(dst []byte, m *message.Msg) ([]byte, error) {
	body, err := m.MarshalBody()
	if err != nil {
		return dst, err
	}
	if len(body) > 0xFFFF {
		return dst, message.CheckSize(uint64(len(body)), 0xFFFF)
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(body))), body...), nil
}

func (n *news) FrameLen(head []byte, _ int) (int, error) {
	if len(head) < 2 {
		return 0, nil // more is needed to tell
	}
	return 2 + int(binary.BigEndian.Uint16(head)), nil
}

func (n *news) ParseFrame(frame []byte, m *message.Msg) error {
	m.SetMType(message.TypePush)
	m.SetServiceMethod("/news")
	m.SetBodyCodec(codec.JsonId)
	return m.UnmarshalBody(frame[2:])
}

// A protocol of one's own: what a Framer says about its frames is all that reading and writing them takes.
func ExampleFramer() {
	var wire bytes.Buffer
	p := &news{&wire}
	for _, text := range []string{"it rains", "it stopped"} {
		if err := p.Pack(message.NewMessage(message.WithBodyCodec("json"), message.WithBody(text))); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%q\n", wire.String())
	for range 3 {
		m := message.NewMessage(message.WithNewBody(func(message.Header) any { return new(string) }))
		if err := p.Unpack(m); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.ServiceMethod(), *m.Body().(*string))
	}
	// Output:
	// "\x00\n\"it rains\"\x00\f\"it stopped\""
	// /news it rains
	// /news it stopped
	// EOF
}
