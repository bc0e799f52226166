package message

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/status"
)

// Meta keys with a meaning to the framework.
const (
	// MetaRealIP carries the address of the first caller through a proxy.
	MetaRealIP = "X-Real-IP"
	// MetaAcceptBodyCodec carries the decimal id of the codec that the caller wants for the reply.
	MetaAcceptBodyCodec = "X-Accept-Body-Codec"
	// MetaTimeout carries how many milliseconds the caller of a call still waits, decimal.
	MetaTimeout = "X-Timeout-Ms"
)

// MsgSetting changes a message before it is sent.
type MsgSetting func(Message)

// WithNothing changes nothing; it spares callers a branch.
func WithNothing() MsgSetting { return func(Message) {} }

// WithContext sets the context of the message. A call ends when it is done.
func WithContext(ctx context.Context) MsgSetting {
	return func(m Message) { m.messageIdentity().ctx = ctx }
}

// WithServiceMethod sets the service method.
func WithServiceMethod(serviceMethod string) MsgSetting {
	return func(m Message) { m.SetServiceMethod(serviceMethod) }
}

// WithStatus sets the status.
func WithStatus(stat *status.Status) MsgSetting {
	return func(m Message) { m.SetStatus(stat) }
}

// WithSetMeta sets one meta pair.
func WithSetMeta(key, value string) MsgSetting {
	return func(m Message) { m.messageIdentity().setMeta(key, value) }
}

// WithSetMetas sets several meta pairs. Values must be what JSON can carry.
func WithSetMetas(metas map[string]any) MsgSetting {
	return func(m Message) {
		msg := m.messageIdentity()
		for k, v := range metas {
			if text, ok := v.(string); ok {
				msg.setMeta(k, text)
			} else {
				msg.Meta().Set(k, v)
			}
		}
	}
}

// WithDelMeta removes one meta pair.
func WithDelMeta(key string) MsgSetting {
	return func(m Message) { m.Meta().Remove(key) }
}

// WithBodyCodec sets the codec of the body by name. An unknown name is noticed when the message is encoded: the send
// then fails with a status that names it.
func WithBodyCodec(bodyCodecName string) MsgSetting {
	c, err := codec.GetByName(bodyCodecName)
	if err != nil {
		return func(m Message) { m.SetBody(unencodable{err}) }
	}
	return func(m Message) { m.SetBodyCodec(c.ID()) }
}

// unencodable is a body that carries the reason why it cannot be encoded to the place where the error can be
// returned: a setting itself cannot fail.
type unencodable struct{ err error }

func (u unencodable) String() string { return fmt.Sprintf("unencodable(%v)", u.err) }

// WithBody sets the body.
func WithBody(body any) MsgSetting {
	return func(m Message) { m.SetBody(body) }
}

// WithNewBody sets the function that makes the body from the header.
func WithNewBody(newBodyFunc NewBodyFunc) MsgSetting {
	return func(m Message) { m.SetNewBody(newBodyFunc) }
}

// WithMType sets the message type. The framework sets it itself; protocols and their tests need it.
func WithMType(mType byte) MsgSetting {
	return func(m Message) { m.SetMType(mType) }
}

// WithTFilterPipe appends transfer filters by id. An id that is not registered is noticed when the message is encoded.
func WithTFilterPipe(filterID ...byte) MsgSetting {
	return func(m Message) {
		if err := m.PipeTFilter().Append(filterID...); err != nil {
			m.SetBody(unencodable{err})
		}
	}
}

// GetAcceptBodyCodec returns the codec id that the peer asked for in meta, and whether it is a registered one.
func GetAcceptBodyCodec(meta *gmap.Map) (byte, bool) {
	if meta == nil {
		return 0, false
	}
	return acceptCodec(meta.Get(MetaAcceptBodyCodec))
}

// AcceptBodyCodec is GetAcceptBodyCodec for the meta of m, without making its map.
func (m *Msg) AcceptBodyCodec() (byte, bool) {
	if m.MetaLen() == 0 {
		return 0, false
	}
	return acceptCodec(m.PeekMeta(MetaAcceptBodyCodec))
}

func acceptCodec(v any) (byte, bool) {
	if v == nil {
		return 0, false
	}
	text := fmt.Sprint(v)
	if len(text) == 0 || len(text) > 3 {
		return 0, false
	}
	id, err := strconv.ParseUint(text, 10, 8)
	if err != nil || byte(id) == codec.NilCodecID {
		return 0, false
	}
	if _, err = codec.Get(byte(id)); err != nil {
		return 0, false
	}
	return byte(id), true
}
