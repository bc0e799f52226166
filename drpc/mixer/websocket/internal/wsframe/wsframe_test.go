package wsframe

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
)

var errOdd = errors.New("odd")

// text is a format whose frames are the body and nothing else; a body of "odd" neither leaves nor arrives.
var text = &Format{
	ID: 't', Name: "text",
	Append: func(dst []byte, m *message.Msg) ([]byte, error) {
		dst, err := m.AppendBody(dst)
		if bytes.HasSuffix(dst, []byte("odd")) {
			return nil, errOdd
		}
		return dst, err
	},
	Parse: func(frame []byte, m *message.Msg) error {
		if string(frame) == "odd" {
			return errOdd
		}
		m.SetBodyCodec(codec.PlainId)
		return m.UnmarshalBody(frame)
	},
}

func msg(body any, limit uint32) *message.Msg {
	m := message.From(message.NewMessage(message.WithBodyCodec("plain"), message.WithBody(body)))
	m.SetSizeLimit(limit)
	return m
}

// one gives out one message of WebSocket a read.
type one struct {
	io.Writer
	messages []string
}

func (o *one) Read(b []byte) (int, error) {
	if len(o.messages) == 0 {
		return 0, io.EOF
	}
	n := copy(b, o.messages[0])
	o.messages = o.messages[1:]
	return n, nil
}

func TestFrameIsOneMessageOfWebSocket(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	p := text.New(&one{&wire, []string{"hello", "world"}})
	if id, name := p.Version(); id != 't' || name != "text" {
		t.Errorf("%c %s", id, name)
	}
	for _, want := range []string{"hello", "world"} {
		var got string
		if err := p.Unpack(msg(&got, 100)); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	m := msg("out", 100)
	if err := p.Pack(m); err != nil || wire.String() != "out" || m.Size() != 3 {
		t.Errorf("%q of %d bytes, %v", wire.String(), m.Size(), err)
	}
}

func TestRefusedMessageLeavesTheBufferAsItWas(t *testing.T) {
	t.Parallel()
	p := text.New(nil).(*wsProto)
	for body, want := range map[string]error{
		"odd":                    errOdd,
		strings.Repeat("x", 101): message.ErrExceedMessageSizeLimit,
	} {
		dst, err := p.AppendFrame([]byte("before"), msg(body, 100))
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "text sub-protocol: ") || string(dst) != "before" {
			t.Errorf("%.5s: %q, %v", body, dst, err)
		}
		var got string
		if err = p.ParseFrame([]byte(body), msg(&got, 100)); !errors.Is(err, want) || got != "" {
			t.Errorf("%.5s: parsed as %q, %v", body, got, err)
		}
	}
}
