package drpc

import (
	"context"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/codec"
	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/socket"
	"github.com/osgochina/dmicro/drpc/status"
)

// What follows are the names of the layers below that programs know from this package.

// Message types and meta keys; see package message.
const (
	TypeUndefined = message.TypeUndefined
	TypeCall      = message.TypeCall
	TypeReply     = message.TypeReply
	TypePush      = message.TypePush
	TypeAuthCall  = message.TypeAuthCall
	TypeAuthReply = message.TypeAuthReply

	MetaRealIP          = message.MetaRealIP
	MetaAcceptBodyCodec = message.MetaAcceptBodyCodec
	MetaTimeout         = message.MetaTimeout
)

// TypeText returns the name of a message type.
func TypeText(typ byte) string { return message.TypeText(typ) }

// GetMessage returns a message from the pool.
func GetMessage(settings ...message.MsgSetting) message.Message {
	return message.GetMessage(settings...)
}

// PutMessage returns a message to the pool; it must not be used afterwards.
func PutMessage(m message.Message) { message.PutMessage(m) }

// WithNothing changes nothing.
func WithNothing() message.MsgSetting { return message.WithNothing() }

// WithStatus sets the status of the message.
func WithStatus(stat *status.Status) message.MsgSetting { return message.WithStatus(stat) }

// WithContext sets the context of the message: a call ends when it is done.
func WithContext(ctx context.Context) message.MsgSetting { return message.WithContext(ctx) }

// WithServiceMethod sets the service method.
func WithServiceMethod(serviceMethod string) message.MsgSetting {
	return message.WithServiceMethod(serviceMethod)
}

// WithSetMeta sets one meta pair.
func WithSetMeta(key, value string) message.MsgSetting { return message.WithSetMeta(key, value) }

// WithSetMetas sets several meta pairs.
func WithSetMetas(metas map[string]any) message.MsgSetting { return message.WithSetMetas(metas) }

// WithDelMeta removes one meta pair.
func WithDelMeta(key string) message.MsgSetting { return message.WithDelMeta(key) }

// WithBodyCodec sets the codec of the body by name.
func WithBodyCodec(bodyCodecName string) message.MsgSetting {
	return message.WithBodyCodec(bodyCodecName)
}

// WithBody sets the body.
func WithBody(body any) message.MsgSetting { return message.WithBody(body) }

// WithNewBody sets the function that makes the body from the header.
func WithNewBody(newBodyFunc message.NewBodyFunc) message.MsgSetting {
	return message.WithNewBody(newBodyFunc)
}

// WithTFilterPipe appends transfer filters by id.
func WithTFilterPipe(filterID ...byte) message.MsgSetting {
	return message.WithTFilterPipe(filterID...)
}

// WithRealIP tells the receiver the address of the first caller.
func WithRealIP(ip string) message.MsgSetting { return message.WithSetMeta(MetaRealIP, ip) }

// WithAcceptBodyCodec asks for a reply in the codec with this id. It comes after SetBodyCodec of the handler and
// before the codec of the request.
func WithAcceptBodyCodec(bodyCodec byte) message.MsgSetting {
	if bodyCodec == codec.NilCodecID {
		return message.WithNothing()
	}
	return message.WithSetMeta(MetaAcceptBodyCodec, decimal(bodyCodec))
}

// GetAcceptBodyCodec returns the codec id that the peer asked for, and whether it is a registered one.
func GetAcceptBodyCodec(meta *gmap.Map) (byte, bool) { return message.GetAcceptBodyCodec(meta) }

// RedialPolicy says what a call or push does whose session is between two connections; see the message package.
type RedialPolicy = message.RedialPolicy

// The redial policies.
const (
	RedialWait     = message.RedialWait
	RedialOnce     = message.RedialOnce
	RedialFailFast = message.RedialFailFast
)

// WithRedialPolicy sets what becomes of a call or push whose session is between two connections. By default it waits
// until its own time is over.
func WithRedialPolicy(p RedialPolicy) message.MsgSetting { return message.WithRedialPolicy(p) }

// WithFailFast makes a call or push fail at once, with a status that NotExecuted recognises, where its session is
// between two connections.
func WithFailFast() message.MsgSetting { return message.WithFailFast() }

// DefaultProtoFunc returns the protocol of connections that are given none.
func DefaultProtoFunc() socket.ProtoFunc { return socket.DefaultProtoFunc() }

// SetDefaultProtoFunc sets the protocol of connections that are given none, for the whole process.
func SetDefaultProtoFunc(protoFunc socket.ProtoFunc) { socket.SetDefaultProtoFunc(protoFunc) }

// GetReadLimit returns the process-wide limit of a frame in bytes, 4 MiB by default.
func GetReadLimit() uint32 { return message.MsgSizeLimit() }

// SetReadLimit sets the process-wide limit of a frame in bytes, both ways; 0 is the largest possible.
// EndpointConfig.MaxMessageSize sets it for one endpoint.
func SetReadLimit(maxMessageSize uint32) { message.SetMsgSizeLimit(maxMessageSize) }

// SetSocketKeepAlive switches TCP keep-alive on new connections of the process; on by default.
func SetSocketKeepAlive(keepalive bool) { socket.SetKeepAlive(keepalive) }

// SetSocketKeepAlivePeriod sets the keep-alive period of new connections; the system's by default.
func SetSocketKeepAlivePeriod(d time.Duration) { socket.SetKeepAlivePeriod(d) }

// SocketReadBuffer returns the receive buffer of new connections in bytes, and whether it is the system's default.
func SocketReadBuffer() (bytes int, isDefault bool) { return socket.ReadBuffer() }

// SetSocketReadBuffer sets the receive buffer of new connections in bytes; negative is the system's default.
func SetSocketReadBuffer(bytes int) { socket.SetReadBuffer(bytes) }

// SocketWriteBuffer returns the send buffer of new connections in bytes, and whether it is the system's default.
func SocketWriteBuffer() (bytes int, isDefault bool) { return socket.WriteBuffer() }

// SetSocketWriteBuffer sets the send buffer of new connections in bytes; negative is the system's default.
func SetSocketWriteBuffer(bytes int) { socket.SetWriteBuffer(bytes) }

// SetSocketNoDelay switches TCP_NODELAY on new connections; on by default.
func SetSocketNoDelay(noDelay bool) { socket.SetNoDelay(noDelay) }
