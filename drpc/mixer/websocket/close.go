package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"

	gorilla "github.com/gorilla/websocket"

	"github.com/osgochina/dmicro/drpc/message"
	"github.com/osgochina/dmicro/drpc/tfilter"
)

var (
	// ErrProtocol is what errors match with errors.Is after a peer has sent what is no WebSocket. It is told so with the
	// code 1002.
	ErrProtocol = errors.New("peer does not speak WebSocket")
	// ErrSilent is what errors match with errors.Is after a peer has not answered a ping.
	ErrSilent = errors.New("peer does not answer pings")
	// ErrMessageType is what errors match with errors.Is after a peer has sent a message of a type that does not exist.
	ErrMessageType = errors.New("unknown message type")
)

// CloseError says that the peer has closed the connection, and why.
type CloseError struct {
	// Code is one of RFC 6455, section 7.4, and Text what the peer said beside it. 1006 means that it said nothing: the
	// connection just ended.
	Code int
	Text string
}

// Error names the code.
func (e *CloseError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("websocket closed by peer with code %d", e.Code)
	}
	return fmt.Sprintf("websocket closed by peer with code %d: %q", e.Code, e.Text)
}

// Is reports whether target is io.EOF for an orderly end, io.ErrUnexpectedEOF for any other.
func (e *CloseError) Is(target error) bool {
	switch e.Code {
	case gorilla.CloseNormalClosure, gorilla.CloseGoingAway, gorilla.CloseNoStatusReceived:
		return target == io.EOF
	}
	return target == io.ErrUnexpectedEOF
}

// explain makes an error of the library one of ours. With bad it is the peer's mistake, of which the library has told
// it.
func explain(err error) (_ error, bad bool) {
	var (
		closed *gorilla.CloseError
		ne     net.Error
	)
	switch {
	case errors.As(err, &closed):
		return &CloseError{Code: closed.Code, Text: closed.Text}, false
	case errors.Is(err, gorilla.ErrReadLimit):
		return message.ExceedsLimit(err), true
	case errors.As(err, &ne), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return err, false
	}
	return fmt.Errorf("%w: %w", ErrProtocol, err), true
}

// codeOf returns the close code for a message that could not be read.
func codeOf(err error) int {
	switch {
	case errors.Is(err, message.ErrExceedMessageSizeLimit):
		return gorilla.CloseMessageTooBig
	case errors.Is(err, tfilter.ErrUnsupported), errors.Is(err, ErrMessageType):
		return gorilla.CloseUnsupportedData
	}
	return gorilla.CloseInvalidFramePayloadData
}
