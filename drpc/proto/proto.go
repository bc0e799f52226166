// Package proto defines how a message becomes a frame on a connection and a frame a message.
//
// A protocol of one's own implements [Proto] and a [ProtoFunc] that makes one instance for each session. The protocols
// of the framework implement [Framer] beside it: they append a frame to a byte slice and parse one from a byte slice,
// which lets a session encode outside its locks, write many frames with one system call, and leave the body encoded
// until the goroutine that needs it decodes it. Both kinds go through the same session.
package proto

import (
	"errors"
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

// IOWithReadBuffer is the connection as a protocol sees it: reads are buffered, and what Pack writes leaves as one
// frame when it returns.
//
// A [Framer], whose Pack a session does not use, may write at any time, from AppendFrame and ParseFrame too: answers that
// its protocol gives without asking anybody, such as the refusal of a frame. Each Write leaves as it is, in order with
// the frames, and returns when the bytes were written; a peer that does not read makes it wait. The connection of a
// session is also a [WriteCloser] and a [SizeLimiter].
type IOWithReadBuffer interface {
	io.ReadWriter
}

// WriteCloser is what a connection may offer a protocol beside IOWithReadBuffer.
type WriteCloser interface {
	// CloseWrite ends the writing direction, the whole connection where the transport has no such thing. The peer
	// still gets what was written before.
	CloseWrite() error
}

// SizeLimiter is what a connection may offer a protocol beside IOWithReadBuffer, so that it can refuse a frame in its
// own words before the session does.
type SizeLimiter interface {
	// SizeLimit is the largest frame in bytes that the connection takes.
	SizeLimit() uint32
}

// ProtoFunc makes the protocol instance of one session.
type ProtoFunc func(IOWithReadBuffer) Proto

// ErrNoMessage is what ParseFrame returns, wrapped or not, for a frame that holds no message for the session: the
// protocol has dealt with it itself, and the next frame is read.
var ErrNoMessage = errors.New("no message in this frame")

// Framer is the fast path of a protocol. AppendFrame may be called concurrently with everything; FrameLen and ParseFrame
// are called by the one goroutine that reads the connection, for one frame after the other in the order in which they
// came. A protocol that remembers something between calls, such as the form of an id for its reply, keeps it in its
// instance, which serves one connection, bounded, and guards what AppendFrame shares with the others.
type Framer interface {
	Proto
	// AppendFrame appends the frame of m to dst. On an error dst comes back with its old length, and m may be changed
	// and appended again. A protocol that holds the frame back, to send it with or after another one, appends nothing.
	AppendFrame(dst []byte, m *message.Msg) ([]byte, error)
	// FrameLen returns the whole length of the frame whose first bytes are head, or 0 if head is too short to tell.
	// The first seen bytes of head were there at an earlier call that could not tell, so that a protocol which looks
	// for an end need not search them again. An error means that no frame of this protocol can begin like that.
	FrameLen(head []byte, seen int) (int, error)
	// ParseFrame parses one whole frame into m. The parts of m may alias frame. An error ends the session, except
	// ErrNoMessage, after which m is as it was.
	ParseFrame(frame []byte, m *message.Msg) error
}

// Borrower is what a Framer implements besides if it keeps nothing of a frame but the parts of the message that it has
// parsed from it. Its frames are parsed where they were read to, and need not be copied before.
type Borrower interface {
	// BorrowsFrames does nothing.
	BorrowsFrames()
}

// Sequencer is what a Framer implements besides if it must know in which order its frames leave, because the replies
// to them carry no number.
type Sequencer interface {
	// Queued is told all bytes that leave, frame by frame, at the moment that their place in the stream is fixed and
	// before the peer can answer them. Its calls never overlap. It must not block and must not keep frame.
	Queued(frame []byte)
}
