package message

import (
	"context"
	"sync"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/status"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

// Message types, as they stand on the wire.
const (
	TypeUndefined byte = 0
	TypeCall      byte = 1
	TypeReply     byte = 2
	TypePush      byte = 3
	TypeAuthCall  byte = 4
	TypeAuthReply byte = 5
)

var typeTexts = [...]string{
	TypeCall:      "CALL",
	TypeReply:     "REPLY",
	TypePush:      "PUSH",
	TypeAuthCall:  "AUTH_CALL",
	TypeAuthReply: "AUTH_REPLY",
}

// TypeText returns the name of a message type, "Undefined" for an unknown one.
func TypeText(typ byte) string {
	if int(typ) < len(typeTexts) && typeTexts[typ] != "" {
		return typeTexts[typ]
	}
	return "Undefined"
}

// Header is the part of a message that routes it.
type Header interface {
	// Seq is the sequence number; a reply carries that of its call.
	Seq() int32
	// SetSeq sets the sequence number.
	SetSeq(int32)
	// MType is one of the Type constants.
	MType() byte
	// SetMType sets the type.
	SetMType(byte)
	// ServiceMethod is the name that the receiver routes by, empty in a reply.
	ServiceMethod() string
	// SetServiceMethod sets the name to route by.
	SetServiceMethod(string)
	// StatusOK reports whether the status is absent or OK.
	StatusOK() bool
	// Status returns the status, nil if none was set; with autoInit true one is made then.
	Status(autoInit ...bool) *status.Status
	// SetStatus sets the status; nil is OK.
	SetStatus(*status.Status)
	// Meta returns the key-value pairs that travel with the message, made on first use. Never nil.
	Meta() *gmap.Map
}

// Body is the payload of a message and the codec that turns it into bytes.
type Body interface {
	// BodyCodec is the id of the codec, codec.NilCodecID if none was chosen.
	BodyCodec() byte
	// SetBodyCodec chooses the codec by its id.
	SetBodyCodec(bodyCodec byte)
	// Body returns the value to encode or the target to decode into.
	Body() any
	// SetBody sets the value to encode or the target to decode into.
	SetBody(body any)
	// SetNewBody sets the function that makes the target once the header of a received message is known.
	SetNewBody(NewBodyFunc)
	// MarshalBody encodes the body. A []byte or *[]byte is returned as it is, without the codec.
	MarshalBody() ([]byte, error)
	// UnmarshalBody decodes bodyBytes into the body. A *[]byte gets a copy of them, without the codec.
	UnmarshalBody(bodyBytes []byte) error
}

// NewBodyFunc returns the value that the body of a message with this header is decoded into; nil drops the body.
type NewBodyFunc func(Header) any

// Message is one unit on the wire. It can be implemented only here; NewMessage and GetMessage make one.
type Message interface {
	Header
	Body
	// Reset clears the message and applies the settings.
	Reset(settings ...MsgSetting) Message
	// PipeTFilter returns the transfer filters that the frame passes through. Never nil.
	PipeTFilter() *tfilter.PipeTFilter
	// Size is the length in bytes of the frame that carried the message, 0 before it was packed or unpacked.
	Size() uint32
	// SetSize notes the length of the frame. It returns ErrExceedMessageSizeLimit above the limit.
	SetSize(size uint32) error
	// Context is what WithContext set, else context.Background().
	Context() context.Context
	// String returns the message as one JSON object, for logs and debugging.
	String() string
	// AsHeader returns the message as its header.
	AsHeader() Header
	// AsBody returns the message as its body.
	AsBody() Body

	messageIdentity() *Msg
}

// Msg is the implementation of [Message]. The zero value is an empty message ready for use. Protocols use it for the
// Append and Parse methods that need no intermediate values.
type Msg struct {
	seq       int32
	size      uint32
	limit     uint32
	mtype     byte
	bodyCodec byte
	statusOK  bool // an OK status was received; Status makes the value only when asked
	redial    RedialPolicy
	method    string
	stat      *status.Status
	meta      *gmap.Map // made when somebody changes it or asks for it
	body      any
	in        *received // nil for a message that was made here
	pipe      tfilter.PipeTFilter
	ctx       context.Context
	sealer    Sealer
}

// received is what few messages have but those that came from a peer: their parts as they stand in the frame. It is
// apart so that the messages that callers keep are small.
type received struct {
	method  []byte // ServiceMethod makes the string only when asked
	meta    []byte // a flat object of plain strings, in which a key can be found; else it is in Msg.meta
	body    []byte // still encoded
	newBody NewBodyFunc
	// ownMeta says that meta was made here and not received: its keys are sorted, and it may be changed.
	ownMeta bool
	// deferred says that UnmarshalBody keeps the bytes instead of decoding them.
	deferred bool
}

// nothing is what a message has received that did not come from a peer. Nobody writes to it.
var nothing received

// from returns the received parts to be read.
func (m *Msg) from() *received {
	if m.in == nil {
		return &nothing
	}
	return m.in
}

// into returns the received parts to be changed.
func (m *Msg) into() *received {
	if m.in == nil {
		m.in = new(received)
	}
	return m.in
}

var _ Message = (*Msg)(nil)

// From returns the implementation behind m, for protocols on the fast path.
func From(m Message) *Msg { return m.messageIdentity() }

var pool = sync.Pool{New: func() any { return new(Msg) }}

// GetMessage returns a message from the pool. Hand it back with PutMessage, or let the garbage collector have it.
func GetMessage(settings ...MsgSetting) Message {
	return pool.Get().(*Msg).Reset(settings...)
}

// PutMessage returns m to the pool. Neither m nor anything it returned may be used afterwards.
func PutMessage(m Message) {
	msg := m.messageIdentity()
	msg.Clear()
	pool.Put(msg)
}

// NewMessage returns a new message with the settings applied.
func NewMessage(settings ...MsgSetting) Message {
	return new(Msg).Reset(settings...)
}

func (m *Msg) messageIdentity() *Msg { return m }

// Clear empties the message and drops every reference it holds.
func (m *Msg) Clear() {
	m.pipe.Reset()
	pipe, in := m.pipe, m.in // keep their memory
	if in != nil {
		*in = received{}
	}
	*m = Msg{pipe: pipe, in: in}
}

// Reset clears the message and applies the settings.
func (m *Msg) Reset(settings ...MsgSetting) Message {
	m.Clear()
	m.Apply(settings)
	return m
}

// Apply applies the settings in order; nil ones are skipped.
func (m *Msg) Apply(settings []MsgSetting) {
	for _, set := range settings {
		if set != nil {
			set(m)
		}
	}
}

// AsHeader returns the message as its header.
func (m *Msg) AsHeader() Header { return m }

// AsBody returns the message as its body.
func (m *Msg) AsBody() Body { return m }

// Seq returns the sequence number.
func (m *Msg) Seq() int32 { return m.seq }

// SetSeq sets the sequence number.
func (m *Msg) SetSeq(seq int32) { m.seq = seq }

// MType returns the message type.
func (m *Msg) MType() byte { return m.mtype }

// SetMType sets the message type.
func (m *Msg) SetMType(typ byte) { m.mtype = typ }

// ServiceMethod returns the service method.
func (m *Msg) ServiceMethod() string {
	if raw := m.from().method; m.method == "" && len(raw) > 0 {
		m.method = string(raw)
	}
	return m.method
}

// SetServiceMethod sets the service method.
func (m *Msg) SetServiceMethod(method string) {
	m.method = method
	if m.in != nil {
		m.in.method = nil
	}
}

// ServiceMethodBytes returns the service method as it was received, nil where SetServiceMethod set it. It allows a
// lookup without making a string.
func (m *Msg) ServiceMethodBytes() []byte { return m.from().method }

// ParseServiceMethod notes the received bytes of a service method. They must stay unchanged as long as the message
// is in use.
func (m *Msg) ParseServiceMethod(raw []byte) { m.method, m.into().method = "", raw }

// StatusOK reports whether the status is absent or OK.
func (m *Msg) StatusOK() bool { return m.stat.OK() }

// Status returns the status. A received OK status is a value, not nil; see also Header.Status.
func (m *Msg) Status(autoInit ...bool) *status.Status {
	if m.stat == nil && (m.statusOK || len(autoInit) > 0 && autoInit[0]) {
		m.stat = new(status.Status)
	}
	return m.stat
}

// SetStatus sets the status.
func (m *Msg) SetStatus(stat *status.Status) { m.stat, m.statusOK = stat, false }

// AppendStatus appends the status as its wire JSON.
func (m *Msg) AppendStatus(dst []byte) []byte { return m.stat.AppendJSON(dst) }

// ParseStatus reads a status from its wire JSON. Empty input and "null" are an OK status.
func (m *Msg) ParseStatus(raw []byte) error {
	if len(raw) == len(status.OKJSON) && string(raw) == status.OKJSON {
		m.stat, m.statusOK = nil, true
		return nil
	}
	stat, err := status.Parse(raw)
	if err != nil {
		return err
	}
	m.stat, m.statusOK = stat, stat == nil
	return nil
}

// Size returns the length of the frame in bytes.
func (m *Msg) Size() uint32 { return m.size }

// SetSize notes the length of the frame and checks it against the limit.
func (m *Msg) SetSize(size uint32) error {
	if err := CheckSize(uint64(size), m.SizeLimit()); err != nil {
		return err
	}
	m.size = size
	return nil
}

// SizeLimit is the largest frame in bytes that this message may be packed into or unpacked from.
func (m *Msg) SizeLimit() uint32 {
	if m.limit != 0 {
		return m.limit
	}
	return MsgSizeLimit()
}

// SetSizeLimit sets a limit for this message alone; 0 means the process-wide one.
func (m *Msg) SetSizeLimit(limit uint32) { m.limit = limit }

// PipeTFilter returns the transfer filters.
func (m *Msg) PipeTFilter() *tfilter.PipeTFilter { return &m.pipe }

// Context returns the context of the message.
func (m *Msg) Context() context.Context {
	if m.ctx == nil {
		return context.Background()
	}
	return m.ctx
}

// SetContext sets the context of the message; nil removes it.
func (m *Msg) SetContext(ctx context.Context) { m.ctx = ctx }

// HasContext reports whether WithContext set a context, so that a caller without one pays nothing for it.
func (m *Msg) HasContext() bool { return m.ctx != nil }
