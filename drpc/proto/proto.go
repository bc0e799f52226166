// Package proto defines how a message becomes a frame on a connection and a frame a message.
//
// A protocol of one's own implements [Proto] and a [ProtoFunc] that makes one instance for each session. The protocols
// of the framework implement [Framer] beside it: they append a frame to a byte slice and parse one from a byte slice,
// which lets a session encode outside its locks, write many frames with one system call, and leave the body encoded
// until the goroutine that needs it decodes it. Both kinds go through the same session.
package proto

import (
	"io"

	"github.com/osgochina/dmicro/drpc/message"
)

// Message is what a protocol packs and unpacks; it and message.Message are assignable to each other.
type Message message.Message

// Proto frames messages on one connection.
//
// Pack writes m as one frame with one or more calls of Write. Unpack reads one frame into m: it sets the header
// first, then hands the encoded body to m.UnmarshalBody, which may keep the slice until the next Unpack begins. Any
// error of Unpack ends the session. Calls of Pack never overlap each other, calls of Unpack never overlap each other,
// but a Pack and an Unpack may run at the same time.
type Proto interface {
	// Version returns the id and the name of the protocol.
	Version() (byte, string)
	// Pack writes m as one frame.
	Pack(Message) error
	// Unpack reads one frame into m.
	Unpack(Message) error
}

// IOWithReadBuffer is the connection as a protocol sees it: reads are buffered, and what is written leaves as one
// frame when Pack returns.
type IOWithReadBuffer interface {
	io.ReadWriter
}

// ProtoFunc makes the protocol instance of one session.
type ProtoFunc func(IOWithReadBuffer) Proto

// Framer is the fast path of a protocol. Its methods keep no state between calls, so that all of them may be called
// concurrently.
type Framer interface {
	Proto
	// AppendFrame appends the frame of m to dst. On an error dst comes back with its old length.
	AppendFrame(dst []byte, m *message.Msg) ([]byte, error)
	// FrameLen returns the whole length of the frame whose first bytes are head, or 0 if head is too short to tell.
	// The first seen bytes of head were there at an earlier call that could not tell, so that a protocol which looks
	// for an end need not search them again. An error means that no frame of this protocol can begin like that.
	FrameLen(head []byte, seen int) (int, error)
	// ParseFrame parses one whole frame into m. The parts of m may alias frame, and ParseFrame may change frame, as a
	// protocol does that unescapes text where it lies.
	ParseFrame(frame []byte, m *message.Msg) error
}
