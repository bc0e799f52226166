package socket

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/gogf/gf/v2/container/gmap"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/proto"
	"github.com/osgochina/dmicro/drpc/proto/rawproto"
)

// Proto, ProtoFunc and Message are the types of the layers below under the names that programs know them by here.
type (
	Proto     = proto.Proto
	ProtoFunc = proto.ProtoFunc
	Message   = message.Message
)

// ErrProactivelyCloseSocket is what reading and writing return after Close was called on this side.
var ErrProactivelyCloseSocket = errors.New("socket is closed proactively")

// Socket is one connection that carries messages.
type Socket interface {
	// ControlFD calls f with the file descriptor of the connection, valid only during the call.
	ControlFD(f func(fd uintptr)) error
	// LocalAddr returns the address of this side.
	LocalAddr() net.Addr
	// RemoteAddr returns the address of the peer.
	RemoteAddr() net.Addr
	// SetDeadline bounds reading and writing, as that of net.Conn does; the zero time is no bound.
	SetDeadline(t time.Time) error
	// SetReadDeadline bounds reading.
	SetReadDeadline(t time.Time) error
	// SetWriteDeadline bounds writing.
	SetWriteDeadline(t time.Time) error
	// WriteMessage sends one message and returns when its frame was handed to the kernel. Safe for concurrent use.
	WriteMessage(message Message) error
	// ReadMessage reads one message and decodes its body. One goroutine at a time.
	ReadMessage(message Message) error
	// Read reads bytes outside of any frame, buffered ones first.
	Read(b []byte) (n int, err error)
	// Write sends bytes outside of any frame, in order with the frames.
	Write(b []byte) (n int, err error)
	// Close closes the connection and returns the error of doing so; a second Close returns nil.
	Close() error
	// Swap returns the values kept with the connection; given a map it keeps that one from now on.
	Swap(newSwap ...*gmap.Map) *gmap.Map
	// SwapLen is the number of values kept, without making the map.
	SwapLen() int
	// ID returns what SetID set, else the remote address.
	ID() string
	// SetID renames the socket.
	SetID(string)
	// Reset puts another connection, another protocol or both in place; a connection without protoFunc gets the
	// default one. A nil netConn keeps the connection and the bytes that were read ahead; who wraps the connection
	// wraps what Conn.Unread returns, so that none are lost. No other method may run meanwhile.
	Reset(netConn net.Conn, protoFunc ...ProtoFunc)
	// Raw returns the connection underneath.
	Raw() net.Conn
}

var defaultProto atomic.Pointer[ProtoFunc]

// DefaultProtoFunc returns the protocol of sockets that are given none: raw, until SetDefaultProtoFunc changes it.
func DefaultProtoFunc() ProtoFunc {
	if pf := defaultProto.Load(); pf != nil {
		return *pf
	}
	return rawproto.RawProtoFunc
}

// SetDefaultProtoFunc sets the protocol of sockets that are given none, for the whole process. nil restores raw.
func SetDefaultProtoFunc(protoFunc ProtoFunc) {
	if protoFunc == nil {
		defaultProto.Store(nil)
		return
	}
	defaultProto.Store(&protoFunc)
}

// NewSocket wraps c. Without a protocol the default one is used; of several only the first counts.
func NewSocket(c net.Conn, protoFunc ...ProtoFunc) Socket {
	return New(c, Options{}, protoFunc...)
}
